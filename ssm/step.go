package ssm

import (
	"fmt"

	"github.com/weirstream/weir/ssm/internal/kernel"
)

// A Stepper advances streams of one model by one event each. It holds the
// scratch memory for that and belongs to one goroutine.
type Stepper struct {
	m        *Model
	maxBatch int

	// Rows, one per stream; every width is padded to whole blocks.
	residual []float32 // d_model
	normed   []float32 // d_model
	xz       []float32 // x, then z, of d_inner each
	dbc      []float32 // dt, B, C
	dt       []float32 // d_inner: Δ before softplus, then the block's output y
	out      []float32 // n_output or vocab
}

// stepRows is how many streams are computed at once at most: enough for the matrix
// kernels' full speed, and few enough that rows and states stay in the cache from
// one part of a block to the next.
const stepRows = 32

// NewStepper returns a Stepper for batches of up to maxBatch streams, though it takes
// larger ones. Thirty-two at a time reach full speed.
func (m *Model) NewStepper(maxBatch int) *Stepper {
	if maxBatch < 1 {
		panic("ssm: NewStepper: maxBatch must be at least 1")
	}
	rows := min(maxBatch, stepRows)
	st := m.newRows(rows)
	st.out = make([]float32, rows*kernel.Pad(m.dims.outWidth()))
	return st
}

// newRows returns a Stepper without room for what the head returns, of which
// there is much where the vocabulary is large.
func (m *Model) newRows(n int) *Stepper {
	d := m.dims
	rows := func(width int) []float32 { return make([]float32, n*kernel.Pad(width)) }
	return &Stepper{
		m:        m,
		maxBatch: n,
		residual: rows(d.DModel),
		normed:   rows(d.DModel),
		xz:       rows(d.inWidth()),
		dbc:      rows(d.selectWidth()),
		dt:       rows(d.scanWidth()),
	}
}

// view returns the rows from and up to to.
func (st *Stepper) view(from, to int) *Stepper {
	cut := func(rows []float32) []float32 {
		width := len(rows) / st.maxBatch
		return rows[from*width : to*width]
	}
	return &Stepper{
		m:        st.m,
		maxBatch: to - from,
		residual: cut(st.residual),
		normed:   cut(st.normed),
		xz:       cut(st.xz),
		dbc:      cut(st.dbc),
		dt:       cut(st.dt),
	}
}

// Step advances n streams of an event model by one event each: row i of x
// (n, n_input) enters states[i], row i of dst (n, n_output) is what the model
// says after it. gap[i] multiplies row i's Δ: the time since the stream's last
// event over its typical one, finite and not negative; nil means 1 throughout,
// which is the published model.
//
// A State may be there more than once: its rows are events of one stream, the
// earlier first. A row's result and new state are the same bits in any batch, at
// any place in it, and on any processor. Step panics on a wrong length and on a
// token model.
func (st *Stepper) Step(dst, x, gap []float32, states []State) {
	d, n := &st.m.dims, len(states)
	if d.Vocab > 0 {
		panic("ssm: Step: a token model steps with StepTokens")
	}
	if len(x) != n*d.NInput || len(dst) != n*d.NOutput || (gap != nil && len(gap) != n) {
		panic(fmt.Sprintf("ssm: Step: %d streams of width %d to %d with len(x) %d, len(dst) %d, len(gap) %d",
			n, d.NInput, d.NOutput, len(x), len(dst), len(gap)))
	}
	for from := 0; from < n; from += st.maxBatch {
		to := min(n, from+st.maxBatch)
		st.enter(x[from*d.NInput:to*d.NInput], to-from)
		st.advance(part(gap, from, to, 1), states[from:to], states[to:])
		st.leave(dst[from*d.NOutput:to*d.NOutput], to-from)
	}
}

