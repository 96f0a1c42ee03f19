package lti

import (
	"fmt"
	"testing"
)

// Every derivative against central differences of the loss Σ gy·y, through
// Discretize and Recur.
func TestBackwardAgreesWithFiniteDifferences(t *testing.T) {
	const modes, l = 3, 40
	for _, rule := range []Rule{ZOH, Bilinear, Euler} {
		for _, pairs := range []bool{false, true} {
			for _, size := range []float64{1, 1e-5, 0} { // 0: an integrator
				t.Run(fmt.Sprintf("%v/pairs=%v/A·%g", rule, pairs, size), func(t *testing.T) {
					rng := newRand(11)
					s := randomDiagonal(rng, modes, pairs)
					s.A[0] *= complex(size, 0)
					h, x, gy := normal(rng, 2*modes), normal(rng, l), normal(rng, l)
					checkGradient(t, s, rule, 0.2, h, x, gy)
				})
			}
		}
	}
}

func checkGradient(t *testing.T, s *Diagonal, rule Rule, dt float64, h, x, gy []float64) {
	t.Helper()
	loss := func() float64 {
		d := discretize(t, s, rule, dt)
		st, y := d.NewState(), make([]float64, len(x))
		copy(st.H, h)
		d.Recur(y, st, x)
		var sum float64
		for k, v := range y {
			sum += gy[k] * v
		}
		return sum
	}
	slope := func(p *float64) float64 { // fourth order, so that a wide step serves
		const eps = 1e-3
		at, old := [4]float64{}, *p
		for i, by := range []float64{-2, -1, 1, 2} {
			*p = old + by*eps
			at[i] = loss()
		}
		*p = old
		return (at[0] - 8*at[1] + 8*at[2] - at[3]) / (12 * eps)
	}
	complexSlope := func(p *complex128) complex128 {
		re, im := real(*p), imag(*p)
		old := *p
		set := func(v *float64) float64 { // slope along one part
			const eps = 1e-3
			at, was := [4]float64{}, *v
			for i, by := range []float64{-2, -1, 1, 2} {
				*v = was + by*eps
				*p = complex(re, im)
				at[i] = loss()
			}
			*v = was
			*p = old
			return (at[0] - 8*at[1] + 8*at[2] - at[3]) / (12 * eps)
		}
		return complex(set(&re), set(&im))
	}

	d := discretize(t, s, rule, dt)
	st := d.NewState()
	copy(st.H, h)
	g := s.Backward(rule, dt, st, x, gy)
	compare := func(name string, got, params []complex128) {
		want := make([]complex128, len(params))
		for i := range params {
			want[i] = complexSlope(&params[i])
		}
		wantClose(t, name, realForm(got), realForm(want), 1e-7)
	}
	compare("A", g.A, s.A)
	compare("B", g.B, s.B)
	compare("C", g.C, s.C)
	wantClose(t, "D", []float64{g.D}, []float64{slope(&s.D)}, 1e-7)
	wantClose(t, "Δ", []float64{g.Dt}, []float64{slope(&dt)}, 1e-7)
	for name, v := range map[string][2][]float64{"x": {g.X, x}, "h": {g.H, h}} {
		want := make([]float64, len(v[1]))
		for i := range want {
			want[i] = slope(&v[1][i])
		}
		wantClose(t, name, v[0], want, 1e-7)
	}
}

// Gradient descent with these gradients finds a system again from its outputs.
func TestBackwardTrains(t *testing.T) {
	rng := newRand(12)
	truth := randomDiagonal(rng, 2, true)
	x := normal(rng, 400)
	want := make([]float64, len(x))
	d := discretize(t, truth, ZOH, 0.1)
	d.Recur(want, d.NewState(), x)

	s := &Diagonal{
		A: append([]complex128(nil), truth.A...), B: append([]complex128(nil), truth.B...),
		C: make([]complex128, 2), Pairs: true,
	}
	for i := range s.A {
		s.A[i] += complex(-0.1, 0.3)
	}
	y, gy := make([]float64, len(x)), make([]float64, len(x))
	var first, last float64
	for step := range 3000 {
		d := discretize(t, s, ZOH, 0.1)
		d.Recur(y, d.NewState(), x)
		last = 0
		for k := range y {
			gy[k] = (y[k] - want[k]) / float64(len(x))
			last += gy[k] * gy[k] * float64(len(x)) / 2
		}
		if step == 0 {
			first = last
		}
		g := s.Backward(ZOH, 0.1, d.NewState(), x, gy)
		for i := range s.A {
			s.A[i] -= 0.5 * g.A[i]
			s.B[i] -= 0.5 * g.B[i]
			s.C[i] -= 0.5 * g.C[i]
		}
		s.D -= 0.5 * g.D
	}
	if !(last < 1e-4*first) {
		t.Errorf("loss went from %.3g to %.3g, want a ten-thousandth", first, last)
	}
}
