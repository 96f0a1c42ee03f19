package ssm

import (
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// rememberingModel is randomModel with Δ near 0.02, so that the past matters
// over some 50 events and every seam shows.
func rememberingModel(t testing.TB, d Dims, seed uint64) *Model {
	t.Helper()
	return withDelta(t, d, seed, -4)
}

// withDelta is randomModel with the bias of Δ, before softplus, near a value.
func withDelta(t testing.TB, d Dims, seed uint64, bias float32) *Model {
	t.Helper()
	tensors := randomTensors(d, seed)
	for _, tensor := range tensors {
		if strings.HasSuffix(tensor.Name, "dt_proj.bias") || strings.HasSuffix(tensor.Name, "dt_bias") {
			for i := range tensor.Data {
				tensor.Data[i] += bias
			}
		}
	}
	m, err := New(d, tensors, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// eachRemembering runs test for every kind of model.
func eachRemembering(t *testing.T, test func(t *testing.T, m *Model)) {
	for name, d := range variants() {
		t.Run(name, func(t *testing.T) { test(t, rememberingModel(t, d, 11)) })
	}
}

// history returns n events of a stream, tokens or rows.
func (w walk) history(n int) (x, gap []float32, tokens []int32) {
	x, gap, tokens = w.events(n)
	if tokens != nil {
		return nil, nil, tokens
	}
	return x, gap, nil
}

// run takes s through a history in a form, with chunks of a length.
func (w walk) run(f form, chunk int, x, gap []float32, tokens []int32, s State) []float32 {
	d := w.m.dims
	if d.Vocab > 0 {
		dst := make([]float32, len(tokens)*d.Vocab)
		w.m.runTokens(dst, tokens, s, f, chunk)
		return dst
	}
	dst := make([]float32, len(x)/d.NInput*d.NOutput)
	w.m.run(dst, x, gap, s, f, chunk)
	return dst
}

// steps takes s through a history by Step, event by event.
func (w walk) steps(x, gap []float32, tokens []int32, s State) []float32 {
	n := max(len(gap), len(tokens))
	st, states := w.m.NewStepper(1), []State{s}
	var dst []float32
	for i := range n {
		dst = append(dst, w.step(st, pick(x, i, n), pick(gap, i, n), pick(tokens, i, n), states)...)
	}
	return dst
}

// relative returns the greatest difference over the greatest magnitude.
func relative(got, want []float32) float64 {
	scale := 0.0
	for _, v := range want {
		scale = max(scale, math.Abs(float64(v)))
	}
	return maxAbsDiff(got, want) / max(scale, 1e-30)
}

// parts returns the two kinds of memory of a State apart, all layers together.
func (m *Model) parts(s State) (conv, h []float32) {
	for i := range m.dims.NLayer {
		c, state := m.layerState(s, i)
		conv, h = append(conv, c...), append(h, state...)
	}
	return conv, h
}

// agrees fails where the parallel form's results are further than 1e-5 from
// those of single steps.
func agrees(t *testing.T, m *Model, got, want []float32, s, stepped State) (worst float64) {
	t.Helper()
	conv, h := m.parts(s)
	wantConv, wantH := m.parts(stepped)
	worst = max(relative(got, want), relative(h, wantH), relative(conv, wantConv))
	if !(worst <= 1e-5) {
		t.Errorf("differs from single steps by %g, want at most 1e-5", worst)
	}
	return worst
}

// lengths are those around the edges of chunks and windows.
func lengths(chunk int) []int {
	return []int{
		1, 2, chunk - 1, chunk, chunk + 1, 2 * chunk, 3*chunk - 1, 5*chunk + 2,
		windowLen*chunk - 1, windowLen * chunk, windowLen*chunk + 1, windowLen*chunk + chunk + 3,
	}
}

func TestSequentialFormGivesTheBitsOfSteps(t *testing.T) {
	eachRemembering(t, func(t *testing.T, m *Model) {
		w := walk{m, rand.New(rand.NewPCG(3, 1))}
		const chunk = 3
		for _, n := range append(lengths(chunk), 0) {
			x, gap, tokens := w.history(n)
			b := m.NewState()
			want := w.steps(x, gap, tokens, b)
			for _, cores := range []int{1, 2, 7} {
				a := m.NewState()
				onCores(cores, func() {
					if !sameBits(w.run(sequential, chunk, x, gap, tokens, a), want) || !sameBits(a, b) {
						t.Fatalf("%d events on %d cores: other bits than single steps give", n, cores)
					}
				})
			}
		}
	})
}

func onCores(n int, f func()) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
	f()
}

func TestParallelFormAgreesWithSteps(t *testing.T) {
	const chunk = 5 // many seams for few events
	eachRemembering(t, func(t *testing.T, m *Model) {
		w := walk{m, rand.New(rand.NewPCG(3, 2))}
		worst := 0.0
		for _, n := range lengths(chunk) {
			x, gap, tokens := w.history(n)
			a, b := m.NewState(), m.NewState()
			got, want := w.run(parallel, chunk, x, gap, tokens, a), w.steps(x, gap, tokens, b)
			worst = max(worst, agrees(t, m, got, want, a, b))
		}
		t.Logf("greatest difference %.2g", worst)
	})
}

// TestRunAgreesWithStepsAtEveryLength goes through the chunks that Run itself
// takes, with the form that it picks.
func TestRunAgreesWithStepsAtEveryLength(t *testing.T) {
	for name, d := range runDims() {
		t.Run(name, func(t *testing.T) {
			m := rememberingModel(t, d, 5)
			w := walk{m, rand.New(rand.NewPCG(3, 3))}
			for _, n := range append(lengths(chunkLen), parallelFrom-1, parallelFrom, 4096) {
				x, gap, _ := w.events(n)
				got, exact := make([]float32, n*d.NOutput), make([]float32, n*d.NOutput)
				a, b, c := m.NewState(), m.NewState(), m.NewState()
				want := w.steps(x, gap, nil, b)
				m.Run(got, x, gap, a, false)
				agrees(t, m, got, want, a, b)
				if m.Run(exact, x, gap, c, true); !sameBits(exact, want) || !sameBits(c, b) {
					t.Errorf("%d events: exact gives other bits than Step", n)
				}
				if sameBits(got, want) && n >= parallelFrom {
					t.Errorf("%d events: the bits of single steps; was this the parallel form?", n)
				}
			}
		})
	}
}

// TestALongMemoryStaysWithinItsTolerance repeats one input for 4,096 events with
// Δ near 0.0003: the same rounding error of the same exponential, every time.
func TestALongMemoryStaysWithinItsTolerance(t *testing.T) {
	const n = 4096
	for name, d := range runDims() {
		t.Run(name, func(t *testing.T) {
			m := withDelta(t, d, 3, -8)
			x := make([]float32, n*d.NInput)
			for i := range x {
				x[i] = 0.5
			}
			got, want := make([]float32, n*d.NOutput), make([]float32, n*d.NOutput)
			a, b := m.NewState(), m.NewState()
			m.Run(got, x, nil, a, false)
			m.Run(want, x, nil, b, true)
			worst := max(relative(got, want), relative(a, b))
			if t.Logf("greatest difference %.2g", worst); !(worst <= 1e-7*n) {
				t.Errorf("differs from the exact form by %g, want at most %g", worst, 1e-7*n)
			}
		})
	}
}

// runDims are small models that are quick over long histories.
func runDims() map[string]Dims {
	return map[string]Dims{
		"mamba":  {DModel: 8, DInner: 16, DState: 4, DConv: 4, DTRank: 1, NLayer: 2, NInput: 2, NOutput: 2, UseConvBias: true, NormEps: 1e-5},
		"mamba2": {DModel: 8, DInner: 32, DState: 4, DConv: 4, NHead: 2, NGroup: 1, DTMax: math.Inf(1), NLayer: 2, NInput: 2, NOutput: 2, NormEps: 1e-5},
	}
}

func TestAHistoryGoesOnWithoutASeam(t *testing.T) {
	for name, d := range runDims() {
		t.Run(name, func(t *testing.T) {
			m := rememberingModel(t, d, 6)
			rapid.Check(t, func(t *rapid.T) {
				w := walk{m, rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))}
				n := rapid.IntRange(2, 300).Draw(t, "events")
				x, gap, _ := w.events(n)
				whole, parts := m.NewState(), m.NewState()
				want := w.steps(x, gap, nil, whole)
				var got []float32
				for at := 0; at < n; {
					to := min(n, at+rapid.IntRange(1, 150).Draw(t, "part"))
					px, pgap := x[at*d.NInput:to*d.NInput], gap[at:to]
					switch rapid.IntRange(0, 2).Draw(t, "form") {
					case 0:
						got = append(got, w.steps(px, pgap, nil, parts)...)
					case 1:
						got = append(got, w.run(sequential, 16, px, pgap, nil, parts)...)
					case 2:
						got = append(got, w.run(parallel, 16, px, pgap, nil, parts)...)
					}
					at = to
				}
				if worst := max(relative(got, want), relative(parts, whole)); !(worst <= 1e-5) {
					t.Fatalf("in parts and forms of any kind: %g from single steps", worst)
				}
			})
		})
	}
}

