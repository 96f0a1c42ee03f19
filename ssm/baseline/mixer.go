package baseline

import (
	"github.com/weirstream/weir/ssm/internal/kernel"
	"github.com/weirstream/weir/ssm/internal/layer"
)

// A mixer is what differs between the kinds, with the memory to take one sequence
// forward and back. It belongs to one goroutine; its weights are shared. All rows are
// kernel.Pad(d_model) wide.
type mixer interface {
	// forward adds to residual the output for x, rows of the stream whose memory is
	// state: what earlier rows left, from nil on, and what these leave.
	forward(residual, x []float32, rows int, state *[]float32)
	// backward goes back through the last forward, which began a stream: it adds the
	// parameters' gradients to grad and writes dx, the gradient of x, from dy, that of
	// the output.
	backward(grad *blockParams, dx, dy []float32, rows int)
	// stateLen is the number of float32 that n events leave in the state.
	stateLen(n int) int
}

// weights are a model's parameters as the products need them. The Trainer packs them
// anew after every step.
type weights struct {
	gru  []*gruWeights
	attn []*attentionWeights
	mlp  []*mlpWeights
	s4d  []*s4dWeights
	norm [][]float32 // padded, a block's each
	last []float32   // the final norm, padded
	head layer.Matrix
}

func pack(c Config, p *params) *weights {
	w := &weights{last: layer.Padded(p.normF), head: layer.NewMatrix(p.head, nil, c.Vocab, c.DModel)}
	for i := range p.blocks {
		b := &p.blocks[i]
		w.norm = append(w.norm, layer.Padded(b.norm))
		switch {
		case b.gru.input != nil:
			w.gru = append(w.gru, packGRU(&b.gru, c.DModel))
		case b.attn.qkv != nil:
			w.attn = append(w.attn, packAttention(&b.attn, c.DModel, c.NHead))
		case b.mlp.up != nil:
			w.mlp = append(w.mlp, packMLP(&b.mlp, c.DModel))
		case b.s4d.aLog != nil:
			w.s4d = append(w.s4d, packS4D(&b.s4d, c.DModel, c.DState/2))
		}
	}
	return w
}

// repack takes changed parameters into the same weights, which mixers point to.
func (w *weights) repack(c Config, p *params) {
	fresh := pack(c, p)
	for i := range w.gru {
		*w.gru[i] = *fresh.gru[i]
	}
	for i := range w.attn {
		*w.attn[i], *w.mlp[i] = *fresh.attn[i], *fresh.mlp[i]
	}
	for i := range w.s4d {
		*w.s4d[i] = *fresh.s4d[i]
	}
	w.norm, w.last, w.head = fresh.norm, fresh.last, fresh.head
}

// mixers returns the blocks' mixers for one goroutine.
func (w *weights) mixers() []mixer {
	var all []mixer
	for _, g := range w.gru {
		all = append(all, &gru{w: g})
	}
	for i, a := range w.attn {
		all = append(all, &attention{w: a}, &mlp{w: w.mlp[i]})
	}
	for _, s := range w.s4d {
		all = append(all, &s4d{w: s})
	}
	return all
}

// An mlp is the transformer's second half, down(silu(up(x))): it mixes no events.
type mlp struct {
	w       *mlpWeights
	x       []float32 // (rows, d_model), as given to forward
	up, act []float32 // (rows, 2·d_model)
	dUp     []float32
	outer   layer.Outer
}

type mlpParams struct {
	up   []float32 // (2·d_model, d_model)
	down []float32 // (d_model, 2·d_model)
}

type mlpWeights struct {
	d        int
	up, down layer.Matrix
}

func bindMLP(b *binder, name string, d int) mlpParams {
	return mlpParams{up: b.take(name+"mlp.up", 2*d, d), down: b.take(name+"mlp.down", d, 2*d)}
}

func packMLP(p *mlpParams, d int) *mlpWeights {
	return &mlpWeights{d, layer.NewMatrix(p.up, nil, 2*d, d), layer.NewMatrix(p.down, nil, d, 2*d)}
}

func (m *mlp) stateLen(int) int { return 0 }

func (m *mlp) forward(residual, x []float32, rows int, _ *[]float32) {
	wide, inner := kernel.Pad(m.w.d), kernel.Pad(2*m.w.d)
	m.x = x
	m.up, m.act = layer.Grow(m.up, rows*inner), layer.Grow(m.act, rows*inner)
	m.w.up.Apply(m.up, inner, x, wide, rows, false)
	for i, v := range m.up {
		m.act[i], _ = layer.SiLUSlope(v)
	}
	m.w.down.Apply(residual, wide, m.act, inner, rows, true)
}

func (m *mlp) backward(grad *blockParams, dx, dy []float32, rows int) {
	d, wide, inner := m.w.d, kernel.Pad(m.w.d), kernel.Pad(2*m.w.d)
	m.outer.Add(grad.mlp.down, nil, dy, wide, d, m.act, inner, 2*d, rows)
	m.dUp = layer.Grow(m.dUp, rows*inner)
	m.w.down.Pull(m.dUp, inner, dy, wide, rows, false)
	for i, v := range m.up {
		_, slope := layer.SiLUSlope(v)
		m.dUp[i] *= slope
	}
	m.outer.Add(grad.mlp.up, nil, m.dUp, inner, 2*d, m.x, wide, d, rows)
	m.w.up.Pull(dx, wide, m.dUp, inner, rows, false)
}
