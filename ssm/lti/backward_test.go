package lti

import (
	"fmt"
	"slices"
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
	along := func(eps float64, p *float64) float64 {
		old := *p
		return slope(loss, eps, func(by float64) { *p = old + by })
	}
	alongBoth := func(p *complex128) complex128 {
		old := *p
		return complex(
			slope(loss, 1e-3, func(by float64) { *p = old + complex(by, 0) }),
			slope(loss, 1e-3, func(by float64) { *p = old + complex(0, by) }))
	}

	d := discretize(t, s, rule, dt)
	st := d.NewState()
	copy(st.H, h)
	g := s.Backward(rule, dt, st, x, gy)
	compare := func(name string, got, params []complex128) {
		want := make([]complex128, len(params))
		for i := range params {
			want[i] = alongBoth(&params[i])
		}
		wantClose(t, name, realForm(got), realForm(want), 1e-7)
	}
	compare("A", g.A, s.A)
	compare("B", g.B, s.B)
	compare("C", g.C, s.C)
	wantClose(t, "D", []float64{g.D}, []float64{along(1e-3, &s.D)}, 1e-7)
	wantClose(t, "Δ", []float64{g.Dt}, []float64{along(1e-5, &dt)}, 1e-7)
	for name, v := range map[string][2][]float64{"x": {g.X, x}, "h": {g.H, h}} {
		want := make([]float64, len(v[1]))
		for i := range want {
			want[i] = along(1e-3, &v[1][i])
		}
		wantClose(t, name, v[0], want, 1e-7)
	}
}

// slope is the central difference of fourth order of loss along move.
func slope(loss func() float64, eps float64, move func(by float64)) float64 {
	var at [4]float64
	for i, by := range []float64{-2, -1, 1, 2} {
		move(by * eps)
		at[i] = loss()
	}
	move(0)
	return (at[0] - 8*at[1] + 8*at[2] - at[3]) / (12 * eps)
}

// Gradient descent with these gradients finds a system again from its outputs.
func TestBackwardTrains(t *testing.T) {
	rng := newRand(12)
	truth := &Diagonal{
		A: []complex128{-0.5 + 2i, -1 + 6i}, B: []complex128{1, 1}, C: []complex128{1 - 1i, 0.5 + 1i},
		D: 0.3, Pairs: true,
	}
	x := normal(rng, 400)
	want := make([]float64, len(x))
	d := discretize(t, truth, ZOH, 0.1)
	d.Recur(want, d.NewState(), x)

	s := &Diagonal{
		A: slices.Clone(truth.A), B: slices.Clone(truth.B),
		C: make([]complex128, 2), Pairs: true,
	}
	for i := range s.A {
		s.A[i] += complex(-0.3, 0.5)
	}
	y, gy := make([]float64, len(x)), make([]float64, len(x))
	const rate = 0.5
	var first, last float64
	for step := range 4000 {
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
			s.A[i] -= rate * g.A[i]
			s.B[i] -= rate * g.B[i]
			s.C[i] -= rate * g.C[i]
		}
		s.D -= rate * g.D
	}
	if !(last < 1e-12*first) {
		t.Errorf("loss went from %.3g to %.3g, want a trillionth", first, last)
	}
}
