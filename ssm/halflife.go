package ssm

import (
	"math"
	"slices"

	"github.com/weirstream/weir/ssm/internal/kernel"
)

// foreverEvents stands for a number of the state that does not fade in as many events.
const foreverEvents = 1e6

// HalfLives steps one stream of an event model by the event x (n_input), as Step does,
// and returns how long each number of its ssm state remembers at the Δ that this event
// selects: ln 2 / (Δ·|A|) in events of gap 1, ascending, (n_layer · d_inner · d_state) of
// them, at most 1e6. It changes the state s.
func (st *Stepper) HalfLives(x []float32, gap float32, s State) []float64 {
	d := &st.m.dims
	st.m.checkState(s)
	st.enter(x, 1)
	var all []float64
	for layer := range st.m.layers {
		conv, h := st.m.layerState(s, layer)
		st.project(layer, 1)
		st.convolve(layer, 0, conv, nil)
		st.selectParameters(layer, 1)
		dt := st.dtRow(layer, 0)
		st.delta(layer, 0, dt)
		for c := range d.DInner {
			at := d.place(c)
			all = st.m.layers[layer].appendHalfLives(all, at, d.DState, softplus(float64(dt[at])))
		}
		st.scan(layer, 0, gap, h, nil)
		st.projectBack(layer, 1)
	}
	slices.Sort(all)
	return all
}

// appendHalfLives appends those of the channel at the given place, (d_state).
func (l *packedLayer) appendHalfLives(dst []float64, at, dState int, delta float64) []float64 {
	block := l.a[at/kernel.Lanes*dState*kernel.Lanes+at%kernel.Lanes:]
	for n := range dState {
		halvings := -float64(block[n*kernel.Lanes]) * delta
		dst = append(dst, min(1/halvings, foreverEvents))
	}
	return dst
}

func softplus(x float64) float64 {
	if x > 20 {
		return x
	}
	return math.Log1p(math.Exp(x))
}
