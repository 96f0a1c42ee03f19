package lti

import "fmt"

// A Diagonal is a continuous system whose A is diagonal. Mode i is the scalar
// system with A[i], B[i] and C[i]; the output is the sum of the modes,
//
//	y = Re Σ C[i] h[i] + D x            Pairs false
//	y = 2 Re Σ C[i] h[i] + D x          Pairs true
//
// With Pairs every mode also stands for its complex conjugate, so len(A) modes
// are a real system of order 2·len(A) ([Gu22b]). Without, A, B and
// C are usually real. The fields are the system's parameters.
type Diagonal struct {
	A, B, C []complex128 // (modes)
	D       float64      // skip
	Pairs   bool
}

// Discretize returns the recurrence of s with step dt; see [System.Discretize].
// The state of the result holds the modes as (real, imaginary) pairs.
func (s *Diagonal) Discretize(rule Rule, dt float64) (*Discrete, error) {
	modes := s.modes()
	fail := func(err error) (*Discrete, error) {
		return nil, fmt.Errorf("discretize %d modes by %v with step %v: %w", modes, rule, dt, err)
	}
	if err := checkStep(dt); err != nil {
		return fail(err)
	}
	if !finite(realForm(s.A)) || !finite(realForm(s.B)) || !finite(realForm(s.C)) || !finite([]float64{s.D}) {
		return fail(errNotFinite)
	}
	a, b, c := make([]complex128, modes), make([]complex128, modes), make([]complex128, modes)
	for i := range a {
		alpha, beta := rule.scalar(complex(dt, 0) * s.A[i])
		a[i], b[i] = alpha, complex(dt, 0)*beta*s.B[i]
		// Re(Ch) is the dot product of (Re C, −Im C) and (Re h, Im h).
		c[i] = complex(s.weight()*real(s.C[i]), -s.weight()*imag(s.C[i]))
	}
	if !finite(realForm(a)) || !finite(realForm(b)) {
		return fail(errOverflow)
	}
	return newDiscrete(transition{diag: a}, realForm(b), realForm(c), s.D), nil
}

// weight is how often a mode counts in the output.
func (s *Diagonal) weight() float64 {
	if s.Pairs {
		return 2
	}
	return 1
}

// modes checks the shapes and returns the number of stored modes.
func (s *Diagonal) modes() int {
	switch {
	case len(s.A) == 0:
		panic(badA)
	case len(s.B) != len(s.A):
		panic(badB)
	case len(s.C) != len(s.A):
		panic(badC)
	}
	return len(s.A)
}

// realForm lays complex numbers out as (real, imaginary) pairs.
func realForm(z []complex128) []float64 {
	v := make([]float64, 0, 2*len(z))
	for _, c := range z {
		v = append(v, real(c), imag(c))
	}
	return v
}
