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

	// onConvInput, where not nil, sees the convolution's input of each stream
	// before it is overwritten.
	onConvInput func(layer, stream int, x []float32)
}

// NewStepper returns a Stepper that computes up to maxBatch streams at once;
// more are taken in parts. Sixteen already reach nearly full speed.
func (m *Model) NewStepper(maxBatch int) *Stepper {
	if maxBatch < 1 {
		panic("ssm: NewStepper: maxBatch must be at least 1")
	}
	d := m.dims
	rows := func(width int) []float32 { return make([]float32, maxBatch*kernel.Pad(width)) }
	return &Stepper{
		m:        m,
		maxBatch: maxBatch,
		residual: rows(d.DModel),
		normed:   rows(d.DModel),
		xz:       rows(2 * kernel.Pad(d.DInner)),
		dbc:      rows(d.DTRank + 2*d.DState),
		dt:       rows(d.DInner),
		out:      rows(d.outWidth()),
	}
}

// Step advances n streams of an event model by one event each: row i of x
// (n, n_input) enters states[i], row i of dst (n, n_output) is what the model
// says after it. gap[i] multiplies row i's Δ: the time since the stream's last
// event over its typical one, finite and not negative; nil means 1 throughout,
// which is the published model.
//
// A row's result and new state are the same bits in any batch, at any place in
// it, and on any processor. No State may be there twice. Step panics on a wrong
// length and on a token model.
func (st *Stepper) Step(dst, x, gap []float32, states []State) {
	d, n := st.m.dims, len(states)
	if d.Vocab > 0 {
		panic("ssm: Step: a token model steps with StepTokens")
	}
	if len(x) != n*d.NInput || len(dst) != n*d.NOutput || (gap != nil && len(gap) != n) {
		panic(fmt.Sprintf("ssm: Step: %d streams of width %d to %d with len(x) %d, len(dst) %d, len(gap) %d",
			n, d.NInput, d.NOutput, len(x), len(dst), len(gap)))
	}
	for from := 0; from < n; from += st.maxBatch {
		to := min(n, from+st.maxBatch)
		kernel.Gemm(st.residual, kernel.Pad(d.DModel), x[from*d.NInput:], d.NInput, to-from, st.m.ends.input, false)
		var g []float32
		if gap != nil {
			g = gap[from:to]
		}
		st.advance(dst[from*d.NOutput:to*d.NOutput], g, states[from:to])
	}
}

// StepTokens advances n streams of a token model by one token each; dst
// (n, vocab) receives the logits of the next. It panics on a wrong length, on an
// event model and on a token outside the vocabulary.
func (st *Stepper) StepTokens(dst []float32, tokens []int32, states []State) {
	d, n := st.m.dims, len(states)
	if d.Vocab == 0 {
		panic("ssm: StepTokens: an event model steps with Step")
	}
	if len(tokens) != n || len(dst) != n*d.Vocab {
		panic(fmt.Sprintf("ssm: StepTokens: %d streams, vocabulary %d, with len(tokens) %d, len(dst) %d",
			n, d.Vocab, len(tokens), len(dst)))
	}
	wide := kernel.Pad(d.DModel)
	for from := 0; from < n; from += st.maxBatch {
		to := min(n, from+st.maxBatch)
		for i, id := range tokens[from:to] {
			row := st.residual[i*wide:][:wide]
			copy(row, st.m.weights.embedding[int(id)*d.DModel:][:d.DModel])
			clear(row[d.DModel:])
		}
		st.advance(dst[from*d.Vocab:to*d.Vocab], nil, states[from:to])
	}
}

// advance takes the rows of st.residual through every block and the head.
func (st *Stepper) advance(dst, gap []float32, states []State) {
	d, n, want := &st.m.dims, len(states), st.m.StateLen()
	for _, s := range states {
		if len(s) != want {
			panic(fmt.Sprintf("ssm: a State has length %d, want %d", len(s), want))
		}
	}
	for i := range st.m.layers {
		st.block(i, gap, states)
	}
	st.norm(st.m.ends.normF, n)
	wide, padded := kernel.Pad(d.DModel), kernel.Pad(d.outWidth())
	kernel.Gemm(st.out, padded, st.normed, wide, n, st.m.ends.head, false)
	for i := range n {
		copy(dst[i*d.outWidth():][:d.outWidth()], st.out[i*padded:])
	}
}

// norm computes st.normed = RMSNorm(st.residual).
func (st *Stepper) norm(w []float32, n int) {
	d := &st.m.dims
	wide := len(w)
	for i := range n {
		kernel.RMSNorm(st.normed[i*wide:][:wide], st.residual[i*wide:][:wide], w, d.DModel, float32(d.NormEps))
	}
}

// block adds one Mamba block's output to st.residual: norm, in_proj, causal
// convolution with SiLU, x_proj, dt_proj, state update with gate, out_proj.
func (st *Stepper) block(layer int, gap []float32, states []State) {
	d, p, n := &st.m.dims, &st.m.layers[layer], len(states)
	model, inner, dbc := kernel.Pad(d.DModel), kernel.Pad(d.DInner), p.xProj.Width()

	st.norm(p.norm, n)
	kernel.Gemm(st.xz, 2*inner, st.normed, model, n, p.inProj, false)
	for i := range n {
		x := st.xz[i*2*inner:][:inner]
		if st.onConvInput != nil {
			st.onConvInput(layer, i, x)
		}
		conv, _ := st.m.layerState(states[i], layer)
		next, _ := st.m.layerState(states[min(i+1, n-1)], layer)
		kernel.ConvSiLU(x, x, conv, p.conv, p.convB, d.DConv, next)
	}
	kernel.Gemm(st.dbc, dbc, st.xz, 2*inner, n, p.xProj, false)
	kernel.Gemm(st.dt, inner, st.dbc, dbc, n, p.dtProj, false)
	for i := range n {
		g := float32(1)
		if gap != nil {
			g = gap[i]
		}
		x, z := st.xz[i*2*inner:][:inner], st.xz[i*2*inner+inner:][:inner]
		bc := st.dbc[i*dbc+d.DTRank:]
		y := st.dt[i*inner:][:inner]
		_, h := st.m.layerState(states[i], layer)
		_, next := st.m.layerState(states[min(i+1, n-1)], layer)
		kernel.ScanStep(y, h, y, x, z, bc[:d.DState], bc[d.DState:][:d.DState], p.a, p.skip, g, next)
	}
	kernel.Gemm(st.residual, model, st.dt, inner, n, p.outProj, true)
}
