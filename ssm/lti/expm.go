package lti

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// zoh reads Ā and B̄ off the exponential of Δ[[A, B], [0, 0]]. B enters divided by
// a power of two that brings it to the size of A: B̄ is linear in B, and a large B
// would only make the exponential take needless squarings.
func zoh(a *mat.Dense, b []float64, dt float64) (*mat.Dense, []float64) {
	n := len(b)
	scale := 1.0
	if top := mat.Norm(mat.NewVecDense(n, b), 1); top > 0 {
		_, e := math.Frexp(top / math.Max(mat.Norm(a, 1), math.SmallestNonzeroFloat64))
		scale = math.Ldexp(1, min(max(e, 0), 1000))
	}
	block := mat.NewDense(n+1, n+1, nil)
	block.Slice(0, n, 0, n).(*mat.Dense).Scale(dt, a)
	for i, v := range b {
		block.Set(i, n, dt*(v/scale))
	}
	e := expm1(block)
	zb := mat.Col(nil, n, e)[:n]
	for i := range zb {
		zb[i] *= scale
	}
	za := mat.DenseCopyOf(e.Slice(0, n, 0, n))
	addIdentity(za)
	return za, zb
}

func euler(a *mat.Dense, b []float64, dt float64) (*mat.Dense, []float64) {
	var scaled mat.Dense
	scaled.Scale(dt, a)
	e := expm1(&scaled)
	addIdentity(e)
	eb := make([]float64, len(b))
	for i, v := range b {
		eb[i] = dt * v
	}
	return e, eb
}

// expm1 returns exp(m) − I by scaling and squaring. It squares E = X − I,
//
//	(I + E)² − I = 2E + E²
//
// and not X. In a stiff system the scaling for the fastest mode brings the slow
// ones so near to I that X would keep few of their digits: with rates 1 and 10¹²
// mat.Dense.Exp is left with five, this with fourteen.
func expm1(m *mat.Dense) *mat.Dense {
	// 0.5¹⁶/16! is below the last bit of the sum.
	const terms = 15
	_, squarings := math.Frexp(2 * mat.Norm(m, 1))
	squarings = max(squarings, 0)
	var scaled, sum, next mat.Dense
	scaled.Scale(math.Ldexp(1, -squarings), m)
	sum.CloneFrom(&scaled)
	for k := terms; k > 1; k-- { // sum = M(I + M/2(I + M/3(…)))
		sum.Scale(1/float64(k), &sum)
		addIdentity(&sum)
		next.Mul(&scaled, &sum)
		sum.Copy(&next)
	}
	for range squarings {
		next.Mul(&sum, &sum)
		sum.Scale(2, &sum)
		sum.Add(&sum, &next)
	}
	return &sum
}

func addIdentity(m *mat.Dense) {
	n, _ := m.Dims()
	for i := range n {
		m.Set(i, i, m.At(i, i)+1)
	}
}
