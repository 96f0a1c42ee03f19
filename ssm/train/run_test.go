package train

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/weirstream/weir/ssm"
)

var tinyDims = ssm.Dims{
	DModel: 8, DInner: 16, DState: 4, DConv: 3, DTRank: 1, NLayer: 2,
	NInput: 1, NOutput: 9, UseConvBias: true, NormEps: 1e-5,
}

// echo returns series whose targets are the inputs of three and one rows ago, which only
// a memory can know.
func echo(n int) []Series {
	rng := rand.New(rand.NewPCG(5, 5))
	series := make([]Series, n)
	for i := range series {
		var inputs [203]float32
		for t := range inputs {
			inputs[t] = float32(rng.IntN(2)*2 - 1)
		}
		for t := range 200 {
			further := float32(math.NaN())
			if t+2 < 200 {
				further = inputs[t+2]
			}
			series[i].Rows = append(series[i].Rows, inputs[t+3], inputs[t], further, 1)
		}
		series[i].Split = 160
	}
	return series
}

func echoOptions(steps int) RunOptions {
	return RunOptions{
		Options: Options{Rate: 2e-2, Decay: 0.01, Clip: 1, Steps: steps},
		Seed:    1, Batch: 8,
	}
}

func newEchoRun(t *testing.T, steps int) *Run {
	t.Helper()
	r, err := NewRun(randomModel(t, tinyDims, 1), testForecasts, NewData(1, 40, []int{1, 3}, echo(4)), echoOptions(steps))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func finish(t *testing.T, r *Run) *ssm.Model {
	t.Helper()
	for !r.Done() {
		if _, _, err := r.Step(); err != nil {
			t.Fatal(err)
		}
	}
	m, err := r.Model()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTrainingLearnsToRemember(t *testing.T) {
	r := newEchoRun(t, 120)
	finish(t, r)
	before, after := r.Points()[0].HeldOut, r.Best().HeldOut
	t.Logf("held-out loss %.3f, then %.3f", before, after)
	// Without a memory of three rows the best are the coin's own quantiles: every one
	// at the nearer side, the median anywhere.
	if blind := 2*0.1*0.05 + 2*0.2*0.25 + 0.4*0.5; after > blind/2 {
		t.Errorf("held-out loss went from %v to %v only", before, after)
	}
}

func TestNumberOfCoresDoesNotChangeTheResult(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var fingerprints [][16]byte
	for _, cores := range []int{1, 2, 3} {
		runtime.GOMAXPROCS(cores)
		fingerprints = append(fingerprints, finish(t, newEchoRun(t, 6)).Fingerprint())
	}
	if fingerprints[0] != fingerprints[1] || fingerprints[0] != fingerprints[2] {
		t.Errorf("models trained on 1, 2 and 3 cores: %x", fingerprints)
	}
}

// More windows than there are shards: each must count, and once.
func TestGradientIsTheSumOverAllWindows(t *testing.T) {
	m := randomModel(t, tinyDims, 2)
	tr, err := NewTrainer(m, testForecasts, Options{})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(8, 8))
	batch, targets := make([]Window, 2*shards+3), 0
	for i := range batch {
		batch[i] = *randomWindow(tinyDims, 5+i%7, rng)
		targets += batch[i].NumTargets()
	}
	loss, err := tr.gradient(batch)
	if err != nil {
		t.Fatal(err)
	}
	want, grad := 0.0, newParams(tinyDims, m.Tensors())
	net := newNetwork(tinyDims, paramsOf(m), testForecasts.loss())
	for i := range batch {
		want += new(pass).run(net, grad, &batch[i], 1/float32(targets)) / float64(targets)
	}
	if math.Abs(loss/want-1) > 1e-6 {
		t.Errorf("the loss is %v, want %v", loss, want)
	}
	if e := relativeError(tr.grads[0].slab, grad.slab); e > 1e-5 {
		t.Errorf("the gradient's relative error is %v", e)
	}
}

func TestRunGoesOnFromItsCheckpointToTheSameBytes(t *testing.T) {
	want := newEchoRun(t, 25)
	model := finish(t, want)
	for _, at := range []int{1, 10, 14} {
		var file bytes.Buffer
		killed := newEchoRun(t, 25)
		for range at {
			if _, _, err := killed.Step(); err != nil {
				t.Fatal(err)
			}
		}
		if err := killed.Checkpoint(&file); err != nil {
			t.Fatal(err)
		}
		r := newEchoRun(t, 0) // the checkpoint knows the steps
		if err := r.Restore(bytes.NewReader(file.Bytes()), int64(file.Len())); err != nil {
			t.Fatal(err)
		}
		if r.Steps() != at {
			t.Fatalf("restored at step %d, want %d", r.Steps(), at)
		}
		if got := finish(t, r); got.Fingerprint() != model.Fingerprint() {
			t.Errorf("killed at step %d: the model is another", at)
		}
		var a, b bytes.Buffer
		if err := errors.Join(r.Checkpoint(&a), want.Checkpoint(&b)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("killed at step %d: the last checkpoint is another", at)
		}
	}
}

func TestCheckpointOfAnotherRunIsRefused(t *testing.T) {
	var file bytes.Buffer
	if err := newEchoRun(t, 5).Checkpoint(&file); err != nil {
		t.Fatal(err)
	}
	data := echo(4)
	data[3].Rows[0]++
	r, err := NewRun(randomModel(t, tinyDims, 1), testForecasts, NewData(1, 40, []int{1, 3}, data), echoOptions(5))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Restore(bytes.NewReader(file.Bytes()), int64(file.Len())); !errors.Is(err, ErrForeign) {
		t.Errorf("other data: got error %v, want ErrForeign", err)
	}
	damaged := bytes.Replace(file.Bytes(), []byte(`"params"`), []byte(`"parans"`), 1)
	if err := newEchoRun(t, 5).Restore(bytes.NewReader(damaged), int64(len(damaged))); err == nil || !strings.Contains(err.Error(), `"params"`) {
		t.Errorf("a missing tensor: got error %v", err)
	}
	if err := newEchoRun(t, 5).Restore(bytes.NewReader(file.Bytes()[:100]), 100); err == nil {
		t.Error("a cut file is restored")
	}
}

func FuzzRestore(f *testing.F) {
	m, err := ssm.New(tinyDims, Initial(tinyDims, 1), nil)
	if err != nil {
		f.Fatal(err)
	}
	fresh := func() *Run {
		r, err := NewRun(m, testForecasts, NewData(1, 8, []int{1, 3}, []Series{{Rows: make([]float32, 60), Split: 10}}), echoOptions(3))
		if err != nil {
			f.Fatal(err)
		}
		return r
	}
	var file bytes.Buffer
	if err := fresh().Checkpoint(&file); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Add(file.Bytes()[:200])
	f.Fuzz(func(t *testing.T, data []byte) {
		r := fresh()
		if err := r.Restore(bytes.NewReader(data), int64(len(data))); err == nil {
			if err := r.Checkpoint(&bytes.Buffer{}); err != nil {
				t.Error(err)
			}
		} else if r.Steps() != 0 {
			t.Error("a refused checkpoint moved the run")
		}
	})
}

func TestDivergenceIsAnErrorAndLeavesTheParameters(t *testing.T) {
	d := tinyDims
	tr, err := NewTrainer(randomModel(t, d, 1), testForecasts, Options{Rate: 1e-3, Clip: 1, Steps: 5})
	if err != nil {
		t.Fatal(err)
	}
	before := append([]float32{}, tr.params.slab...)
	w := randomWindow(d, 10, rand.New(rand.NewPCG(1, 1)))
	w.Targets[7] = float32(math.NaN())
	if _, err := tr.Step([]Window{*w}); !errors.Is(err, ErrDiverged) {
		t.Fatalf("got error %v, want ErrDiverged", err)
	}
	for i, v := range tr.params.slab {
		if v != before[i] {
			t.Fatal("the parameters moved")
		}
	}
}

func TestModelWithOtherOutputsIsRefused(t *testing.T) {
	d := tinyDims
	d.NOutput = 4
	if _, err := NewTrainer(randomModel(t, d, 1), testForecasts, Options{}); !errors.Is(err, ssm.ErrModel) {
		t.Errorf("got error %v, want ErrModel", err)
	}
}

func TestMamba2ModelIsRefused(t *testing.T) {
	dirs, err := filepath.Glob("../testdata/mamba2/*/config.json")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no model of Mamba-2 (%v)", err)
	}
	m := loadModel(t, filepath.Dir(dirs[0]))
	if _, err := NewTrainer(m, nil, Options{}); !errors.Is(err, ssm.ErrModel) || !strings.Contains(err.Error(), "Mamba-2") {
		t.Errorf("got error %v, want ErrModel", err)
	}
}

