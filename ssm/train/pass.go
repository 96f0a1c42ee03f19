package train

import (
	"github.com/weirstream/weir/ssm"
	"github.com/weirstream/weir/ssm/internal/kernel"
	"github.com/weirstream/weir/ssm/internal/layer"
)

// headRows is how many rows of outputs exist at once: a vocabulary is wide.
const headRows = 256

// A network is the parameters of one step, packed for the passes. It is shared by
// all goroutines and not changed.
type network struct {
	d         ssm.Dims
	p         *params
	blocks    []*block
	input     layer.Matrix // event model
	head      layer.Matrix
	normF     []float32 // padded d_model
	loss      LossFunc
	wideModel int
}

func newNetwork(d ssm.Dims, p *params, loss LossFunc) *network {
	n := &network{d: d, p: p, loss: loss, normF: layer.Padded(p.normF), wideModel: kernel.Pad(d.DModel)}
	for i := range p.layers {
		n.blocks = append(n.blocks, newBlock(&n.d, &p.layers[i]))
	}
	outputs := d.Vocab
	if d.Vocab == 0 {
		outputs = d.NOutput
		n.input = layer.NewMatrix(p.inputWeight, p.inputBias, d.DModel, d.NInput)
	}
	n.head = layer.NewMatrix(p.head, p.headBias, outputs, d.DModel)
	return n
}

// A pass is the memory to take windows forward and back, one after the other; it
// belongs to one goroutine.
type pass struct {
	traces           []trace
	back             *blockBack
	residual, normed []float32 // (length, d_model)
	dres             []float32 // (length, d_model), gradient
	out              []float32 // (headRows, outputs)
}

// run returns the sum of the window's losses. Where grad is not nil, the gradient
// of scale times that sum is added to it.
func (ps *pass) run(n *network, grad *params, w *Window, scale float32) float64 {
	rows, wide := w.len(), n.wideModel
	ps.residual, ps.normed = layer.Grow(ps.residual, rows*wide), layer.Grow(ps.normed, rows*wide)
	if ps.traces == nil {
		ps.traces = make([]trace, len(n.blocks))
		ps.back = newBlockBack(n.blocks[0])
	}
	n.enter(ps.residual, w)
	for i, b := range n.blocks {
		b.forward(&ps.traces[i], ps.residual, w.Gaps, rows)
	}
	for t := range rows {
		kernel.RMSNorm(ps.normed[t*wide:][:wide], ps.residual[t*wide:][:wide], n.normF, n.d.DModel, float32(n.d.NormEps))
	}
	loss := ps.leave(n, grad, w, scale)
	if grad == nil {
		return loss
	}
	for i := len(n.blocks) - 1; i >= 0; i-- {
		n.blocks[i].backward(ps.back, &grad.layers[i], &ps.traces[i], ps.dres, w.Gaps, rows)
	}
	n.enterBack(ps.back, grad, ps.dres, w)
	return loss
}

// enter computes the residual stream before the first block.
func (n *network) enter(residual []float32, w *Window) {
	wide := n.wideModel
	if n.d.Vocab == 0 {
		n.input.Apply(residual, wide, w.Inputs, n.d.NInput, w.len(), false)
		return
	}
	for t, id := range w.Tokens {
		row := residual[t*wide:][:wide]
		copy(row, n.p.embedding[int(id)*n.d.DModel:][:n.d.DModel])
		clear(row[n.d.DModel:])
	}
}

func (n *network) enterBack(o *blockBack, grad *params, dres []float32, w *Window) {
	d, wide := &n.d, n.wideModel
	if d.Vocab == 0 {
		o.Add(grad.inputWeight, grad.inputBias, dres, wide, d.DModel, w.Inputs, d.NInput, d.NInput, w.len())
		return
	}
	for t, id := range w.Tokens {
		layer.AddTo(grad.embedding[int(id)*d.DModel:][:d.DModel], dres[t*wide:])
	}
}

// leave takes the normed rows through head and loss, and back to ps.dres.
func (ps *pass) leave(n *network, grad *params, w *Window, scale float32) float64 {
	rows, wide, ld := w.len(), n.wideModel, kernel.Pad(n.head.N)
	ps.out = layer.Grow(ps.out, min(rows, headRows)*ld)
	ps.dres = layer.Grow(ps.dres, rows*wide)
	dnormed := ps.back.normed
	if grad != nil {
		dnormed = layer.Grow(dnormed, rows*wide)
		ps.back.normed = dnormed
	}
	loss := 0.0
	for first := 0; first < rows; first += headRows {
		part := min(headRows, rows-first)
		normed := ps.normed[first*wide:]
		n.head.Apply(ps.out, ld, normed, wide, part, false)
		loss += n.loss(w, ps.out, ld, first, part, scale)
		if grad != nil {
			ps.back.Add(grad.head, grad.headBias, ps.out, ld, n.head.N, normed, wide, n.d.DModel, part)
			n.head.Pull(dnormed[first*wide:], wide, ps.out, ld, part, false)
		}
	}
	if grad != nil {
		clear(ps.dres)
		layer.NormBack(ps.dres, grad.normF, dnormed, ps.residual, n.p.normF, n.d.DModel, wide, rows, float32(n.d.NormEps))
	}
	return loss
}
