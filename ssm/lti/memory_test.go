package lti

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// The O(n) step of Memory is the bilinear rule with the A and B of LegS.
func TestMemoryIsLegSInLogTime(t *testing.T) {
	const n = 12
	m := NewMemory(n)
	a, b := LegS(n)
	sys := &System{A: a, B: b, C: make([]float64, n)}
	x := normal(newRand(1), 60)
	m.Push(x[0])
	want := &State{H: m.Coefficients(), next: make([]float64, n)}
	for k := 1; k < len(x); k++ {
		m.Push(x[k])
		d := discretize(t, sys, Bilinear, math.Log(float64(k+1)/float64(k)))
		d.Step(want, x[k])
		wantClose(t, "coefficients", m.Coefficients(), want.H, 1e-12)
	}
}

func TestMemoryOfAConstantIsExact(t *testing.T) {
	m := NewMemory(20)
	for range 1000 {
		m.Push(2.5)
	}
	for _, u := range []float64{0, 0.1, 0.5, 1} {
		if got := m.At(u); math.Abs(got-2.5) > 1e-11 {
			t.Errorf("At(%v) = %v, want 2.5", u, got)
		}
	}
}

// Runge's function is analytic out to the ellipse ρ = (1+√26)/5, so the error must
// fall by ρ⁻⁸ with every eight states more.
func TestMemoryOfASmoothPastFallsGeometrically(t *testing.T) {
	runge := func(u float64) float64 { z := 2*u - 1; return 1 / (1 + 25*z*z) }
	want := math.Pow((1+math.Sqrt(26))/5, -8)
	before := recallError(8, 10_000, runge)
	for n := 16; n <= 48; n += 8 {
		now := recallError(n, 10_000, runge)
		if ratio := now / before; math.Abs(ratio/want-1) > 0.05 {
			t.Errorf("n = %d: error %.3g is %.4f of that of n−8, theory says %.4f", n, now, ratio, want)
		}
		before = now
	}
}

// A kink makes Legendre coefficients fall as k^(−2), and the mean square of those
// left out as n^(−3): every doubling of n divides the error by 2^1.5.
func TestMemoryOfAKinkFallsAlgebraically(t *testing.T) {
	kink := func(u float64) float64 { return math.Abs(u - 0.6) }
	rate := math.Log2(recallError(16, 10_000, kink)/recallError(128, 10_000, kink)) / 3
	if math.Abs(rate-1.5) > 0.1 {
		t.Errorf("error falls as n^−%.3f, theory says 1.5", rate)
	}
}

// recallError returns the root mean square error of a memory of n numbers after
// events samples of f over [0, 1].
func recallError(n, events int, f func(u float64) float64) float64 {
	m := NewMemory(n)
	for k := range events {
		m.Push(f((float64(k) + 0.5) / float64(events)))
	}
	var sum float64
	for k := range events {
		u := (float64(k) + 0.5) / float64(events)
		sum += math.Pow(m.At(u)-f(u), 2)
	}
	return math.Sqrt(sum / float64(events))
}

// With the same number of states, HiPPO's fixed polynomials recall the past better
// than the best linear read-out of a random stable system or of a bank of
// leaky integrators, and not much worse than the best linear memory there is.
func TestHiPPORemembersBetterThanExponentials(t *testing.T) {
	past := newEnsemble()
	for _, n := range []int{8, 16, 32, 64} {
		hippo := past.error(past.hippo(n))
		random := past.error(past.randomSystem(t, n))
		leaky := past.error(past.leaky(t, n))
		best := past.best(n)
		t.Logf("n = %d: best possible %.4f, hippo %.4f, random %.4f, leaky %.4f", n, best, hippo, random, leaky)
		if !(hippo < random && hippo < leaky) {
			t.Errorf("n = %d: error of HiPPO %.4f, of a random A %.4f, of leaky integrators %.4f", n, hippo, random, leaky)
		}
		if !(best <= hippo && hippo < 1.5*best) {
			t.Errorf("n = %d: error of HiPPO %.4f, of the best linear memory %.4f", n, hippo, best)
		}
	}
}

// An ensemble is a Gaussian process on [0, 1]: the sum of its columns with
// independent standard normal weights. Errors over it are expectations, in closed
// form: no training set, no test set.
type ensemble struct{ *mat.Dense } // (pastLen, columns)

