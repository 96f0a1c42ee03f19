package lti

// A Gradient holds the derivatives of a scalar loss with respect to what
// [Diagonal.Backward] was given. That of a complex parameter is
// ∂/∂Re + i ∂/∂Im, the direction of steepest ascent.
type Gradient struct {
	A, B, C []complex128 // (modes)
	D       float64
	Dt      float64
	X       []float64 // (l)
	H       []float64 // of the state before the first event, (n)
}

// Backward returns the gradient of a loss whose derivative with respect to the
// outputs is gy (l), where the outputs are those of s discretised by rule with
// step dt and run over x (l) from state h (n).
//
// States are recomputed mode by mode, so the memory is O(l) and not O(l·n).
// Writing λ_k for the derivative with respect to h_k, weighted w = 1 or 2,
//
//	λ_k = w conj(C) gy_k + conj(Ā) λ_{k+1}
//
// from the last event to the first, and every parameter's derivative is a sum
// over k of λ_k or gy_k times what the parameter multiplied.
func (s *Diagonal) Backward(rule Rule, dt float64, h *State, x, gy []float64) *Gradient {
	modes := s.modes()
	if len(gy) != len(x) {
		panic(badGrad)
	}
	if len(h.H) != 2*modes {
		panic(badState)
	}
	g := &Gradient{
		A: make([]complex128, modes), B: make([]complex128, modes), C: make([]complex128, modes),
		X: make([]float64, len(x)), H: make([]float64, 2*modes),
	}
	for k, v := range gy {
		g.D += v * x[k]
		g.X[k] = v * s.D
	}
	hist := make([]complex128, len(x)+1) // hist[k]: the mode's state before event k
	for i := range s.A {
		z := complex(dt, 0) * s.A[i]
		alpha, beta := rule.scalar(z)
		b := complex(dt, 0) * beta * s.B[i]
		hist[0] = complex(h.H[2*i], h.H[2*i+1])
		for k, v := range x {
			hist[k+1] = alpha*hist[k] + b*complex(v, 0)
		}
		gAlpha, gB := s.sweep(g, i, alpha, b, hist, x, gy)
		g.chain(s, i, rule, dt, gAlpha, gB)
	}
	return g
}

// sweep goes back over the events of mode i: it adds to the derivatives of C, x
// and h and returns those of Ā and B̄.
func (s *Diagonal) sweep(g *Gradient, i int, alpha, b complex128, hist []complex128, x, gy []float64) (gAlpha, gB complex128) {
	var lambda complex128 // conj(Ā) λ_{k+1}
	for k := len(x) - 1; k >= 0; k-- {
		w := complex(s.weight()*gy[k], 0)
		g.C[i] += w * conj(hist[k+1])
		lambda += w * conj(s.C[i])
		gAlpha += lambda * conj(hist[k])
		gB += lambda * complex(x[k], 0)
		g.X[k] += real(lambda * conj(b))
		lambda *= conj(alpha)
	}
	g.H[2*i], g.H[2*i+1] = real(lambda), imag(lambda)
	return gAlpha, gB
}

// chain carries the derivatives of Ā = α(z) and B̄ = Δ β(z) B, z = ΔA, over to A, B
// and Δ.
func (g *Gradient) chain(s *Diagonal, i int, rule Rule, dt float64, gAlpha, gB complex128) {
	step := complex(dt, 0)
	z := step * s.A[i]
	_, beta := rule.scalar(z)
	dAlpha, dBeta := rule.derivative(z)
	gz := gAlpha*conj(dAlpha) + gB*conj(step*dBeta*s.B[i])
	g.B[i] = gB * conj(step*beta)
	g.A[i] = gz * step
	g.Dt += real(gz*conj(s.A[i])) + real(gB*conj(beta*s.B[i]))
}

func conj(z complex128) complex128 { return complex(real(z), -imag(z)) }
