package baseline

import (
	"math/cmplx"

	"github.com/weirstream/weir/ssm/internal/kernel"
	"github.com/weirstream/weir/ssm/internal/layer"
)

func (s *s4d) backward(grad *blockParams, dx, dy []float32, rows int) {
	d, modes, wide := s.w.d, s.w.modes, kernel.Pad(s.w.d)
	s.gateBack(dy, rows)
	s.dw, s.dwB = layer.Grow(s.dw, 2*wide*d), layer.Grow(s.dwB, 2*wide)
	clear(s.dw)
	clear(s.dwB)
	s.outer.Add(s.dw, s.dwB, s.dLin, 2*wide, 2*wide, s.act, wide, d, rows)
	addUnpadded(grad.s4d.out, s.dw, 2, d, d)
	addUnpadded(grad.s4d.outBias, s.dwB, 2, d, 1)
	s.dAct = layer.Grow(s.dAct, rows*wide)
	s.w.out.Pull(s.dAct, wide, s.dLin, 2*wide, rows, false)
	for i, v := range s.y {
		_, slope := layer.SiLUSlope(v)
		s.dAct[i] *= slope
	}
	s.h = layer.Grow(s.h, (rows+1)*2*modes)
	for _, p := range []*[]float32{&s.dA, &s.dB, &s.lambda, &s.c} {
		*p = layer.Grow(*p, 2*modes)
	}
	clear(dx[:rows*wide])
	for c := range d {
		s.states(c, rows)
		s.scanBack(&grad.s4d, c, dx, rows)
		s.chain(&grad.s4d, c)
	}
}

// gateBack computes s.dLin, the gradients of the gated linear unit's value and gate.
func (s *s4d) gateBack(dy []float32, rows int) {
	wide := kernel.Pad(s.w.d)
	s.dLin = layer.Grow(s.dLin, rows*2*wide)
	for t := range rows {
		value, gate := s.lin[2*t*wide:][:wide], s.lin[(2*t+1)*wide:][:wide]
		dValue, dGate := s.dLin[2*t*wide:][:wide], s.dLin[(2*t+1)*wide:][:wide]
		for i, g := range dy[t*wide:][:wide] {
			open := layer.Sigmoid(gate[i])
			dValue[i], dGate[i] = g*open, g*value[i]*open*(1-open)
		}
	}
}

// states computes again the states of channel c, before each row and after the last.
func (s *s4d) states(c, rows int) {
	w, m, wide := s.w, s.w.modes, kernel.Pad(s.w.d)
	aRe, aIm, bRe, bIm := w.aRe[c*m:][:m], w.aIm[c*m:][:m], w.bRe[c*m:][:m], w.bIm[c*m:][:m]
	clear(s.h[:2*m])
	for t := range rows {
		x := s.x[t*wide+c]
		re, im := s.h[2*t*m:][:m], s.h[(2*t+1)*m:][:m]
		nextRe, nextIm := s.h[2*(t+1)*m:][:m], s.h[(2*t+3)*m:][:m]
		for i := range m {
			nextRe[i] = aRe[i]*re[i] - aIm[i]*im[i] + bRe[i]*x
			nextIm[i] = aRe[i]*im[i] + aIm[i]*re[i] + bIm[i]*x
		}
	}
}

// scanBack goes from the last row of channel c to the first. With λ_t the gradient of
// the state after row t, as ∂/∂Re + i ∂/∂Im:
//
//	λ_t = 2 conj(C) dy_t + conj(Ā) λ_{t+1}
//	dĀ = Σ λ_t conj(h_{t−1}),  dB̄ = Σ λ_t x_t,  dx_t = Re(λ_t conj(B̄)) summed over modes
func (s *s4d) scanBack(grad *s4dParams, c int, dx []float32, rows int) {
	w, m, wide := s.w, s.w.modes, kernel.Pad(s.w.d)
	aRe, aIm, bRe, bIm := w.aRe[c*m:][:m], w.aIm[c*m:][:m], w.bRe[c*m:][:m], w.bIm[c*m:][:m]
	cRe, cIm := w.cRe[c*m:][:m], w.cIm[c*m:][:m]
	dARe, dAIm, dBRe, dBIm := s.dA[:m], s.dA[m:][:m], s.dB[:m], s.dB[m:][:m]
	lRe, lIm, dCRe, dCIm := s.lambda[:m], s.lambda[m:][:m], s.c[:m], s.c[m:][:m]
	for _, p := range [][]float32{s.dA, s.dB, s.lambda, s.c} {
		clear(p)
	}
	for t := rows - 1; t >= 0; t-- {
		x, dy := s.x[t*wide+c], s.dAct[t*wide+c]
		re, im := s.h[2*t*m:][:m], s.h[(2*t+1)*m:][:m]
		afterRe, afterIm := s.h[2*(t+1)*m:][:m], s.h[(2*t+3)*m:][:m]
		sum := w.skip[c] * dy
		grad.skip[c] += dy * x
		for i := range m {
			dCRe[i] += dy * afterRe[i]
			dCIm[i] -= dy * afterIm[i]
			l, k := lRe[i]+dy*cRe[i], lIm[i]-dy*cIm[i]
			dARe[i] += l*re[i] + k*im[i]
			dAIm[i] += k*re[i] - l*im[i]
			dBRe[i] += l * x
			dBIm[i] += k * x
			sum += l*bRe[i] + k*bIm[i]
			lRe[i], lIm[i] = l*aRe[i]+k*aIm[i], k*aRe[i]-l*aIm[i]
		}
		dx[t*wide+c] = sum
	}
}

// chain carries what scanBack found of channel c over to the parameters. With
// Ā = exp(ΔA) and B̄ = (Ā − 1)/A:
//
//	∂Ā/∂A = ΔĀ,  ∂B̄/∂A = (ΔĀ − B̄)/A,  ∂Ā/∂Δ = AĀ,  ∂B̄/∂Δ = Ā
func (s *s4d) chain(grad *s4dParams, c int) {
	w, m := s.w, s.w.modes
	dt := complex(w.dt[c], 0)
	for i := range m {
		at := c*m + i
		a := w.continuous[at]
		bar := cmplx.Exp(a * dt)
		b := (bar - 1) / a
		dBar, dB := complex(float64(s.dA[i]), float64(s.dA[m+i])), complex(float64(s.dB[i]), float64(s.dB[m+i]))
		dA := dBar*cmplx.Conj(dt*bar) + dB*cmplx.Conj((dt*bar-b)/a)
		grad.aLog[at] += float32(real(dA) * real(a)) // real(A) = −exp(aLog)
		grad.aImag[at] += float32(imag(dA))
		grad.cReal[at] += 2 * s.c[i]
		grad.cImag[at] += 2 * s.c[m+i]
		dDt := real(dBar*cmplx.Conj(a*bar)) + real(dB*cmplx.Conj(bar))
		grad.logDt[c] += float32(dDt * w.dt[c])
	}
}
