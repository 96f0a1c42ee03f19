package ssm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func TestARowIsTheSameInEveryBatch(t *testing.T) {
	eachVariant(t, func(t *testing.T, m *Model) {
		const streams = 23
		w := walk{m, rand.New(rand.NewPCG(1, 1))}
		alone, together := newStates(m, streams), newStates(m, streams)
		one, many, few := m.NewStepper(1), m.NewStepper(64), m.NewStepper(5)
		for step := range 12 {
			x, gap, tokens := w.events(streams)
			batched := many
			if step%2 == 1 {
				batched = few
			}
			got := w.step(batched, x, gap, tokens, together)
			for i := range streams {
				want := w.step(one, pick(x, i, streams), pick(gap, i, streams), pick(tokens, i, streams), alone[i:i+1])
				if !sameBits(pick(got, i, streams), want) || !sameBits(together[i], alone[i]) {
					t.Fatalf("step %d: stream %d differs alone and among %d", step, i, streams)
				}
			}
		}
	})
}

// pick returns the i-th of n equal parts, nil of nil.
func pick[T any](s []T, i, n int) []T {
	if s == nil {
		return nil
	}
	width := len(s) / n
	return s[i*width:][:width]
}

// TestAnyScheduleGivesTheSameStates steps streams in random batches, in any
// order among the streams, and compares with each stream on its own.
func TestAnyScheduleGivesTheSameStates(t *testing.T) {
	m := randomModel(t, eventDims(20, 2), 4)
	rapid.Check(t, func(t *rapid.T) {
		const streams, events = 6, 5
		w := walk{m, rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))}
		x, gap, _ := w.events(streams * events)
		want, got := newStates(m, streams), newStates(m, streams)
		one, many := m.NewStepper(1), m.NewStepper(rapid.IntRange(1, 7).Draw(t, "maxBatch"))
		for i := range streams * events {
			w.step(one, pick(x, i, len(gap)), gap[i:i+1], nil, want[i%streams:][:1])
		}
		var done [streams]int
		for sumOf(done[:]) < streams*events {
			var batch []State
			var xs, gaps []float32
			for _, s := range rapid.Permutation([]int{0, 1, 2, 3, 4, 5}).Draw(t, "order") {
				if done[s] < events && rapid.Bool().Draw(t, "ready") {
					at := done[s]*streams + s
					xs, gaps, batch = append(xs, pick(x, at, len(gap))...), append(gaps, gap[at]), append(batch, got[s])
					done[s]++
				}
			}
			w.step(many, xs, gaps, nil, batch)
		}
		for s := range streams {
			if !sameBits(got[s], want[s]) {
				t.Fatalf("stream %d ended in another state", s)
			}
		}
	})
}

func sumOf(v []int) (sum int) {
	for _, n := range v {
		sum += n
	}
	return sum
}

func TestNoGapIsGapOne(t *testing.T) {
	m := randomModel(t, eventDims(32, 2), 5)
	w := walk{m, rand.New(rand.NewPCG(2, 2))}
	a, b, st := newStates(m, 3), newStates(m, 3), m.NewStepper(8)
	for range 5 {
		x, _, _ := w.events(3)
		if !sameBits(w.step(st, x, nil, nil, a), w.step(st, x, []float32{1, 1, 1}, nil, b)) {
			t.Fatal("nil gaps and gaps of 1 differ")
		}
	}
}

// TestALongGapForgets holds the meaning of the gap: after a long silence the
// past, all but the convolution's window, no longer matters.
func TestALongGapForgets(t *testing.T) {
	m := randomModel(t, eventDims(32, 1), 6)
	w := walk{m, rand.New(rand.NewPCG(3, 3))}
	st := m.NewStepper(2)
	diff := func(gap float32) float64 {
		states := newStates(m, 2)
		_, h := m.layerState(states[0], 0)
		for i := range h {
			h[i] = 1
		}
		x, _, _ := w.events(1)
		out := w.step(st, append(x, x...), []float32{gap, gap}, nil, states)
		return maxAbsDiff(pick(out, 0, 2), pick(out, 1, 2))
	}
	if short, long := diff(0.01), diff(1e4); !(short > 1e-3) || long > 1e-6 {
		t.Errorf("a different past changes the output by %g after a short gap and %g after a long one", short, long)
	}
}