// What is trained must be what is served: the outputs of the forward pass are, bit
// for bit, those of the stepper.
func TestForwardPassIsTheServedModel(t *testing.T) {
	for name, d := range variants() {
		if d.Vocab > 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			m := randomModel(t, d, 9)
			w := randomWindow(d, chunk+5, rand.New(rand.NewPCG(4, 4)))
			var got [][]float32
			record := func(_ *Window, out []float32, ld, _, rows int, _ float32) float64 {
				for i := range rows {
					got = append(got, append([]float32{}, out[i*ld:][:d.NOutput]...))
				}
				return 0
			}
			new(pass).run(newNetwork(d, paramsOf(m), record), nil, w, 1)
			steps, state := m.NewStepper(1), []ssm.State{m.NewState()}
			want := make([]float32, d.NOutput)
			for i := range w.len() {
				steps.Step(want, w.Inputs[i*d.NInput:][:d.NInput], w.Gaps[i:i+1], state)
				for j := range want {
					if math.Float32bits(want[j]) != math.Float32bits(got[i][j]) {
						t.Fatalf("row %d, output %d: %v, the stepper has %v", i, j, got[i][j], want[j])
					}
				}
			}
		})
	}
}

func TestHeldOutRowsAreNeverTrainedOn(t *testing.T) {
	series := echo(3)
	for i := range series {
		for r := range 200 {
			series[i].Rows[r*4] = float32(r) // the row's number as its input
		}
	}
	series = append(series, Series{Rows: make([]float32, 40), Split: 0})
	data := NewData(1, 64, []int{1, 3}, series)
	for _, length := range []int{64, 170, 1000} {
		for step := range 100 {
			for _, w := range NewData(1, length, []int{1, 3}, series).batch(3, step, 8) {
				if last := w.Inputs[len(w.Inputs)-1]; last >= 160 || len(w.Inputs) > length {
					t.Fatalf("length %d, step %d: a window of %d rows has row %v", length, step, len(w.Inputs), last)
				}
				for i, further := range w.Further[0] {
					if known, want := further == further, w.Inputs[i]+2 < 160; known != want {
						t.Fatalf("row %v: its target two rows on is known: %v", w.Inputs[i], known)
					}
				}
			}
		}
	}
	seen := map[float32]int{}
	for _, w := range data.heldOut() {
		for i, in := range w.Inputs {
			if w.Counts[i] {
				seen[in]++
			}
		}
	}
	for r := 160; r < 200; r++ {
		if seen[float32(r)] != 3 {
			t.Errorf("row %d is measured %d times in 3 series", r, seen[float32(r)])
		}
	}
}
