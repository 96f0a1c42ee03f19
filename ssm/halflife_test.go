package ssm

import (
	"math"
	"slices"
	"testing"
)

// TestHalfLivesAreWhatTheStateForgets steps two states that differ in one number of the
// ssm state by the same event: what is left of the difference says how fast it fades.
func TestHalfLivesAreWhatTheStateForgets(t *testing.T) {
	for name, d := range map[string]Dims{
		"mamba":  eventDims(8, 1),
		"mamba2": {DModel: 20, DInner: 40, DState: 4, DConv: 4, NHead: 5, NGroup: 1, DTMax: math.Inf(1), NLayer: 1, UseConvBias: true, NInput: 6, NOutput: 5, NormEps: 1e-5},
	} {
		t.Run(name, func(t *testing.T) {
			m := randomModel(t, d, 7)
			st := m.NewStepper(1)
			x, out := []float32{0.3, -1, 0.2, 2, -0.5, 0.1}, make([]float32, d.NOutput)
			const gap = 1.5
			step := func(s State) State {
				st.Step(out, x, []float32{gap}, []State{s})
				return s
			}
			base := step(m.NewState())
			lives := st.HalfLives(x, 1, m.NewState())
			if len(lives) != d.DInner*d.DState || !slices.IsSorted(lives) {
				t.Fatalf("%d half-lives, sorted: %t", len(lives), slices.IsSorted(lives))
			}
			var want []float64
			for c := range d.DInner {
				for n := range d.DState {
					s := m.NewState()
					_, h := m.layerState(s, 0)
					i := d.place(c)/16*16*d.DState + n*16 + d.place(c)%16
					const pushed = 1 << 14
					h[i] = pushed
					s = step(s)
					_, after := m.layerState(s, 0)
					_, plain := m.layerState(base, 0)
					left := float64(after[i]-plain[i]) / pushed
					want = append(want, -gap/math.Log2(left))
				}
			}
			slices.Sort(want)
			for i := range want {
				if math.Abs(lives[i]-want[i]) > 0.01*want[i] {
					t.Errorf("half-life %d of %d is %g events, the state's own is %g", i, len(want), lives[i], want[i])
				}
			}
		})
	}
}

func TestHalfLivesMoveTheStateAsAStepDoes(t *testing.T) {
	d := eventDims(16, 2)
	m := randomModel(t, d, 3)
	st := m.NewStepper(1)
	x := []float32{0.3, -1, 0.2, 2, -0.5, 0.1}
	a, b := m.NewState(), m.NewState()
	for range 3 {
		st.Step(make([]float32, d.NOutput), x, []float32{2}, []State{a})
		st.HalfLives(x, 2, b)
	}
	if !slices.Equal(a, b) {
		t.Error("the states differ")
	}
}
