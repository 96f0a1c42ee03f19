package lti

import (
	"slices"
	"sync"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// A Discrete is a system after discretisation, h_k = Ā h_{k-1} + B̄ x_k,
// y_k = C h_k + D x_k. It does not change when it is run and may be used by many
// goroutines at once, each with its own State.
type Discrete struct {
	// Exact makes Run give the bits that Step gives, event by event, at
	// the price of the recurrent form's speed.
	Exact bool

	a    transition
	b, c []float64 // (n)
	d    float64
	plan func() *plan // made at the first use of a chunked form
}

// A State is all that a Discrete remembers of the events so far. It is of fixed
// size and belongs to one goroutine at a time.
type State struct {
	// H is the state vector (n). For a Diagonal system it holds (real, imaginary)
	// pairs, so n is twice the number of modes. It may be read, stored, and
	// written back.
	H    []float64
	next []float64 // scratch for one step
}

func newDiscrete(a transition, b, c []float64, d float64) *Discrete {
	s := &Discrete{a: a, b: b, c: c, d: d}
	s.plan = sync.OnceValue(func() *plan { return newPlan(a, b, c) })
	return s
}

// Order returns n, the number of float64 values in a State.
func (d *Discrete) Order() int { return len(d.b) }

// NewState returns the state before the first event.
func (d *Discrete) NewState() *State {
	return &State{H: make([]float64, d.Order()), next: make([]float64, d.Order())}
}

// Matrices returns copies of Ā (n, n), B̄ (n), C (n) and D in real form: a complex
// mode λ is the block [[Re λ, −Im λ], [Im λ, Re λ]] on the diagonal.
func (d *Discrete) Matrices() (a *mat.Dense, b, c []float64, skip float64) {
	a = d.a.matrix()
	return a, slices.Clone(d.b), slices.Clone(d.c), d.d
}

// Step advances s by one event and returns the output. It takes the same time
// whatever came before, and allocates nothing.
func (d *Discrete) Step(s *State, x float64) float64 {
	d.checkState(s)
	return d.step(s, x)
}

func (d *Discrete) step(s *State, x float64) float64 {
	d.a.mulVec(s.next, s.H)
	for i, b := range d.b {
		s.next[i] += b * x
	}
	s.H, s.next = s.next, s.H
	y := d.d * x
	for i, c := range d.c {
		y += c * s.H[i]
	}
	return y
}

// Recur is Step for each x in turn: dst[k] is the output for x[k], and s the
// state after the last. dst may be x.
func (d *Discrete) Recur(dst []float64, s *State, x []float64) {
	d.check(dst, s, x)
	for k, v := range x {
		dst[k] = d.step(s, v)
	}
}

func (d *Discrete) check(dst []float64, s *State, x []float64) {
	d.checkState(s)
	if len(dst) != len(x) {
		panic(badDst)
	}
}

func (d *Discrete) checkState(s *State) {
	if len(s.H) != d.Order() || len(s.next) != d.Order() {
		panic(badState)
	}
}

// A transition is Ā or a power of it: dense, or diagonal over complex modes that
// act on (real, imaginary) pairs. One of the two is set.
type transition struct {
	dense *mat.Dense   // (n, n)
	diag  []complex128 // (n/2)
}

// mulVec is dst = t·h. dst must not be h.
func (t transition) mulVec(dst, h []float64) {
	if t.dense != nil {
		blas64.Gemv(blas.NoTrans, 1, t.dense.RawMatrix(), vector(h), 0, vector(dst))
		return
	}
	for i, a := range t.diag {
		re, im := h[2*i], h[2*i+1]
		dst[2*i] = real(a)*re - imag(a)*im
		dst[2*i+1] = real(a)*im + imag(a)*re
	}
}

// square returns t·t.
func (t transition) square() transition {
	if t.dense != nil {
		var sq mat.Dense
		sq.Mul(t.dense, t.dense)
		return transition{dense: &sq}
	}
	sq := make([]complex128, len(t.diag))
	for i, a := range t.diag {
		sq[i] = a * a
	}
	return transition{diag: sq}
}

// transpose returns tᵀ of the real form, which conjugates the modes.
func (t transition) transpose() transition {
	if t.dense != nil {
		return transition{dense: mat.DenseCopyOf(t.dense.T())}
	}
	conj := make([]complex128, len(t.diag))
	for i, a := range t.diag {
		conj[i] = complex(real(a), -imag(a))
	}
	return transition{diag: conj}
}

// matrix returns the real form of t.
func (t transition) matrix() *mat.Dense {
	if t.dense != nil {
		return mat.DenseCopyOf(t.dense)
	}
	m := mat.NewDense(2*len(t.diag), 2*len(t.diag), nil)
	for i, a := range t.diag {
		m.Set(2*i, 2*i, real(a))
		m.Set(2*i, 2*i+1, -imag(a))
		m.Set(2*i+1, 2*i, imag(a))
		m.Set(2*i+1, 2*i+1, real(a))
	}
	return m
}

func vector(v []float64) blas64.Vector {
	return blas64.Vector{N: len(v), Data: v, Inc: 1}
}
