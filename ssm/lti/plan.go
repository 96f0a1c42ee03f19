package lti

import (
	"math/bits"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/dsp/fourier"
	"gonum.org/v1/gonum/mat"
)

// chunk is the number of events that the parallel forms work on as one. It is a
// constant, so that where a history is cut depends on its length alone and the
// outcome does not depend on the cores. Power of two.
const chunk = 1024

// A plan is what the chunked forms need of a system, for any q ≤ chunk events:
//
//	state after q events from zero:  Σ_j reach[:, j] x_{q−1−j}
//	output k for x = 0 from state h: observe[:, k]ᵀ h
//	kernel, in the frequency domain, padded to twice the chunk
type plan struct {
	powers   []transition // Ā^1, Ā^2, Ā^4, …, Ā^chunk
	reach    *mat.Dense   // (n, chunk): column j is Ā^j B̄
	observe  *mat.Dense   // (n, chunk): column k is (C Ā^{k+1})ᵀ
	spectrum []complex128 // (chunk+1)
}

func newPlan(a transition, b, c []float64) *plan {
	p := &plan{powers: make([]transition, bits.Len(uint(chunk)))}
	adjoint := make([]transition, len(p.powers))
	for i := range p.powers {
		if p.powers[i] = a; i > 0 {
			p.powers[i] = p.powers[i-1].square()
		}
		adjoint[i] = p.powers[i].transpose()
	}
	first := make([]float64, len(c))
	adjoint[0].mulVec(first, c)
	p.reach, p.observe = krylov(p.powers, b), krylov(adjoint, first)

	padded := make([]float64, 2*chunk)
	p.kernel(padded[:chunk], c)
	p.spectrum = fourier.NewFFT(2*chunk).Coefficients(nil, padded)
	return p
}

// krylov returns (v, Av, A²v, …), one column each, by doubling: columns j…2j−1 are
// A^j times columns 0…j−1. An entry is the outcome of at most log2(chunk)
// products, not of chunk. For a diagonal A it is a Vandermonde matrix.
func krylov(powers []transition, v []float64) *mat.Dense {
	m := mat.NewDense(len(v), chunk, nil)
	m.SetCol(0, v)
	for i, j := 0, 1; j < chunk; i, j = i+1, 2*j {
		done := m.Slice(0, len(v), 0, j).(*mat.Dense)
		next := m.Slice(0, len(v), j, 2*j).(*mat.Dense)
		if a := powers[i].dense; a != nil {
			next.Mul(a, done)
			continue
		}
		for r, a := range powers[i].diag {
			rotate(next, done, 2*r, a)
		}
	}
	return m
}

// rotate multiplies rows r and r+1, the real and imaginary part of a mode, by a.
func rotate(dst, src *mat.Dense, r int, a complex128) {
	re, im := src.RawRowView(r), src.RawRowView(r+1)
	dstRe, dstIm := dst.RawRowView(r), dst.RawRowView(r+1)
	for k := range re {
		dstRe[k] = real(a)*re[k] - imag(a)*im[k]
		dstIm[k] = real(a)*im[k] + imag(a)*re[k]
	}
}

// kernel writes c Ā^k B̄ for k < len(dst) ≤ chunk.
func (p *plan) kernel(dst, c []float64) {
	blas64.Gemv(blas.Trans, 1, columns(p.reach, len(dst)), vector(c), 0, vector(dst))
}

// reduce writes the state after the events x, at most a chunk, from zero: the b of
// their element (Ā^len, b) in the scan. reversed is scratch of length chunk.
func (p *plan) reduce(dst, x, reversed []float64) {
	for i, v := range x {
		reversed[len(x)-1-i] = v
	}
	blas64.Gemv(blas.NoTrans, 1, columns(p.reach, len(x)), vector(reversed[:len(x)]), 0, vector(dst))
}

// advance applies the element (Ā^q, b) to the state h: dst = Ā^q h + b.
// q is 1 … chunk; scratch has the length of h.
func (p *plan) advance(dst, h, b, scratch []float64, q int) {
	copy(dst, h)
	for i, a := range p.powers {
		if q>>i&1 == 1 {
			a.mulVec(scratch, dst)
			copy(dst, scratch)
		}
	}
	for i, v := range b {
		dst[i] += v
	}
}

// respond adds to y, at most a chunk, what the state h before it causes.
func (p *plan) respond(y, h []float64) {
	blas64.Gemv(blas.Trans, 1, columns(p.observe, len(y)), vector(h), 1, vector(y))
}

// columns is a view of the first q columns.
func columns(m *mat.Dense, q int) blas64.General {
	g := m.RawMatrix()
	g.Cols = q
	return g
}

// Kernel returns the first l entries of the convolution kernel
// (C B̄, C Ā B̄, C Ā² B̄, …), without D.
func (d *Discrete) Kernel(l int) []float64 {
	p := d.plan()
	k := make([]float64, l)
	whole := p.powers[len(p.powers)-1].transpose()
	c, next := slices.Clone(d.c), make([]float64, d.Order())
	for at := 0; at < l; at += chunk {
		p.kernel(k[at:min(at+chunk, l)], c)
		whole.mulVec(next, c)
		c, next = next, c
	}
	return k
}
