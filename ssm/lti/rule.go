package lti

import (
	"fmt"
	"math"
	"math/cmplx"
)

// A Rule says how a continuous system becomes a recurrence with step Δ.
type Rule uint8

// The rules.
const (
	// ZOH (zero-order hold) is exact for an input that is constant within a step:
	// Ā = exp(ΔA), B̄ = A⁻¹(Ā − I)B.
	ZOH Rule = iota
	// Bilinear (Tustin, trapezoid) maps the left half plane onto the unit disc:
	// Ā = (I − Δ/2 A)⁻¹(I + Δ/2 A), B̄ = (I − Δ/2 A)⁻¹ΔB.
	Bilinear
	// Euler is Mamba's simplification of ZOH: Ā = exp(ΔA) but B̄ = ΔB.
	Euler
)

// String returns the rule's name in lower case.
func (r Rule) String() string {
	switch r {
	case ZOH:
		return "zoh"
	case Bilinear:
		return "bilinear"
	case Euler:
		return "euler"
	}
	return fmt.Sprintf("rule(%d)", uint8(r))
}

// scalar is the rule for one mode: with z = ΔA, Ā = alpha and B̄ = Δ·beta·B.
func (r Rule) scalar(z complex128) (alpha, beta complex128) {
	switch r {
	case ZOH:
		return cmplx.Exp(z), phi(z)
	case Bilinear:
		return (1 + z/2) / (1 - z/2), 1 / (1 - z/2)
	case Euler:
		return cmplx.Exp(z), 1
	}
	panic(badRule)
}

// derivative is d(alpha)/dz and d(beta)/dz of scalar.
func (r Rule) derivative(z complex128) (dAlpha, dBeta complex128) {
	switch r {
	case ZOH:
		return cmplx.Exp(z), dPhi(z)
	case Bilinear:
		q := 1 / (1 - z/2)
		return q * q, q * q / 2
	case Euler:
		return cmplx.Exp(z), 0
	}
	panic(badRule)
}

// phi is (eᶻ − 1)/z, 1 at z = 0, without the cancellation of eᶻ − 1.
func phi(z complex128) complex128 {
	if z == 0 {
		return 1
	}
	x, y := real(z), imag(z)
	s := math.Sin(y / 2)
	// eˣcos y − 1 = (eˣ − 1)cos y − 2 sin²(y/2)
	re := math.Expm1(x)*math.Cos(y) - 2*s*s
	return complex(re, math.Exp(x)*math.Sin(y)) / z
}

// dPhi is the derivative of phi, (eᶻ − phi(z))/z. The quotient loses a digit for
// each digit that z is small by, so within |z| < 1 the series Σ (k+1)zᵏ/(k+2)!
// stands for it; its 20th term is below 1e-19.
func dPhi(z complex128) complex128 {
	if cmplx.Abs(z) >= 1 {
		return (cmplx.Exp(z) - phi(z)) / z
	}
	sum, term := complex128(0), complex(0.5, 0) // term: zᵏ/(k+2)!
	for k := range 20 {
		sum += complex(float64(k+1), 0) * term
		term *= z / complex(float64(k+3), 0)
	}
	return sum
}
