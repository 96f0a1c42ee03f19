package lti

import (
	"math"
	"slices"
)

// A Memory is HiPPO-LegS at work: n numbers that hold a polynomial of degree n−1
// fitted to everything pushed so far, each past moment weighing the same,
// however long the past is ([Gu20], section 3). It answers what x was at any
// fraction of the past.
//
// Its equation t·c'(t) = A c(t) + B x(t) does not vary in log t, and is advanced
// there by the trapezoid rule, which is stable for every n and t. With A of the
// special form of LegS a step takes O(n).
//
// For a past that is analytic out to the Bernstein ellipse ρ the error falls as
// ρ⁻ⁿ, for one with a kink as n^(−3/2) in the mean square.
type Memory struct {
	c    []float64 // (n), coefficients of √(2i+1) P_i(2u − 1)
	root []float64 // (n), √(2i+1)
	k    int       // events so far
}

// NewMemory returns a memory of n numbers that has seen nothing.
func NewMemory(n int) *Memory {
	checkOrder(n)
	_, root := LegS(n)
	return &Memory{c: make([]float64, n), root: root}
}

// Push adds x, the value of the signal for one more unit of time.
func (m *Memory) Push(x float64) {
	m.k++
	if m.k == 1 { // a constant so far
		m.c[0] = x
		return
	}
	half := math.Log1p(1/float64(m.k-1)) / 2 // half the step in log t
	// (I − half·A)c' = (I + half·A)c + 2·half·B·x, from the top row down, where
	// (Ac)_i = −root_i Σ_{j<i} root_j c_j − (i+1)c_i.
	var below, belowNew float64 // Σ_{j<i} root_j c_j of the old and the new c
	for i, r := range m.root {
		old, d := m.c[i], half*float64(i+1)
		rhs := old*(1-d) + half*r*(2*x-below-belowNew)
		m.c[i] = rhs / (1 + d)
		below += r * old
		belowNew += r * m.c[i]
	}
}

// At returns what the memory holds for the fraction u of the past: 0 is the first
// event, 1 is now.
func (m *Memory) At(u float64) float64 {
	z := 2*u - 1
	var sum float64
	p, before := 1.0, 0.0 // P_i(z) and P_{i−1}(z)
	for i, c := range m.c {
		sum += c * m.root[i] * p
		k := float64(i)
		p, before = ((2*k+1)*z*p-k*before)/(k+1), p
	}
	return sum
}

// Coefficients returns a copy of the state c (n), the coefficients of the past in
// the orthonormal Legendre polynomials √(2i+1) P_i(2u − 1), u in [0, 1].
func (m *Memory) Coefficients() []float64 {
	return slices.Clone(m.c)
}