func TestTheNumberOfCoresDoesNotChangeABit(t *testing.T) {
	for name, d := range runDims() {
		t.Run(name, func(t *testing.T) {
			m := rememberingModel(t, d, 7)
			w := walk{m, rand.New(rand.NewPCG(3, 4))}
			x, gap, _ := w.events(windowLen*chunkLen + 3*chunkLen + 7)
			run := func(cores int) ([]float32, State) {
				dst, s := make([]float32, len(gap)*d.NOutput), m.NewState()
				onCores(cores, func() { m.Run(dst, x, gap, s, false) })
				return dst, s
			}
			want, state := run(1)
			for _, cores := range []int{2, 7} {
				if got, s := run(cores); !sameBits(got, want) || !sameBits(s, state) {
					t.Errorf("%d cores give other bits than one", cores)
				}
			}
		})
	}
}

func TestRunWithoutOutputGivesTheSameState(t *testing.T) {
	eachRemembering(t, func(t *testing.T, m *Model) {
		w := walk{m, rand.New(rand.NewPCG(3, 5))}
		for _, f := range []form{sequential, parallel} {
			x, gap, tokens := w.history(20)
			a, b := m.NewState(), m.NewState()
			w.run(f, 6, x, gap, tokens, a)
			if m.dims.Vocab > 0 {
				m.runTokens(nil, tokens, b, f, 6)
			} else {
				m.run(nil, x, gap, b, f, 6)
			}
			if !sameBits(a, b) {
				t.Error("the state differs where no output is wanted")
			}
		}
	})
}

