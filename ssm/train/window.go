package train

import (
	"fmt"

	"github.com/weirstream/weir/ssm"
)

// A Window is a stretch of one stream, from whose first event the state runs up
// from zero. A token model's window has Tokens, and Labels where not each token but
// the first is a target. An event model's has the rest.
type Window struct {
	Tokens []int32
	Labels []int32 // (length): what row t's logits are to give, -1 for nothing

	Inputs  []float32 // (length, n_input)
	Gaps    []float32 // (length), multiply Δ; nil for 1 throughout
	Targets []float32 // (length): what row t's outputs forecast
	// Further is, for each horizon but the first, what row t's outputs forecast there
	// (length); NaN where that is not known.
	Further [][]float32
	Counts  []bool // (length): whether a row counts in the loss; nil for all
}

// len is the number of rows.
func (w *Window) len() int { return max(len(w.Tokens), len(w.Targets)) }

// NumTargets is the number of rows that count in the loss.
func (w *Window) NumTargets() int {
	if w.Tokens != nil {
		return w.labels()
	}
	if w.Counts == nil {
		return len(w.Targets)
	}
	n := 0
	for _, c := range w.Counts {
		if c {
			n++
		}
	}
	return n
}

// labels is the number of a token window's rows that have a label.
func (w *Window) labels() int {
	n := 0
	for t := range w.Tokens {
		if w.label(t) >= 0 {
			n++
		}
	}
	return n
}

// label is the token that row t's logits are to give, -1 for none.
func (w *Window) label(t int) int32 {
	switch {
	case w.Labels != nil:
		return w.Labels[t]
	case t+1 < len(w.Tokens):
		return w.Tokens[t+1]
	}
	return -1
}

// check panics where lengths do not match the model: a mistake of the caller's.
func (w *Window) check(d *ssm.Dims) {
	n := w.len()
	ok := n > 0 && (w.Gaps == nil || len(w.Gaps) == n) && (w.Counts == nil || len(w.Counts) == n)
	if d.Vocab > 0 {
		ok = ok && len(w.Targets) == 0 && (w.Labels == nil || len(w.Labels) == n)
	} else {
		ok = ok && len(w.Tokens) == 0 && len(w.Inputs) == n*d.NInput
	}
	if !ok {
		panic(fmt.Sprintf("train: a window with %d tokens, %d inputs, %d gaps, %d targets, %d counts does not fit the model",
			len(w.Tokens), len(w.Inputs), len(w.Gaps), len(w.Targets), len(w.Counts)))
	}
}
