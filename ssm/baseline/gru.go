package baseline

import (
	"github.com/weirstream/weir/ssm/internal/kernel"
	"github.com/weirstream/weir/ssm/internal/layer"
)

// gruParams are those of one GRU layer; the three gates are reset, update, new:
//
//	r = σ(W_r x + b_r + U_r h)
//	z = σ(W_z x + b_z + U_z h)
//	n = tanh(W_n x + b_n + r ∘ (U_n h + c_n))
//	h = (1 − z) ∘ n + z ∘ h,   y = h
type gruParams struct {
	input     []float32 // (3·d, d): W
	inputBias []float32 // (3·d): b
	state     []float32 // (3·d, d): U
	newBias   []float32 // (d): c_n
}

// gruWeights have each gate padded to whole lanes.
type gruWeights struct {
	d            int
	input, state layer.Matrix // (3·wide, d)
}

// A gru is a GRU layer at work on one sequence.
type gru struct {
	w       *gruWeights
	x       []float32 // (rows, wide), as given to forward
	gates   []float32 // (rows, 3·wide): r, z, n
	hn      []float32 // (rows, wide): U_n h + c_n
	h       []float32 // (rows + 1, wide): the state before each row, and after the last
	pre     []float32 // (3·wide): U h of one row
	dGates  []float32 // (rows, 3·wide): gradient before the gates' functions, as W x sees it
	dState  []float32 // (rows, 3·wide): the same as U h sees it
	dh      []float32 // (wide)
	dw, dwB []float32 // of a padded matrix and its bias
	outer   layer.Outer
}

func bindGRU(b *binder, name string, d int) gruParams {
	return gruParams{
		input: b.take(name+"gru.input", 3*d, d), inputBias: b.take(name+"gru.input_bias", 3*d),
		state: b.take(name+"gru.state", 3*d, d), newBias: b.take(name+"gru.new_bias", d),
	}
}

func packGRU(p *gruParams, d int) *gruWeights {
	wide := kernel.Pad(d)
	newBias := make([]float32, 3*wide)
	copy(newBias[2*wide:], p.newBias)
	return &gruWeights{
		d,
		layer.NewMatrix(padRows(p.input, 3, d, d), padRows(p.inputBias, 3, d, 1), 3*wide, d),
		layer.NewMatrix(padRows(p.state, 3, d, d), newBias, 3*wide, d),
	}
}

func (g *gru) stateLen(n int) int {
	if n == 0 {
		return 0
	}
	return g.w.d
}

func (g *gru) forward(residual, x []float32, rows int, state *[]float32) {
	wide := kernel.Pad(g.w.d)
	g.x = x
	g.gates, g.hn = layer.Grow(g.gates, rows*3*wide), layer.Grow(g.hn, rows*wide)
	g.h, g.pre = layer.Grow(g.h, (rows+1)*wide), layer.Grow(g.pre, 3*wide)
	clear(g.h[:wide])
	copy(g.h, *state)
	g.w.input.Apply(g.gates, 3*wide, x, wide, rows, false)
	for t := range rows {
		before, after := g.h[t*wide:][:wide], g.h[(t+1)*wide:][:wide]
		g.w.state.Apply(g.pre, 3*wide, before, wide, 1, false)
		g.step(after, before, g.gates[t*3*wide:][:3*wide], g.hn[t*wide:][:wide])
	}
	layer.AddTo(residual[:rows*wide], g.h[wide:])
	*state = append((*state)[:0], g.h[rows*wide:][:g.w.d]...)
}

// step computes the state after one row, from W x + b in gates and U h in g.pre; it
// leaves the gates in gates.
func (g *gru) step(after, before, gates, hn []float32) {
	wide := len(before)
	r, z, n := gates[:wide], gates[wide:][:wide], gates[2*wide:][:wide]
	preR, preZ, preN := g.pre[:wide], g.pre[wide:][:wide], g.pre[2*wide:][:wide]
	copy(hn, preN)
	for i, h := range before {
		r[i] = layer.Sigmoid(r[i] + preR[i])
		z[i] = layer.Sigmoid(z[i] + preZ[i])
		n[i] = 2*layer.Sigmoid(2*(n[i]+r[i]*preN[i])) - 1 // tanh
		after[i] = (1-z[i])*n[i] + z[i]*h
	}
}

func (g *gru) backward(grad *blockParams, dx, dy []float32, rows int) {
	d, wide := g.w.d, kernel.Pad(g.w.d)
	g.dGates, g.dState = layer.Grow(g.dGates, rows*3*wide), layer.Grow(g.dState, rows*3*wide)
	g.dh = layer.Grow(g.dh, wide)
	clear(g.dh)
	for t := rows - 1; t >= 0; t-- {
		g.stepBack(dy[t*wide:][:wide], t)
		// What is left of dh went around the gates; this adds what went through them.
		g.w.state.Pull(g.dh, wide, g.dState[t*3*wide:], 3*wide, 1, true)
	}
	g.dw, g.dwB = layer.Grow(g.dw, 3*wide*d), layer.Grow(g.dwB, 3*wide)
	clear(g.dw)
	clear(g.dwB)
	g.outer.Add(g.dw, g.dwB, g.dGates, 3*wide, 3*wide, g.x, wide, d, rows)
	addUnpadded(grad.gru.input, g.dw, 3, d, d)
	addUnpadded(grad.gru.inputBias, g.dwB, 3, d, 1)
	clear(g.dw)
	clear(g.dwB)
	g.outer.Add(g.dw, g.dwB, g.dState, 3*wide, 3*wide, g.h, wide, d, rows)
	addUnpadded(grad.gru.state, g.dw, 3, d, d)
	layer.AddTo(grad.gru.newBias, g.dwB[2*wide:])
	g.w.input.Pull(dx, wide, g.dGates, 3*wide, rows, false)
}

// stepBack goes back through row t: it turns g.dh, the gradient of the state after the
// row by later rows, into the part of that before it that passed no gate.
func (g *gru) stepBack(dy []float32, t int) {
	wide := len(dy)
	gates, dGates, dState := g.gates[t*3*wide:][:3*wide], g.dGates[t*3*wide:][:3*wide], g.dState[t*3*wide:][:3*wide]
	before, hn := g.h[t*wide:][:wide], g.hn[t*wide:][:wide]
	for i, own := range dy {
		r, z, n := gates[i], gates[wide+i], gates[2*wide+i]
		dh := g.dh[i] + own
		dn := dh * (1 - z) * (1 - n*n)
		dz := dh * (before[i] - n) * z * (1 - z)
		dr := dn * hn[i] * r * (1 - r)
		dGates[i], dGates[wide+i], dGates[2*wide+i] = dr, dz, dn
		dState[i], dState[wide+i], dState[2*wide+i] = dr, dz, dn*r
		g.dh[i] = dh * z
	}
}
