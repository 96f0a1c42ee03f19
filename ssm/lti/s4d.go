package lti

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// S4DLegS returns the diagonal form of HiPPO-LegS with n states, n even, as n/2
// conjugate pairs: A is the spectrum of the normal part of LegS(n) and B = V*B/2.
// Dropping the low rank and halving B leaves, as n grows, the same response to a
// smooth input ([Gu22b], theorem 3).
//
// C and D are zero: they are the read-out, to be drawn or fitted. So they are
// from the other initialisations.
func S4DLegS(n int) *Diagonal {
	checkEven(n)
	_, b := LegS(n)
	d := LegSNPLR(n)
	s := &Diagonal{
		A: d.Lambda[: n/2 : n/2], B: make([]complex128, n/2), C: make([]complex128, n/2),
		Pairs: true,
	}
	for j := range s.B {
		s.B[j] = starDot(column(d.V, j), b) / 2
	}
	return s
}

// S4DLin returns n/2 conjugate pairs, n even, with A[k] = −½ + iπk and B = 1: the
// large eigenvalues of S4DLegS are about these, and the basis functions are
// damped Fourier modes ([Gu22b], S4D-Lin).
func S4DLin(n int) *Diagonal {
	return pairs(n, func(k float64) float64 { return math.Pi * k })
}

// S4DInv returns n/2 conjugate pairs, n even, with the inverse law that the
// spectrum of S4DLegS follows, A[k] = −½ + i(n/π)(n/(2k+1) − 1), and B = 1
// ([Gu22b], S4D-Inv).
func S4DInv(n int) *Diagonal {
	order := float64(n)
	return pairs(n, func(k float64) float64 { return order / math.Pi * (order/(2*k+1) - 1) })
}

// S4DReal returns n real modes with A[k] = −(k+1), the diagonal of LegS, and B = 1
// ([Gu22b], S4D-Real). It is the initialisation of Mamba's A.
func S4DReal(n int) *Diagonal {
	checkOrder(n)
	s := &Diagonal{A: make([]complex128, n), B: make([]complex128, n), C: make([]complex128, n)}
	for k := range s.A {
		s.A[k], s.B[k] = complex(-float64(k+1), 0), 1
	}
	return s
}

func pairs(n int, omega func(k float64) float64) *Diagonal {
	checkEven(n)
	m := n / 2
	s := &Diagonal{A: make([]complex128, m), B: make([]complex128, m), C: make([]complex128, m), Pairs: true}
	for k := range s.A {
		s.A[k], s.B[k] = complex(-0.5, omega(float64(k))), 1
	}
	return s
}

func checkEven(n int) {
	checkOrder(n)
	if n%2 != 0 {
		panic(badOdd)
	}
}

func column(m *mat.CDense, j int) []complex128 {
	n, _ := m.Dims()
	v := make([]complex128, n)
	for i := range v {
		v[i] = m.At(i, j)
	}
	return v
}