// StepTokens advances n streams of a token model by one token each; dst
// (n, vocab) receives the logits of the next. It panics on a wrong length, on an
// event model and on a token outside the vocabulary. What Step says of states
// holds here as well.
func (st *Stepper) StepTokens(dst []float32, tokens []int32, states []State) {
	d, n := &st.m.dims, len(states)
	if d.Vocab == 0 {
		panic("ssm: StepTokens: an event model steps with Step")
	}
	if len(tokens) != n || len(dst) != n*d.Vocab {
		panic(fmt.Sprintf("ssm: StepTokens: %d streams, vocabulary %d, with len(tokens) %d, len(dst) %d",
			n, d.Vocab, len(tokens), len(dst)))
	}
	for from := 0; from < n; from += st.maxBatch {
		to := min(n, from+st.maxBatch)
		st.enterTokens(tokens[from:to])
		st.advance(nil, states[from:to], states[to:])
		st.leave(dst[from*d.Vocab:to*d.Vocab], to-from)
	}
}

// part returns rows from to to of rows of a width, nil of nil.
func part(rows []float32, from, to, width int) []float32 {
	if rows == nil {
		return nil
	}
	return rows[from*width : to*width]
}

// enter makes st.residual of n events.
func (st *Stepper) enter(x []float32, n int) {
	kernel.Gemm(st.residual, kernel.Pad(st.m.dims.DModel), x, st.m.dims.NInput, n, st.m.ends.input, false)
}

// enterTokens makes st.residual of tokens.
func (st *Stepper) enterTokens(tokens []int32) {
	d := &st.m.dims
	wide := kernel.Pad(d.DModel)
	for i, id := range tokens {
		row := st.residual[i*wide:][:wide]
		copy(row, st.m.weights.embedding[int(id)*d.DModel:][:d.DModel])
		clear(row[d.DModel:])
	}
}

// leave takes n rows of st.residual through the final norm and the head.
func (st *Stepper) leave(dst []float32, n int) {
	d := &st.m.dims
	st.norm(st.m.ends.normF, n)
	wide, padded, width := kernel.Pad(d.DModel), kernel.Pad(d.outWidth()), d.outWidth()
	kernel.Gemm(st.out, padded, st.normed, wide, n, st.m.ends.head, false)
	for i := range n {
		copy(dst[i*width:][:width], st.out[i*padded:])
	}
}

// advance takes the rows of st.residual through every block. after are the streams
// of the rows that come next.
func (st *Stepper) advance(gap []float32, states, after []State) {
	for _, s := range states {
		st.m.checkState(s)
	}
	for i := range st.m.layers {
		st.block(i, gap, states, after)
	}
}

// block adds one block's output to st.residual, row i with the memory of states[i].
// Meanwhile it fetches into the cache what row i needs in the following block, or
// after the last one, the next rows in the first.
func (st *Stepper) block(layer int, gap []float32, states, after []State) {
	n := len(states)
	st.project(layer, n)
	soon, then := states, layer+1
	if then == len(st.m.layers) {
		soon, then = after, 0
	}
	for i, s := range states {
		conv, _ := st.m.layerState(s, layer)
		next, _ := st.m.stateOf(soon, i, then)
		st.convolve(layer, i, conv, next)
	}
	st.selectParameters(layer, n)
	for i, s := range states {
		_, h := st.m.layerState(s, layer)
		_, next := st.m.stateOf(soon, i, then)
		st.scan(layer, i, gapOf(gap, i), h, next)
	}
	st.projectBack(layer, n)
}

// stateOf returns layerState of states[i], nil where there is none.
func (m *Model) stateOf(states []State, i, layer int) (conv, h []float32) {
	if i >= len(states) || len(states[i]) != m.StateLen() {
		return nil, nil
	}
	return m.layerState(states[i], layer)
}

// gapOf returns gap[i], 1 where there are no gaps.
func gapOf(gap []float32, i int) float32 {
	if gap == nil {
		return 1
	}
	return gap[i]
}
