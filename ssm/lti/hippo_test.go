package lti

import (
	"fmt"
	"math"
	"math/cmplx"
	"testing"
)

func TestLegSIsNormalPlusLowRank(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 7, 8, 15, 16, 32, 33, 64, 128} {
		a, b := LegS(n)
		d := LegSNPLR(n)
		var off, unit float64 // of A and of V*V = I
		for i := range n {
			for k := range n {
				sum, dot := complex(-d.P[i]*d.P[k]-a.At(i, k), 0), complex128(0)
				for j := range n {
					sum += d.V.At(i, j) * d.Lambda[j] * cmplx.Conj(d.V.At(k, j))
					dot += cmplx.Conj(d.V.At(j, i)) * d.V.At(j, k)
				}
				if i == k {
					dot--
				}
				off, unit = math.Max(off, cmplx.Abs(sum)), math.Max(unit, cmplx.Abs(dot))
			}
		}
		if !(off < 1e-10) || !(unit < 1e-11) {
			t.Errorf("n = %d: VΛV* − PPᵀ is off A by %.1e, V*V off I by %.1e", n, off, unit)
		}
		for j, l := range d.Lambda {
			if real(l) != -0.5 {
				t.Errorf("n = %d: eigenvalue %v is not on −½ + iω", n, l)
			}
			if v := starDot(column(d.V, j), b); !(real(v) > 0) || math.Abs(imag(v)) > 1e-10 {
				t.Errorf("n = %d: v*B = %v is not real and positive", n, v)
			}
		}
	}
}

// Theorem 3 of S4D: without the low rank and with half of B the states are those of
// LegS in the limit. The limit is a weak one: it holds for what a smooth input
// does to the states, not for the impulse response, which stays noisy
// (Yu et al., Robustifying State-space Models for Long Sequences via
// Approximate Diagonalization, arXiv:2310.01698).
func TestS4DLegSTendsToLegSForASmoothInput(t *testing.T) {
	const dt, l, states = 1.0 / 512, 2048, 4
	x := make([]float64, l)
	for k := range x {
		u := dt * float64(k)
		x[k] = u * u * math.Exp(-2*u)
	}
	before := math.Inf(1)
	for _, n := range []int{16, 32, 64, 128} {
		a, b := LegS(n)
		v, diag := LegSNPLR(n).V, S4DLegS(n)
		var diff, size float64
		for i := range states {
			full := &System{A: a, B: b, C: make([]float64, n)}
			full.C[i] = 1
			for j := range diag.C {
				diag.C[j] = v.At(i, j)
			}
			want, got := make([]float64, l), make([]float64, l)
			d := discretize(t, full, ZOH, dt)
			d.Recur(want, d.NewState(), x)
			d = discretize(t, diag, ZOH, dt)
			d.Recur(got, d.NewState(), x)
			for k := range want {
				diff += (got[k] - want[k]) * (got[k] - want[k])
				size += want[k] * want[k]
			}
		}
		now := math.Sqrt(diff / size)
		t.Logf("n = %d: %.3g", n, now)
		if !(now < 0.6*before) {
			t.Errorf("n = %d: distance %.3g after %.3g at n/2, want it about halved", n, now, before)
		}
		before = now
	}
}

// The laws of S4D-Inv and S4D-Lin describe the two ends of the spectrum of
// S4D-LegS, and S4D-Real is the diagonal of LegS.
func TestInitialisationsFollowTheSpectrumOfLegS(t *testing.T) {
	const n = 64
	legs, inv, lin := S4DLegS(n), S4DInv(n), S4DLin(n)
	m := n / 2
	for k := range 4 {
		got, want := imag(inv.A[k]), imag(legs.A[m-1-k]) // Inv counts down
		if math.Abs(got/want-1) > 0.1 {
			t.Errorf("S4D-Inv: frequency %d is %.2f, LegS has %.2f", k, got, want)
		}
	}
	for k := 1; k < m; k++ {
		if math.Abs(imag(lin.A[k])-math.Pi*float64(k)) > 1e-12 {
			t.Errorf("S4D-Lin: frequency %d is %v", k, imag(lin.A[k]))
		}
	}
	a, _ := LegS(n)
	for k, l := range S4DReal(n).A {
		if l != complex(a.At(k, k), 0) {
			t.Errorf("S4D-Real: mode %d is %v, LegS has %v on its diagonal", k, l, a.At(k, k))
		}
	}
	for _, s := range []*Diagonal{legs, inv, lin} {
		for k, l := range s.A {
			if real(l) != -0.5 || len(s.A) != m || !s.Pairs {
				t.Errorf("mode %d of %d is %v with pairs %t", k, len(s.A), l, s.Pairs)
			}
		}
	}
}

func TestShapeMistakesPanicByName(t *testing.T) {
	legs, b := LegS(4)
	good := &System{A: legs, B: b, C: b}
	d := discretize(t, good, ZOH, 1)
	other := discretize(t, S4DReal(3), ZOH, 1)
	tests := []struct {
		want string
		call func()
	}{
		{badA, func() { _, _ = (&System{B: b, C: b}).Discretize(ZOH, 1) }},
		{badB, func() { _, _ = (&System{A: legs, B: b[:3], C: b}).Discretize(ZOH, 1) }},
		{badC, func() { _, _ = (&System{A: legs, B: b, C: b[:3]}).Discretize(ZOH, 1) }},
		{badRule, func() { _, _ = good.Discretize(9, 1) }},
		{badA, func() { _, _ = (&Diagonal{}).Discretize(ZOH, 1) }},
		{badB, func() { _, _ = (&Diagonal{A: make([]complex128, 2)}).Discretize(ZOH, 1) }},
		{badC, func() {
			_, _ = (&Diagonal{A: make([]complex128, 2), B: make([]complex128, 2)}).Discretize(ZOH, 1)
		}},
		{badRule, func() { _, _ = S4DReal(2).Discretize(9, 1) }},
		{badState, func() { d.Step(other.NewState(), 1) }},
		{badState, func() { d.Step(&State{}, 1) }},
		{badDst, func() { d.Recur(make([]float64, 2), d.NewState(), make([]float64, 3)) }},
		{badDst, func() { d.Convolve(make([]float64, 2), d.NewState(), make([]float64, 3)) }},
		{badDst, func() { d.Scan(make([]float64, 2), d.NewState(), make([]float64, 3)) }},
		{badDst, func() { d.Run(make([]float64, 2), d.NewState(), make([]float64, 3)) }},
		{badDst, func() { CausalConvolve(make([]float64, 2), make([]float64, 3), make([]float64, 3)) }},
		{badK, func() { CausalConvolve(make([]float64, 3), make([]float64, 2), make([]float64, 3)) }},
		{badGrad, func() { S4DReal(3).Backward(ZOH, 1, other.NewState(), make([]float64, 3), nil) }},
		{badState, func() { S4DReal(2).Backward(ZOH, 1, other.NewState(), nil, nil) }},
		{badOrder, func() { LegS(0) }},
		{badOrder, func() { NewMemory(-1) }},
		{badOdd, func() { S4DLegS(3) }},
		{badOdd, func() { S4DLin(5) }},
	}
	for i, tt := range tests {
		func() {
			defer func() {
				if got := recover(); fmt.Sprint(got) != tt.want {
					t.Errorf("case %d: panic %v, want %q", i, got, tt.want)
				}
			}()
			tt.call()
		}()
	}
}
