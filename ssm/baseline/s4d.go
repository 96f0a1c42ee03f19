package baseline

import (
	"math"
	"math/cmplx"

	"github.com/weirstream/weir/ssm/internal/kernel"
	"github.com/weirstream/weir/ssm/internal/layer"
)

// s4dParams are those of one S4D layer. Each channel c is a system of its own with
// modes m = d_state/2, each of which stands for a conjugate pair:
//
//	h' = A h + x,   y = 2 Re Σ C h + D x,   A = −exp(aLog) + i·aImag
//
// held for Δ = exp(logDt) (zero-order hold), the same for every event. The output is
// W silu(y) + b through a gated linear unit. The tensors of the system are
// one-dimensional, as weight decay is for matrices.
type s4dParams struct {
	aLog, aImag  []float32 // (d·modes)
	cReal, cImag []float32 // (d·modes)
	logDt, skip  []float32 // (d); skip is D
	out          []float32 // (2·d, d): value, then gate
	outBias      []float32 // (2·d)
}

// s4dWeights are the systems discretized, h = Ā h + B̄ x, and what leads back from
// there to the parameters.
type s4dWeights struct {
	d, modes   int
	aRe, aIm   []float32 // (d·modes): Ā
	bRe, bIm   []float32 // (d·modes): B̄
	cRe, cIm   []float32 // (d·modes): 2C
	skip       []float32 // (d)
	continuous []complex128
	dt         []float64 // (d)
	out        layer.Matrix
}

// An s4d is an S4D layer at work on one sequence.
type s4d struct {
	w         *s4dWeights
	x         []float32 // (rows, wide), as given to forward
	y, act    []float32 // (rows, wide): the systems' output, and SiLU of it
	lin       []float32 // (rows, 2·wide): value and gate
	h         []float32 // (d, 2·modes) the state; backward: (rows + 1, 2·modes) of one channel
	dLin      []float32 // (rows, 2·wide)
	dAct      []float32 // (rows, wide)
	dw, dwB   []float32 // of the padded matrix and its bias
	dA, dB    []float32 // (2·modes): of one channel's Ā and B̄
	lambda, c []float32 // (2·modes)
	outer     layer.Outer
}

func bindS4D(b *binder, name string, d, modes int) s4dParams {
	name += "s4d."
	return s4dParams{
		aLog: b.take(name+"A_log", d*modes), aImag: b.take(name+"A_imag", d*modes),
		cReal: b.take(name+"C_real", d*modes), cImag: b.take(name+"C_imag", d*modes),
		logDt: b.take(name+"log_dt", d), skip: b.take(name+"D", d),
		out: b.take(name+"out", 2*d, d), outBias: b.take(name+"out_bias", 2*d),
	}
}

func packS4D(p *s4dParams, d, modes int) *s4dWeights {
	n := d * modes
	slab := make([]float32, 6*n)
	part := func(i int) []float32 { return slab[i*n:][:n:n] }
	w := &s4dWeights{
		d: d, modes: modes, aRe: part(0), aIm: part(1), bRe: part(2), bIm: part(3), cRe: part(4), cIm: part(5),
		skip: append([]float32(nil), p.skip...), continuous: make([]complex128, n), dt: make([]float64, d),
		out: layer.NewMatrix(padRows(p.out, 2, d, d), padRows(p.outBias, 2, d, 1), 2*kernel.Pad(d), d),
	}
	for c := range d {
		w.dt[c] = math.Exp(float64(p.logDt[c]))
		for i := c * modes; i < (c+1)*modes; i++ {
			a := complex(-math.Exp(float64(p.aLog[i])), float64(p.aImag[i]))
			bar := cmplx.Exp(a * complex(w.dt[c], 0))
			b := (bar - 1) / a
			w.continuous[i] = a
			w.aRe[i], w.aIm[i] = float32(real(bar)), float32(imag(bar))
			w.bRe[i], w.bIm[i] = float32(real(b)), float32(imag(b))
			w.cRe[i], w.cIm[i] = 2*p.cReal[i], 2*p.cImag[i]
		}
	}
	return w
}

func (s *s4d) stateLen(n int) int {
	if n == 0 {
		return 0
	}
	return 2 * s.w.d * s.w.modes
}

func (s *s4d) forward(residual, x []float32, rows int, state *[]float32) {
	d, modes, wide := s.w.d, s.w.modes, kernel.Pad(s.w.d)
	s.x = x
	s.y, s.act = layer.Grow(s.y, rows*wide), layer.Grow(s.act, rows*wide)
	s.lin = layer.Grow(s.lin, rows*2*wide)
	s.h = layer.Grow(s.h, 2*d*modes)
	clear(s.h)
	copy(s.h, *state)
	clear(s.y)
	for c := range d {
		s.scan(c, s.h[2*c*modes:][:2*modes], rows)
	}
	*state = append((*state)[:0], s.h...)
	for i, v := range s.y {
		s.act[i], _ = layer.SiLUSlope(v)
	}
	s.w.out.Apply(s.lin, 2*wide, s.act, wide, rows, false)
	for t := range rows {
		value, gate := s.lin[2*t*wide:][:wide], s.lin[(2*t+1)*wide:][:wide]
		out := residual[t*wide:][:wide]
		for i, v := range value {
			out[i] += v * layer.Sigmoid(gate[i])
		}
	}
}

// scan runs channel c from the state h (2·modes: real parts, then imaginary ones).
func (s *s4d) scan(c int, h []float32, rows int) {
	w, m, wide := s.w, s.w.modes, kernel.Pad(s.w.d)
	aRe, aIm, bRe, bIm := w.aRe[c*m:][:m], w.aIm[c*m:][:m], w.bRe[c*m:][:m], w.bIm[c*m:][:m]
	cRe, cIm := w.cRe[c*m:][:m], w.cIm[c*m:][:m]
	re, im := h[:m], h[m:][:m]
	for t := range rows {
		x := s.x[t*wide+c]
		y := w.skip[c] * x
		for i := range m {
			re[i], im[i] = aRe[i]*re[i]-aIm[i]*im[i]+bRe[i]*x, aRe[i]*im[i]+aIm[i]*re[i]+bIm[i]*x
			y += cRe[i]*re[i] - cIm[i]*im[i]
		}
		s.y[t*wide+c] = y
	}
}
