package lti

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// What a call with the wrong shapes panics with.
const (
	badA     = "lti: A is not a square matrix with at least one row"
	badB     = "lti: length of B differs from the order of A"
	badC     = "lti: length of C differs from the order of A"
	badDst   = "lti: length of dst differs from the length of x"
	badGrad  = "lti: length of gy differs from the length of x"
	badK     = "lti: kernel is shorter than x"
	badOdd   = "lti: number of states is not even"
	badOrder = "lti: number of states is below one"
	badRule  = "lti: unknown rule"
	badState = "lti: state belongs to a system of another order"
)

// A System is a continuous system h' = Ah + Bx, y = Ch + Dx with one input and one
// output. Its fields are its parameters.
type System struct {
	A *mat.Dense // (n, n)
	B []float64  // (n)
	C []float64  // (n)
	D float64    // skip
}

// Discretize returns the recurrence of s with step dt, a time in the unit that A
// is a rate in. It fails where dt is not a positive number, where a parameter
// is not finite, where exp(ΔA) overflows and, for Bilinear, where 2/Δ is an
// eigenvalue of A. It panics where the shapes of A, B and C do not fit.
func (s *System) Discretize(rule Rule, dt float64) (*Discrete, error) {
	n := s.order()
	a, b, err := s.discretize(rule, dt)
	if err != nil {
		return nil, fmt.Errorf("discretize order %d by %v with step %v: %w", n, rule, dt, err)
	}
	return newDiscrete(transition{dense: a}, b, slices.Clone(s.C), s.D), nil
}

// order checks the shapes and returns n.
func (s *System) order() int {
	if s.A == nil || s.A.IsEmpty() {
		panic(badA)
	}
	n, c := s.A.Dims()
	switch {
	case n != c:
		panic(badA)
	case len(s.B) != n:
		panic(badB)
	case len(s.C) != n:
		panic(badC)
	}
	return n
}

// discretize returns Ā (n, n) and B̄ (n).
func (s *System) discretize(rule Rule, dt float64) (*mat.Dense, []float64, error) {
	if err := checkStep(dt); err != nil {
		return nil, nil, err
	}
	if !finite(s.A.RawMatrix().Data) || !finite(s.B) || !finite(s.C) || !finite([]float64{s.D}) {
		return nil, nil, errNotFinite
	}
	var a *mat.Dense
	var b []float64
	switch rule {
	case ZOH:
		a, b = zoh(s.A, s.B, dt)
	case Bilinear:
		var err error
		if a, b, err = bilinear(s.A, s.B, dt); err != nil {
			return nil, nil, err
		}
	case Euler:
		a, b = euler(s.A, s.B, dt)
	default:
		panic(badRule)
	}
	if !finite(a.RawMatrix().Data) || !finite(b) {
		return nil, nil, errOverflow
	}
	return a, b, nil
}

var (
	errNotFinite = errors.New("a parameter is not finite; look for a diverged training run")
	errOverflow  = errors.New("the step overflows; take a smaller step, or an A whose modes decay")
)

func checkStep(dt float64) error {
	if !(dt > 0) || math.IsInf(dt, 1) {
		return errors.New("the step must be a positive number")
	}
	return nil
}

// bilinear solves (I − Δ/2 A) [Ā | B̄] = [I + Δ/2 A | ΔB] once for both.
func bilinear(a *mat.Dense, b []float64, dt float64) (*mat.Dense, []float64, error) {
	n := len(b)
	left, right := mat.NewDense(n, n, nil), mat.NewDense(n, n+1, nil)
	left.Scale(-dt/2, a)
	right.Slice(0, n, 0, n).(*mat.Dense).Scale(dt/2, a)
	for i, v := range b {
		left.Set(i, i, left.At(i, i)+1)
		right.Set(i, i, right.At(i, i)+1)
		right.Set(i, n, dt*v)
	}
	var sol mat.Dense
	var cond mat.Condition
	if err := sol.Solve(left, right); errors.As(err, &cond) && math.IsInf(float64(cond), 1) {
		return nil, nil, errors.New("singular matrix I − Δ/2·A: take another step")
	}
	return mat.DenseCopyOf(sol.Slice(0, n, 0, n)), mat.Col(nil, n, &sol), nil
}

func finite(v []float64) bool {
	for _, f := range v {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return false
		}
	}
	return true
}