const pastLen = 512 // events

// newEnsemble returns a process of sines and cosines that are not periodic on the
// past, with amplitudes falling as frequency^(−3/2): rough, but not noise.
func newEnsemble() ensemble {
	const waves = 120
	e := ensemble{mat.NewDense(pastLen, 2*waves, nil)}
	for k := range pastLen {
		u := (float64(k) + 0.5) / pastLen
		for m := range waves {
			f := float64(m + 1)
			amp := math.Pow(f, -1.5)
			e.Set(k, 2*m, amp*math.Cos(math.Pi*f*u))
			e.Set(k, 2*m+1, amp*math.Sin(math.Pi*f*u))
		}
	}
	return e
}

// error returns the root of the expected squared error of a recall (same shape as
// the ensemble), relative to the signal.
func (e ensemble) error(recalled *mat.Dense) float64 {
	var diff mat.Dense
	diff.Sub(recalled, e.Dense)
	return mat.Norm(&diff, 2) / mat.Norm(e.Dense, 2) // Frobenius
}

// hippo recalls every column by its Legendre polynomials. Nothing is fitted.
func (e ensemble) hippo(n int) *mat.Dense {
	_, cols := e.Dims()
	out := mat.NewDense(pastLen, cols, nil)
	for j := range cols {
		m := NewMemory(n)
		for _, x := range mat.Col(nil, j, e) {
			m.Push(x)
		}
		for k := range pastLen {
			out.Set(k, j, m.At((float64(k)+0.5)/pastLen))
		}
	}
	return out
}

// randomSystem recalls by the best read-out of a random stable system, at the best of
// several time scales for it.
func (e ensemble) randomSystem(t testing.TB, n int) *mat.Dense {
	var best *mat.Dense
	for _, span := range []float64{2, 8, 32, 128} { // time units in the past
		d := discretize(t, randomSystem(newRand(21), n), ZOH, span/pastLen)
		if r := e.readOut(d); best == nil || e.error(r) < e.error(best) {
			best = r
		}
	}
	return best
}

// leaky recalls by the best read-out of integrators with time constants from 1
// event to twice the past, equally spaced in the logarithm.
func (e ensemble) leaky(t testing.TB, n int) *mat.Dense {
	bank := S4DReal(n)
	for i := range bank.A {
		tau := math.Pow(2*pastLen, float64(i+1)/float64(n))
		bank.A[i], bank.B[i] = complex(-1/tau, 0), complex(1/tau, 0)
	}
	return e.readOut(discretize(t, bank, ZOH, 1))
}

// readOut recalls by the linear function of the last state that has the least
// expected error. The state is known to a relative 1e-7, the precision of the
// float32 it is kept in: directions in state space below that are not used.
func (e ensemble) readOut(d *Discrete) *mat.Dense {
	_, cols := e.Dims()
	// The state after the past x is Σ Ā^j B̄ x_{last−j}.
	reach, reversed := d.plan().reach, mat.NewDense(pastLen, cols, nil)
	for k := range pastLen {
		reversed.SetRow(pastLen-1-k, e.RawRowView(k))
	}
	var states mat.Dense
	states.Mul(reach.Slice(0, d.Order(), 0, pastLen), reversed)
	for i := range d.Order() { // every state on its own scale
		row := states.RawRowView(i)
		if norm := mat.Norm(mat.NewVecDense(cols, row), 2); norm > 0 {
			for j := range row {
				row[j] /= norm
			}
		}
	}
	var svd mat.SVD
	svd.Factorize(&states, mat.SVDThin)
	rank := svd.Rank(1e-7)
	var v mat.Dense
	svd.VTo(&v)
	seen := v.Slice(0, cols, 0, rank) // what of the ensemble reaches the state
	var in, out mat.Dense
	in.Mul(e, seen)
	out.Mul(&in, seen.T())
	return &out
}

// best is the error of the best n linear functions of the past: its principal
// components.
func (e ensemble) best(n int) float64 {
	var svd mat.SVD
	svd.Factorize(e.Dense, mat.SVDNone)
	var all, left float64
	for i, s := range svd.Values(nil) {
		all += s * s
		if i >= n {
			left += s * s
		}
	}
	return math.Sqrt(left / all)
}