func TestANonFiniteStreamHarmsNoOther(t *testing.T) {
	eachVariant(t, func(t *testing.T, m *Model) {
		w := walk{m, rand.New(rand.NewPCG(4, 4))}
		states, alone := newStates(m, 5), newStates(m, 5)
		states[2][len(states[2])/2] = float32(math.NaN())
		st, clean := m.NewStepper(3), m.NewStepper(3)
		for range 4 {
			x, gap, tokens := w.events(5)
			if x != nil {
				x[2*m.dims.NInput] = float32(math.Inf(1))
			}
			w.step(st, x, gap, tokens, states)
			for _, i := range []int{0, 1, 3, 4} {
				w.step(clean, pick(x, i, 5), pick(gap, i, 5), pick(tokens, i, 5), alone[i:i+1])
				if !sameBits(states[i], alone[i]) || !states[i].IsFinite() {
					t.Fatalf("stream %d was changed by its neighbour", i)
				}
			}
		}
		if states[2].IsFinite() && m.dims.NInput > 0 {
			t.Error("an infinite input left a finite state")
		}
	})
}

func TestAStepAllocatesNothing(t *testing.T) {
	m := randomModel(t, eventDims(64, 2), 1)
	st, states := m.NewStepper(8), newStates(m, 8)
	x, gap, _ := walk{m, rand.New(rand.NewPCG(1, 2))}.events(8)
	dst := make([]float32, 8*m.dims.NOutput)
	if n := testing.AllocsPerRun(20, func() { st.Step(dst, x, gap, states) }); n != 0 {
		t.Errorf("a step makes %v allocations", n)
	}
}

func TestStepPanicsOnWrongLengths(t *testing.T) {
	m := randomModel(t, eventDims(32, 1), 1)
	st, states := m.NewStepper(2), newStates(m, 1)
	x, dst := make([]float32, m.dims.NInput), make([]float32, m.dims.NOutput)
	for name, call := range map[string]func(){
		"x":        func() { st.Step(dst, x[1:], nil, states) },
		"dst":      func() { st.Step(dst[1:], x, nil, states) },
		"gap":      func() { st.Step(dst, x, []float32{1, 1}, states) },
		"state":    func() { st.Step(dst, x, nil, []State{states[0][1:]}) },
		"tokens":   func() { st.StepTokens(dst, []int32{0}, states) },
		"maxBatch": func() { m.NewStepper(0) },
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

func BenchmarkStep(b *testing.B) {
	for _, dModel := range []int{32, 64, 128} {
		for _, batch := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("d_model=%d/batch=%d", dModel, batch), func(b *testing.B) {
				benchmarkStep(b, randomModel(b, eventDims(dModel, 2), 1), batch, batch)
			})
		}
	}
}

// BenchmarkStepCold steps through 20,000 streams in random order, so that every
// state comes from main memory.
func BenchmarkStepCold(b *testing.B) {
	for _, dModel := range []int{32, 64} {
		b.Run(fmt.Sprintf("d_model=%d/batch=64", dModel), func(b *testing.B) {
			benchmarkStep(b, randomModel(b, eventDims(dModel, 2), 1), 64, 20_000)
		})
	}
}

func benchmarkStep(b *testing.B, m *Model, batch, streams int) {
	w := walk{m, rand.New(rand.NewPCG(1, 2))}
	states := m.NewStates(streams)
	for _, s := range states {
		for i := range s {
			s[i] = 1e-3 // so that every page is there
		}
	}
	w.rng.Shuffle(streams, func(i, j int) { states[i], states[j] = states[j], states[i] })
	st := m.NewStepper(batch)
	x, gap, _ := w.events(batch)
	dst := make([]float32, batch*m.dims.NOutput)
	b.ReportAllocs()
	at := 0
	for b.Loop() {
		if at+batch > streams {
			at = 0
		}
		st.Step(dst, x, gap, states[at:at+batch])
		at += batch
	}
	b.ReportMetric(float64(b.N)*float64(batch)/b.Elapsed().Seconds(), "steps/s")
}

func TestOneModelServesManyGoroutines(t *testing.T) {
	m := randomModel(t, eventDims(20, 2), 9)
	run := func() []float32 {
		w := walk{m, rand.New(rand.NewPCG(5, 5))}
		st, states := m.NewStepper(4), newStates(m, 4)
		var last []float32
		for range 20 {
			x, gap, _ := w.events(4)
			last = w.step(st, x, gap, nil, states)
		}
		return last
	}
	want := run()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if !sameBits(run(), want) {
				t.Error("a goroutine computed other bits")
			}
		})
	}
	wg.Wait()
}
