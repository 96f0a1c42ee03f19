package lti

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// lengths are around powers of two, around one chunk, where Run changes its form,
// and up to 10,000.
func lengths() []int {
	l := []int{0, 1, 2, 3, 100, 3*chunk - 1, 3 * chunk, 3*chunk + 1, 10_000}
	for p := 4; p <= 8192; p *= 2 {
		l = append(l, p-1, p, p+1)
	}
	return l
}

// A formCase is a system to run in all forms, and how near to Recur they must be.
type formCase struct {
	name string
	d    *Discrete
	tol  float64
}

func formCases(t testing.TB) []formCase {
	rng := newRand(7)
	a, b := LegS(16)
	legs := &System{A: a, B: b, C: normal(rng, 16), D: 0.5}
	lin := S4DLin(32)
	for i := range lin.C {
		lin.C[i] = complex(rng.NormFloat64(), rng.NormFloat64())
	}
	decays := S4DReal(16)
	for i := range decays.C {
		decays.C[i] = complex(rng.NormFloat64(), 0)
	}
	return []formCase{
		{"random dense", discretize(t, randomSystem(rng, 8), ZOH, 0.1), 1e-12},
		{"one state", discretize(t, randomSystem(rng, 1), Euler, 0.1), 1e-12},
		{"legs", discretize(t, legs, Bilinear, 0.01), 1e-12},
		{"s4d-lin", discretize(t, lin, ZOH, 0.001), 1e-12},
		{"s4d-real", discretize(t, decays, Euler, 0.01), 1e-12},
		{"random pairs", discretize(t, randomDiagonal(rng, 6, true), Bilinear, 0.05), 1e-12},
		// No decay at all: the state is the sum of everything, to the end.
		{"integrator", discretize(t, &Diagonal{A: []complex128{0}, B: []complex128{1}, C: []complex128{1}}, ZOH, 1), 1e-12},
	}
}

func TestFormsAgreeAtEveryLength(t *testing.T) {
	for _, c := range formCases(t) {
		for _, l := range lengths() {
			checkForms(t, c, l)
		}
	}
}

// More chunks than are held at once.
func TestFormsAgreeAcrossWaves(t *testing.T) {
	c := formCases(t)[0]
	for _, l := range []int{wave*chunk - 1, wave * chunk, wave*chunk + 1, wave*chunk + chunk + 5} {
		checkForms(t, c, l)
	}
}

func checkForms(t *testing.T, c formCase, l int) {
	t.Helper()
	start, x := normal(newRand(8), c.d.Order()), normal(newRand(uint64(l)), l)
	var y, h []float64
	for _, f := range forms(c.d) {
		s, out := c.d.NewState(), make([]float64, l)
		copy(s.H, start)
		f.run(out, s, x)
		if y == nil {
			y, h = out, s.H
		}
		wantClose(t, fmt.Sprintf("%s, %s, %d events: output", c.name, f.name, l), out, y, c.tol)
		wantClose(t, fmt.Sprintf("%s, %s, %d events: state", c.name, f.name, l), s.H, h, c.tol)
	}
}

func TestRecurIsStepAfterStep(t *testing.T) {
	for _, c := range formCases(t) {
		x := normal(newRand(1), 100)
		s, stepped := c.d.NewState(), c.d.NewState()
		y := make([]float64, len(x))
		c.d.Recur(y, s, x)
		for k, v := range x {
			if got := c.d.Step(stepped, v); got != y[k] {
				t.Fatalf("%s: event %d: Step %v, Recur %v", c.name, k, got, y[k])
			}
		}
		if !slices.Equal(s.H, stepped.H) {
			t.Errorf("%s: states differ", c.name)
		}
	}
}

// History by a parallel form, then live events by Step, is what Step alone gives.
func TestHistoryThenLiveHasNoSeam(t *testing.T) {
	const l, live = 9_999, 500
	for _, c := range formCases(t) {
		x := normal(newRand(2), l+live)
		want := make([]float64, len(x))
		c.d.Recur(want, c.d.NewState(), x)
		for _, f := range forms(c.d) {
			s, y := c.d.NewState(), make([]float64, len(x))
			f.run(y[:l], s, x[:l])
			for k := l; k < len(x); k++ {
				y[k] = c.d.Step(s, x[k])
			}
			wantClose(t, c.name+" after "+f.name, y[l:], want[l:], 1e-11)
		}
	}
}

func TestExactRunGivesTheBitsOfStep(t *testing.T) {
	const l, piece = 2*parallelFrom + 100, parallelFrom + 1 // long enough not to be exact by itself
	x := normal(newRand(3), l)
	for _, c := range formCases(t) {
		want, got := make([]float64, l), make([]float64, l)
		c.d.Recur(want, c.d.NewState(), x)
		c.d.Exact = true
		s := c.d.NewState()
		for at := 0; at < l; at += piece {
			end := min(at+piece, l)
			c.d.Run(got[at:end], s, x[at:end])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: Run with Exact differs from Recur", c.name)
		}
	}
}

func TestCoresChangeNoBit(t *testing.T) {
	const l = 12*chunk + 7
	x := normal(newRand(4), l)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, c := range formCases(t) {
		for _, f := range forms(c.d)[1:] {
			var y, h []float64
			for _, cores := range []int{1, 2, 7} {
				runtime.GOMAXPROCS(cores)
				s, out := c.d.NewState(), make([]float64, l)
				f.run(out, s, x)
				if y == nil {
					y, h = out, s.H
				}
				if !slices.Equal(out, y) || !slices.Equal(s.H, h) {
					t.Errorf("%s, %s: %d cores give other bits than one", c.name, f.name, cores)
				}
			}
		}
	}
}

