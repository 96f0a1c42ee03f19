package ssm

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// randomModel returns a model of dims with parameters of a trained model's size.
func randomModel(t testing.TB, d Dims, seed uint64) *Model {
	t.Helper()
	m, err := New(d, randomTensors(d, seed), nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func randomTensors(d Dims, seed uint64) []Tensor {
	rng := rand.New(rand.NewPCG(seed, 1))
	var w weights
	var tensors []Tensor
	for _, s := range w.slots(d) {
		data := make([]float32, s.len())
		fanIn := s.shape[len(s.shape)-1]
		for i := range data {
			data[i] = float32(rng.NormFloat64() / math.Sqrt(float64(fanIn)))
		}
		tensors = append(tensors, Tensor{s.name, s.shape, data})
	}
	return tensors
}

// eventDims returns an event model's usual shape.
func eventDims(dModel, nLayer int) Dims {
	return Dims{
		DModel: dModel, DInner: 2 * dModel, DState: 16, DConv: 4, DTRank: (dModel + 15) / 16, NLayer: nLayer,
		NInput: 6, NOutput: 5, UseConvBias: true, NormEps: 1e-5,
	}
}

// variants are models of every kind that a folder can describe.
func variants() map[string]Dims {
	v := map[string]Dims{
		"event":       eventDims(32, 2),
		"token":       {DModel: 32, DInner: 64, DState: 16, DConv: 4, DTRank: 2, NLayer: 2, Vocab: 61, UseConvBias: true, TieHead: true, NormEps: 1e-5},
		"untied":      {DModel: 24, DInner: 48, DState: 8, DConv: 4, DTRank: 2, NLayer: 2, Vocab: 33, UseConvBias: true, NormEps: 1e-5},
		"wide expand": {DModel: 7, DInner: 35, DState: 5, DConv: 3, DTRank: 3, NLayer: 3, NInput: 1, NOutput: 1, UseBias: true, NormEps: 1e-6},
		"one channel": {DModel: 1, DInner: 1, DState: 1, DConv: 1, DTRank: 1, NLayer: 1, NInput: 1, NOutput: 1, NormEps: 1e-5},
	}
	inf := math.Inf(1)
	for name, d := range map[string]Dims{
		"mamba2 event": {DModel: 20, DInner: 40, DState: 16, DConv: 4, NHead: 5, NGroup: 1, DTMax: inf, UseConvBias: true, NInput: 6, NOutput: 5},
		"mamba2 token": {DModel: 16, DInner: 32, DState: 8, DConv: 4, NHead: 2, NGroup: 1, DTMax: inf, Vocab: 41, TieHead: true},
		"mamba2 groups": {
			DModel: 12, DInner: 120, DState: 5, DConv: 2, NHead: 6, NGroup: 3, DTMin: 0.01, DTMax: 0.5,
			UseBias: true, UseConvBias: true, NInput: 2, NOutput: 3,
		},
		"mamba2 narrow": {DModel: 3, DInner: 6, DState: 1, DConv: 1, NHead: 6, NGroup: 1, DTMax: inf, NInput: 1, NOutput: 1},
	} {
		d.NLayer, d.NormEps = 2, 1e-5
		v[name] = d
	}
	for _, taps := range []int{1, 2, 5} {
		for _, bias := range []bool{false, true} {
			d := eventDims(20, 2)
			d.DConv, d.UseBias, d.UseConvBias = taps, bias, !bias
			v[fmt.Sprintf("conv %d bias %v", taps, bias)] = d
		}
	}
	return v
}

// eachVariant runs test for every kind of model.
func eachVariant(t *testing.T, test func(t *testing.T, m *Model)) {
	seed := uint64(0)
	all := variants()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		seed++
		t.Run(name, func(t *testing.T) { test(t, randomModel(t, all[name], seed)) })
	}
}

// A walk steps streams through random events; it holds what a stream's input is.
type walk struct {
	m   *Model
	rng *rand.Rand
}

// events returns the inputs of n streams: numbers or tokens, and gaps.
func (w walk) events(n int) (x, gap []float32, tokens []int32) {
	d := w.m.dims
	for range n {
		gap = append(gap, float32(w.rng.ExpFloat64()))
		for range d.NInput {
			x = append(x, float32(w.rng.NormFloat64()))
		}
		if d.Vocab > 0 {
			tokens = append(tokens, int32(w.rng.IntN(d.Vocab)))
		}
	}
	return x, gap, tokens
}

// step advances states by whichever step the model has.
func (w walk) step(st *Stepper, x, gap []float32, tokens []int32, states []State) []float32 {
	dst := make([]float32, len(states)*w.m.dims.outWidth())
	if tokens != nil {
		st.StepTokens(dst, tokens, states)
	} else {
		st.Step(dst, x, gap, states)
	}
	return dst
}

func newStates(m *Model, n int) []State {
	states := make([]State, n)
	for i := range states {
		states[i] = m.NewState()
	}
	return states
}

func sameBits(a, b []float32) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return false
		}
	}
	return true
}

func rawJSON(s string) json.RawMessage { return json.RawMessage(s) }