// TestRunKeepsNothingOfAHistorysLength compares what a history of twice the
// length allocates; a trace of the states alone would be 4 MiB more.
func TestRunKeepsNothingOfAHistorysLength(t *testing.T) {
	d := eventDims(8, 1)
	m := rememberingModel(t, d, 8)
	w := walk{m, rand.New(rand.NewPCG(3, 6))}
	const n = 2 * windowLen * chunkLen
	x, gap, _ := w.events(2 * n)
	dst := make([]float32, 2*n*d.NOutput)
	for _, exact := range []bool{false, true} {
		bytes := func(n int) uint64 {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			m.Run(dst[:n*d.NOutput], x[:n*d.NInput], gap[:n], m.NewState(), exact)
			runtime.ReadMemStats(&after)
			return after.TotalAlloc - before.TotalAlloc
		}
		short, long := bytes(n), bytes(2*n)
		if state := uint64(4 * n * d.DInner * d.DState); long > short+state/32 {
			t.Errorf("exact %v: %d events allocate %d bytes, %d allocate %d", exact, n, short, 2*n, long)
		}
	}
}

func TestAlongGapForgetsInTheParallelForm(t *testing.T) {
	m := rememberingModel(t, eventDims(16, 1), 9)
	w := walk{m, rand.New(rand.NewPCG(3, 7))}
	const n = 40
	x, gap, _ := w.events(n)
	gap[13] = 1e6 // inside a chunk that is reduced
	fresh, aged := m.NewState(), m.NewState()
	_, h := m.layerState(aged, 0)
	for i := range h {
		h[i] = 1
	}
	a, b := w.run(parallel, 6, x, gap, nil, fresh), w.run(parallel, 6, x, gap, nil, aged)
	before, after := 12*m.dims.NOutput, 14*m.dims.NOutput
	if relative(a[:before], b[:before]) < 1e-4 || relative(a[after:], b[after:]) > 1e-6 {
		t.Errorf("a different past changes the output by %g before a long gap and by %g after",
			relative(a[:before], b[:before]), relative(a[after:], b[after:]))
	}
}

func TestRunPanicsOnWrongLengths(t *testing.T) {
	m := randomModel(t, eventDims(8, 1), 1)
	x, dst, s := make([]float32, 2*m.dims.NInput), make([]float32, 2*m.dims.NOutput), m.NewState()
	for name, call := range map[string]func(){
		"x":      func() { m.Run(dst, x[1:], nil, s, true) },
		"dst":    func() { m.Run(dst[1:], x, nil, s, true) },
		"gap":    func() { m.Run(dst, x, []float32{1}, s, false) },
		"state":  func() { m.Run(dst, x, nil, s[1:], false) },
		"tokens": func() { m.RunTokens(nil, []int32{0}, s, false) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call()
		}()
	}
}