func TestOutputMayOverwriteInput(t *testing.T) {
	const l = parallelFrom + chunk/2
	for _, c := range formCases(t) {
		for _, f := range forms(c.d) {
			x, y := normal(newRand(5), l), make([]float64, l)
			f.run(y, c.d.NewState(), x)
			f.run(x, c.d.NewState(), x)
			if !slices.Equal(x, y) {
				t.Errorf("%s, %s: output differs when written over the input", c.name, f.name)
			}
		}
	}
}

func TestDiscreteIsSharedByGoroutines(t *testing.T) {
	c := formCases(t)[0]
	x := normal(newRand(6), parallelFrom)
	outs := make([][]float64, 4)
	var wg sync.WaitGroup
	for i := range outs {
		wg.Go(func() { // the first of them makes the plan
			outs[i] = make([]float64, len(x))
			c.d.Run(outs[i], c.d.NewState(), x)
		})
	}
	wg.Wait()
	for _, y := range outs[1:] {
		if !slices.Equal(y, outs[0]) {
			t.Error("goroutines that share a Discrete disagree")
		}
	}
}

func TestStepAllocatesNothing(t *testing.T) {
	for _, c := range formCases(t) {
		s := c.d.NewState()
		if n := testing.AllocsPerRun(100, func() { c.d.Step(s, 1) }); n != 0 {
			t.Errorf("%s: %v allocations a step", c.name, n)
		}
	}
}

func TestKernelIsTheImpulseResponse(t *testing.T) {
	const l = 2*chunk + 10
	impulse := make([]float64, l)
	impulse[0] = 1
	for _, c := range formCases(t) {
		want := make([]float64, l)
		c.d.Recur(want, c.d.NewState(), impulse)
		want[0] -= c.d.d
		wantClose(t, c.name, c.d.Kernel(l), want, 1e-12)
	}
}

func TestCausalConvolveIsTheOutputFromRest(t *testing.T) {
	for _, c := range formCases(t) {
		for _, l := range []int{0, 1, 2, 3, 7, 8, 9, 1000, 1024, 1025, 5000} {
			x := normal(newRand(9), l)
			want := make([]float64, l)
			c.d.Recur(want, c.d.NewState(), x)
			got := make([]float64, l)
			CausalConvolve(got, c.d.Kernel(l+3), x)
			for k, v := range x {
				got[k] += c.d.d * v
			}
			wantClose(t, fmt.Sprintf("%s, %d events", c.name, l), got, want, 1e-12)
		}
	}
}

// The element of a chunk acts on a state as its events do, and the element of two
// chunks in a row is the composition of theirs: what makes the scan associative.
func TestElementsCompose(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := newRand(rapid.Uint64().Draw(t, "seed"))
		n := rapid.IntRange(1, 6).Draw(t, "n")
		q1, q2 := rapid.IntRange(1, chunk/2).Draw(t, "q1"), rapid.IntRange(1, chunk/2).Draw(t, "q2")
		d, err := randomSystem(rng, n).Discretize(ZOH, 0.1)
		if err != nil {
			t.Fatal(err)
		}
		p, x, h := d.plan(), normal(rng, q1+q2), normal(rng, n)
		element := func(x []float64) []float64 {
			b := make([]float64, n)
			p.reduce(b, x, make([]float64, chunk))
			return b
		}
		apply := func(h, b []float64, q int) []float64 {
			dst := make([]float64, n)
			p.advance(dst, h, b, make([]float64, n), q)
			return dst
		}
		b1, b2 := element(x[:q1]), element(x[q1:])
		twice := apply(apply(h, b1, q1), b2, q2)
		// (Ā^q1, b1) ∘ (Ā^q2, b2) = (Ā^(q1+q2), Ā^q2 b1 + b2)
		composed := apply(h, apply(b1, b2, q2), q1+q2)
		s := &State{H: slices.Clone(h), next: make([]float64, n)}
		d.Recur(make([]float64, len(x)), s, x)
		if e := math.Max(relative(twice, s.H), relative(composed, s.H)); !(e < 1e-11) {
			t.Fatalf("relative error %.1e", e)
		}
	})
}

// Any stable system, any rule, any length and any cut of the history.
func TestFormsAgreeOnRandomSystems(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := newRand(rapid.Uint64().Draw(t, "seed"))
		n := rapid.IntRange(1, 12).Draw(t, "n")
		rule := rapid.SampledFrom([]Rule{ZOH, Bilinear, Euler}).Draw(t, "rule")
		dt := math.Pow(10, rapid.Float64Range(-3, 0).Draw(t, "log10 dt"))
		var sys discretizer = randomSystem(rng, n)
		if rapid.Bool().Draw(t, "diagonal") {
			sys = randomDiagonal(rng, n, rapid.Bool().Draw(t, "pairs"))
		}
		d, err := sys.Discretize(rule, dt)
		if err != nil {
			t.Fatal(err)
		}
		x := normal(rng, rapid.IntRange(1, 4*chunk).Draw(t, "events"))
		cut := rapid.IntRange(0, len(x)).Draw(t, "cut")
		s, y := d.NewState(), make([]float64, len(x))
		d.Recur(y, s, x)
		for _, f := range forms(d)[1:] {
			own, out := d.NewState(), make([]float64, len(x))
			f.run(out[:cut], own, x[:cut])
			f.run(out[cut:], own, x[cut:])
			if e := math.Max(relative(out, y), relative(own.H, s.H)); !(e < 1e-10) {
				t.Fatalf("%s: relative error %.1e", f.name, e)
			}
		}
	})
}
