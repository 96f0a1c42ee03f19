package builtin

import (
	"bytes"
	"math"
	"os"
	"testing"

	"github.com/weirstream/weir/ssm"
)

// TestHuggingFaceReadsTheCore holds telemetry-s against what Hugging Face's MambaModel
// makes of the same folder (testdata/make_reference.py): an event model is a Mamba of
// theirs with other ends.
func TestHuggingFaceReadsTheCore(t *testing.T) {
	fsys, err := Open("telemetry-s")
	if err != nil {
		t.Fatal(err)
	}
	m, err := ssm.Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	reference := readReference(t, "testdata/hf-core.safetensors")
	x, want := reference["x"], reference["out"]
	got := make([]float32, len(want))
	m.Run(got, x, nil, m.NewState(), true)
	worst := 0.0
	for i := range want {
		worst = max(worst, math.Abs(float64(got[i]-want[i])))
	}
	t.Logf("largest difference %.1e over %d outputs", worst, len(want))
	if worst > 1e-5 {
		t.Errorf("differs from Hugging Face by %g, want at most 1e-5; "+
			"if the model was trained again, run testdata/make_reference.py", worst)
	}
}

func readReference(t *testing.T, name string) map[string][]float32 {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	tensors, err := ssm.ReadTensors(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	byName := make(map[string][]float32)
	for _, tensor := range tensors {
		byName[tensor.Name] = tensor.Data
	}
	return byName
}

func TestOpenNamesWhatThereIs(t *testing.T) {
	if _, err := Open("telemetry-xl"); err == nil {
		t.Error("a model that is not built in opened")
	}
}
