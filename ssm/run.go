package ssm

import (
	"fmt"
	"runtime"
)

// A form is a way to compute a sequence of one stream.
type form int

const (
	sequential form = iota // event after event in each channel; the bits of Step
	parallel               // chunks of time side by side; the bits of none but itself
)

const (
	chunkLen     = 64 // events that one core scans in one go
	windowLen    = 32 // chunks in flight; what Run allocates is bound to it
	parallelFrom = 4 * chunkLen
)

// Run takes one stream through n events of history, as n calls of Step do: x is
// (n, n_input), gap (n) or nil for 1 throughout, dst (n, n_output) or nil where
// only the state is wanted. s is the stream's memory, before and after.
//
// With exact, the results and s are the bits that Step gives. Without, a long
// history runs in the parallel form: results and s then differ from Step's by
// rounding, and are the same bits on any number of cores and any processor. The
// difference is at most 1e-5 of the greatest number of their kind where memory
// fades within a hundred events, and where it lasts longer 1e-7 for each event:
// the error of an exponential that Step makes anew with each.
//
// Both forms use the cores there are. What Run allocates does not grow with n.
// Step may go on from s either way.
//
// Run panics on a wrong length and on a token model.
func (m *Model) Run(dst, x, gap []float32, s State, exact bool) {
	if m.dims.Vocab > 0 {
		panic("ssm: Run: a token model runs with RunTokens")
	}
	m.run(dst, x, gap, s, formFor(len(x)/m.dims.NInput, exact), chunkLen)
}

func (m *Model) run(dst, x, gap []float32, s State, f form, chunk int) {
	d := &m.dims
	n := len(x) / d.NInput
	if len(x) != n*d.NInput || (dst != nil && len(dst) != n*d.NOutput) || (gap != nil && len(gap) != n) {
		panic(fmt.Sprintf("ssm: Run: width %d to %d with len(x) %d, len(dst) %d, len(gap) %d",
			d.NInput, d.NOutput, len(x), len(dst), len(gap)))
	}
	r := m.newRunner(n, f, chunk)
	for from := 0; from < n; from += r.rows {
		to := min(n, from+r.rows)
		r.steps.enter(x[from*d.NInput:to*d.NInput], to-from)
		r.advance(part(dst, from, to, d.NOutput), part(gap, from, to, 1), s, to-from)
	}
}

// RunTokens is Run for a token model: dst (n, vocab) receives the logits after
// each token, or is nil. It panics on a wrong length, on an event model and on a
// token outside the vocabulary.
func (m *Model) RunTokens(dst []float32, tokens []int32, s State, exact bool) {
	m.runTokens(dst, tokens, s, formFor(len(tokens), exact), chunkLen)
}

func (m *Model) runTokens(dst []float32, tokens []int32, s State, f form, chunk int) {
	d, n := &m.dims, len(tokens)
	if d.Vocab == 0 {
		panic("ssm: RunTokens: an event model runs with Run")
	}
	if dst != nil && len(dst) != n*d.Vocab {
		panic(fmt.Sprintf("ssm: RunTokens: %d tokens, vocabulary %d, with len(dst) %d", n, d.Vocab, len(dst)))
	}
	r := m.newRunner(n, f, chunk)
	for from := 0; from < n; from += r.rows {
		to := min(n, from+r.rows)
		r.steps.enterTokens(tokens[from:to])
		r.advance(part(dst, from, to, d.Vocab), nil, s, to-from)
	}
}

// formFor picks the form of n events: by length alone, so that a history gives
// the same bits on any machine.
func formFor(n int, exact bool) form {
	if exact || n < parallelFrom {
		return sequential
	}
	return parallel
}

// A runner holds the scratch memory of one Run.
type runner struct {
	m      *Model
	rows   int      // events it takes through all layers at once
	steps  *Stepper // of so many rows
	same   []State  // on one core: the stream, so many times
	window *window  // on several
}

func (m *Model) newRunner(n int, f form, chunk int) *runner {
	if f == sequential && (n < 4*chunk || runtime.GOMAXPROCS(0) == 1) { // the bits are the same
		steps := m.NewStepper(max(1, min(n, chunk)))
		return &runner{m: m, rows: steps.maxBatch, steps: steps, same: make([]State, steps.maxBatch)}
	}
	rows := max(1, min(n, chunk*windowLen))
	w := newWindow(m, f, rows, chunk)
	return &runner{m: m, rows: rows, steps: w.steps, window: w}
}

// advance takes n rows of r.steps through the blocks and, with dst, the head.
func (r *runner) advance(dst, gap []float32, s State, n int) {
	r.m.checkState(s)
	if r.window != nil {
		r.window.advance(&span{dst, gap, n}, s)
		return
	}
	for i := range n {
		r.same[i] = s
	}
	r.steps.advance(gap, r.same[:n], nil)
	if dst != nil {
		r.steps.leave(dst, n)
	}
}
