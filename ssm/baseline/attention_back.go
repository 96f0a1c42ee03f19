package baseline

import (
	"github.com/weirstream/weir/ssm/internal/kernel"
	"github.com/weirstream/weir/ssm/internal/layer"
)

func (a *attention) backward(grad *blockParams, dx, dy []float32, rows int) {
	d, wide := a.w.d, kernel.Pad(a.w.d)
	a.outer.Add(grad.attn.out, nil, dy, wide, d, a.mix, wide, d, rows)
	a.dMix = layer.Grow(a.dMix, rows*wide)
	a.w.out.Pull(a.dMix, wide, dy, wide, rows, false)
	a.dqkv = layer.Grow(a.dqkv, rows*3*wide)
	clear(a.dqkv)
	cache := make([]float32, 0, a.stateLen(rows))
	for t := range rows {
		row := a.qkv[t*3*wide:]
		cache = append(append(cache, row[wide:][:d]...), row[2*wide:][:d]...)
	}
	for h := range a.w.heads {
		a.attendBack(h, rows, cache)
	}
	for t := range rows {
		row := a.dqkv[t*3*wide:]
		a.turn(row[:d], t, -1)
		a.turn(row[wide:][:d], t, -1)
	}
	a.dw = layer.Grow(a.dw, 3*wide*d)
	clear(a.dw)
	a.outer.Add(a.dw, nil, a.dqkv, 3*wide, 3*wide, a.x, wide, d, rows)
	addUnpadded(grad.attn.qkv, a.dw, 3, d, d)
	a.w.qkv.Pull(dx, wide, a.dqkv, 3*wide, rows, false)
}

// attendBack computes head h's part of a.dqkv, for turned queries and keys, from the
// gradient a.dMix of its output. With P the probabilities and dP = dO·Vᵀ:
//
//	dV = Pᵀ·dO,  dS = P ∘ (dP − Σ P ∘ dP)·scale,  dQ = dS·K,  dK = dSᵀ·Q
func (a *attention) attendBack(h, rows int, cache []float32) {
	size, wide, width := a.w.d/a.w.heads, kernel.Pad(a.w.d), kernel.Pad(rows)
	keys, vals := a.head(h, cache)
	a.dk, a.dv = layer.Grow(a.dk, rows*size), layer.Grow(a.dv, rows*size)
	clear(a.dk)
	clear(a.dv)
	for first := 0; first < rows; first += queryBlock {
		n := min(queryBlock, rows-first)
		query, dOut := a.qkv[first*3*wide+h*size:], a.dMix[first*wide+h*size:]
		a.probabilities(h, first, n, 0, &keys)
		a.outer.Add(a.dv, nil, a.scores, width, rows, dOut, wide, size, n)
		a.dp = layer.Grow(a.dp, n*width)
		vals.Apply(a.dp, width, dOut, wide, n, false)
		for t := range n {
			softmaxBack(a.dp[t*width:][:width], a.scores[t*width:][:width], a.scale())
		}
		a.outer.Add(a.dk, nil, a.dp, width, rows, query, 3*wide, size, n)
		a.part = layer.Grow(a.part, n*kernel.Pad(size))
		keys.Pull(a.part, kernel.Pad(size), a.dp, width, n, false)
		for t := range n {
			copy(a.dqkv[(first+t)*3*wide+h*size:][:size], a.part[t*kernel.Pad(size):])
		}
	}
	for t := range rows {
		copy(a.dqkv[t*3*wide+wide+h*size:][:size], a.dk[t*size:])
		copy(a.dqkv[t*3*wide+2*wide+h*size:][:size], a.dv[t*size:])
	}
}

// softmaxBack turns dp, the gradient of the probabilities p, into that of the scores.
func softmaxBack(dp, p []float32, scale float32) {
	mean := dot(dp, p)
	for i, v := range p {
		dp[i] = v * (dp[i] - mean) * scale
	}
}
