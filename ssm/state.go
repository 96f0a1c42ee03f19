package ssm

import (
	"fmt"
	"slices"

	"github.com/weirstream/weir/ssm/internal/kernel"
)

// A State is the whole memory of one stream: per layer the last d_conv-1 inputs
// of the convolution, then the ssm state (see package kernel for the order
// within). It has the same size after any number of events. The zero State of
// the right length is that of a stream not seen yet.
type State []float32

// StateLen returns the length of a State of this model, so that a caller may
// carve many out of one slab.
func (m *Model) StateLen() int { return m.dims.NLayer * m.dims.layerStateLen() }

// NewState returns the State of a stream not seen yet.
func (m *Model) NewState() State { return make(State, m.StateLen()) }

// NewStates returns n States of streams not seen yet, side by side in memory that
// has no pointers for the garbage collector to follow, and on huge pages where the
// operating system has them. The memory of all is freed together.
func (m *Model) NewStates(n int) []State {
	size := m.StateLen()
	slab, states := kernel.NewSlab(n*size), make([]State, n)
	for i := range states {
		states[i] = slab[i*size:][:size:size]
	}
	return states
}

// IsFinite says whether no number of the state is infinite or NaN.
func (s State) IsFinite() bool { return !slices.ContainsFunc(s, isNonFinite) }

// layerState returns the two parts of layer i.
func (m *Model) layerState(s State, i int) (conv, h []float32) {
	n := m.dims.layerStateLen()
	c := m.dims.convWidth() * (m.dims.DConv - 1)
	s = s[i*n:][:n:n]
	return s[:c:c], s[c:]
}

func (m *Model) checkState(s State) {
	if len(s) != m.StateLen() {
		panic(fmt.Sprintf("ssm: a State has length %d, want %d", len(s), m.StateLen()))
	}
}
