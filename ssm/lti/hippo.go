package lti

import (
	"math"
	"math/cmplx"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// LegS returns A (n, n) and B (n) of HiPPO-LegS ([Gu20], theorem 2, signs as in
// h' = Ah + Bx):
//
//	A[i][k] = −√(2i+1)√(2k+1)  i > k;   −(i+1)  i = k;   0  i < k
//	B[i]    = √(2i+1)
//
// Under t·h'(t) = A h(t) + B x(t) the state holds the coefficients of x on [0, t]
// in orthonormal Legendre polynomials; see [Memory].
func LegS(n int) (a *mat.Dense, b []float64) {
	checkOrder(n)
	a, b = mat.NewDense(n, n, nil), make([]float64, n)
	for i := range n {
		b[i] = math.Sqrt(float64(2*i + 1))
		for k := range i {
			a.Set(i, k, -math.Sqrt(float64((2*i+1)*(2*k+1))))
		}
		a.Set(i, i, -float64(i+1))
	}
	return a, b
}

// An NPLR is a matrix as normal plus low rank, A = V diag(Lambda) V* − P Pᵀ, with V
// unitary ([Gu22a], theorem 1).
type NPLR struct {
	Lambda []complex128 // (n)
	V      *mat.CDense  // (n, n)
	P      []float64    // (n)
}

// LegSNPLR decomposes the A of LegS(n). P[i] = √(i+½), and A + PPᵀ = −½I + S with a
// skew-symmetric S, so every eigenvalue is −½ + iω. They come with the n/2
// positive ω first, ascending, then 0 where n is odd, then the conjugates of the
// first in the same order. A column v of V is turned so that v*B is
// real and positive, which makes V unique.
func LegSNPLR(n int) NPLR {
	a, b := LegS(n)
	p := make([]float64, n)
	for i := range p {
		p[i] = math.Sqrt(float64(i) + 0.5)
	}
	omega, vecs := skewEigen(a, p)
	out := NPLR{Lambda: make([]complex128, n), V: mat.NewCDense(n, n, nil), P: p}
	for j, w := range omega {
		v := align(vecs[j], b)
		out.set(j, complex(-0.5, w), v)
		if mirror := j + (n+1)/2; mirror < n {
			for i := range v {
				v[i] = cmplx.Conj(v[i])
			}
			out.set(mirror, complex(-0.5, -w), v)
		}
	}
	return out
}

func (d *NPLR) set(j int, lambda complex128, v []complex128) {
	d.Lambda[j] = lambda
	for i, z := range v {
		d.V.Set(i, j, z)
	}
}

// skewEigen returns the ω ≥ 0 of S = A + PPᵀ + ½I with a unit eigenvector each,
// the positive ones ascending, then the zero of an odd n.
//
// iω is an eigenvalue of S with vector p + iq where ω is one of the real
// symmetric [[0, S], [−S, 0]] with vector (p, q). That is a problem whose
// eigenvectors come out orthogonal to rounding. Each ω appears there twice, the
// second vector being i times the first; one is taken.
func skewEigen(a *mat.Dense, p []float64) (omega []float64, vecs [][]complex128) {
	n := len(p)
	sym := mat.NewSymDense(2*n, nil)
	for i := range n {
		for k := range i {
			s := a.At(i, k) + p[i]*p[k]
			sym.SetSym(i, n+k, s)
			sym.SetSym(k, n+i, -s)
		}
	}
	var eig mat.EigenSym
	if !eig.Factorize(sym, true) {
		panic("lti: symmetric eigenvalue iteration did not converge") // finite entries: cannot happen
	}
	values := eig.Values(nil) // ascending
	var q mat.Dense
	eig.VectorsTo(&q)
	take := func(col int, w float64) {
		v := make([]complex128, n)
		for i := range v {
			v[i] = complex(q.At(i, col), q.At(n+i, col))
		}
		omega, vecs = append(omega, w), append(vecs, v)
	}
	for col := 2*n - 2*(n/2); col < 2*n; col += 2 {
		take(col, values[col])
	}
	if n%2 == 1 {
		take(n-1, 0)
	}
	return omega, vecs
}

// align turns v so that v*b is real and positive.
func align(v []complex128, b []float64) []complex128 {
	out := slices.Clone(v)
	s := starDot(v, b)
	turn := s / complex(cmplx.Abs(s), 0)
	for i := range out {
		out[i] *= turn
	}
	return out
}

// starDot is v*b.
func starDot(v []complex128, b []float64) complex128 {
	var s complex128
	for i, z := range v {
		s += cmplx.Conj(z) * complex(b[i], 0)
	}
	return s
}

func checkOrder(n int) {
	if n < 1 {
		panic(badOrder)
	}
}
