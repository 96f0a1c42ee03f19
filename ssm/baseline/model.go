package baseline

import (
	"fmt"

	"github.com/weirstream/weir/ssm"
	"github.com/weirstream/weir/ssm/internal/kernel"
	"github.com/weirstream/weir/ssm/internal/layer"
	"github.com/weirstream/weir/ssm/train"
)

// A Model is the parameters of one baseline. Any number of goroutines may compute
// with it while no Trainer changes it.
type Model struct {
	config  Config
	params  *params
	weights *weights
}

// New returns a model with parameters drawn from seed. An error wraps ErrConfig.
func New(c Config, seed uint64) (*Model, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	m := &Model{config: c, params: newParams(c)}
	m.params.initialize(c, seed)
	m.weights = pack(c, m.params)
	return m, nil
}

// Config returns the model's sizes.
func (m *Model) Config() Config { return m.config }

// Tensors returns the parameters. The data is the model's own and must not be changed.
func (m *Model) Tensors() []ssm.Tensor { return m.params.tensors }

// NumParams is the number of parameters.
func (m *Model) NumParams() int { return len(m.params.slab) }

// StateBytes is the memory of one stream after n events, in bytes.
func (m *Model) StateBytes(n int) int {
	floats := 0
	for _, mix := range m.weights.mixers() {
		floats += mix.stateLen(n)
	}
	return 4 * floats
}

// Logits returns what the model says after each token of a sequence from its start,
// (length, vocab). It panics on a token outside the vocabulary.
func (m *Model) Logits(tokens []int32) []float32 {
	if len(tokens) == 0 {
		return nil
	}
	ps := newPass(m)
	ps.forward(tokens, make([][]float32, len(ps.mixers)))
	ld, vocab := kernel.Pad(m.config.Vocab), m.config.Vocab
	out := make([]float32, len(tokens)*vocab)
	for t := range tokens {
		copy(out[t*vocab:][:vocab], ps.out[t*ld:])
	}
	return out
}

// A pass is the memory to take sequences forward and back, one after the other; it
// belongs to one goroutine.
type pass struct {
	m              *Model
	mixers         []mixer
	before, normed [][]float32 // (length, d_model) a block: residual stream, and normed
	residual, last []float32   // (length, d_model): after the last block, and normed
	out            []float32   // (length, vocab)
	dres, dnormed  []float32   // (length, d_model), gradients
	outer          layer.Outer
	states         [][]float32 // dropped: what a training sequence leaves
	loss           train.LossFunc
}

func newPass(m *Model) *pass {
	mixers := m.weights.mixers()
	n := len(mixers)
	return &pass{
		m: m, mixers: mixers, loss: train.CrossEntropy(m.config.Vocab),
		before: make([][]float32, n), normed: make([][]float32, n), states: make([][]float32, n),
	}
}

// forward computes ps.out from tokens, of a stream with states.
func (ps *pass) forward(tokens []int32, states [][]float32) {
	d, rows := ps.m.config.DModel, len(tokens)
	wide, w := kernel.Pad(d), ps.m.weights
	ps.residual = layer.Grow(ps.residual, rows*wide)
	for t, id := range tokens {
		if id < 0 || int(id) >= ps.m.config.Vocab {
			panic(fmt.Sprintf("baseline: token %d is outside the vocabulary of %d", id, ps.m.config.Vocab))
		}
		row := ps.residual[t*wide:][:wide]
		clear(row[copy(row, ps.m.params.embedding[int(id)*d:][:d]):])
	}
	for i, mix := range ps.mixers {
		ps.before[i], ps.normed[i] = layer.Grow(ps.before[i], rows*wide), layer.Grow(ps.normed[i], rows*wide)
		copy(ps.before[i], ps.residual)
		ps.norm(ps.normed[i], ps.residual, w.norm[i], rows)
		mix.forward(ps.residual, ps.normed[i], rows, &states[i])
	}
	ps.last = layer.Grow(ps.last, rows*wide)
	ps.norm(ps.last, ps.residual, w.last, rows)
	ld := kernel.Pad(ps.m.config.Vocab)
	ps.out = layer.Grow(ps.out, rows*ld)
	w.head.Apply(ps.out, ld, ps.last, wide, rows, false)
}

func (ps *pass) norm(dst, x, weight []float32, rows int) {
	wide := len(weight)
	for t := range rows {
		kernel.RMSNorm(dst[t*wide:][:wide], x[t*wide:][:wide], weight, ps.m.config.DModel, normEps)
	}
}

// run returns the sum of the window's losses. Where grad is not nil, the gradient of
// scale times that sum is added to it.
func (ps *pass) run(grad *params, w *train.Window, scale float32) float64 {
	for i := range ps.states {
		ps.states[i] = ps.states[i][:0]
	}
	ps.forward(w.Tokens, ps.states)
	rows, vocab := len(w.Tokens), ps.m.config.Vocab
	loss := ps.loss(w, ps.out, kernel.Pad(vocab), 0, rows, scale)
	if grad != nil {
		ps.backward(grad, w.Tokens)
	}
	return loss
}

// backward adds to grad, from the outputs' gradient in ps.out.
func (ps *pass) backward(grad *params, tokens []int32) {
	d, vocab, rows := ps.m.config.DModel, ps.m.config.Vocab, len(tokens)
	wide, ld := kernel.Pad(d), kernel.Pad(ps.m.config.Vocab)
	ps.dres, ps.dnormed = layer.Grow(ps.dres, rows*wide), layer.Grow(ps.dnormed, rows*wide)
	clear(ps.dres)
	ps.outer.Add(grad.head, nil, ps.out, ld, vocab, ps.last, wide, d, rows)
	ps.m.weights.head.Pull(ps.dnormed, wide, ps.out, ld, rows, false)
	layer.NormBack(ps.dres, grad.normF, ps.dnormed, ps.residual, ps.m.params.normF, d, wide, rows, normEps)
	for i := len(ps.mixers) - 1; i >= 0; i-- {
		ps.mixers[i].backward(&grad.blocks[i], ps.dnormed, ps.dres, rows)
		layer.NormBack(ps.dres, grad.blocks[i].norm, ps.dnormed, ps.before[i], ps.m.params.blocks[i].norm, d, wide, rows, normEps)
	}
	for t, id := range tokens {
		layer.AddTo(grad.embedding[int(id)*d:][:d], ps.dres[t*wide:])
	}
}
