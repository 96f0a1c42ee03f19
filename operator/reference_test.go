package operator

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/weirstream/weir/ssm"
)

// The reference was written by training/train.py when it had trained the model:
// windows of telemetry and what PyTorch made of them.
func TestBuiltinMatchesPyTorch(t *testing.T) {
	tensors := readTensors(t, "testdata/telemetry-s.reference.safetensors")
	input, gap, want := tensors["input"], tensors["gap"], tensors["output"]
	m := loadBuiltin(t)
	stepper, out := m.ssm.NewStepper(1), make([]float32, nOutputs)
	const length = 200
	worst, steps := 0.0, 0
	for window := range len(gap) / length {
		state := []ssm.State{m.ssm.NewState()}
		for i := window * length; i < (window+1)*length; i++ {
			stepper.Step(out, input[i*nFeatures:][:nFeatures], gap[i:i+1], state)
			for k, v := range out {
				worst = max(worst, math.Abs(float64(v-want[i*nOutputs+k])))
			}
			steps++
		}
	}
	t.Logf("largest difference %.2g in %d steps", worst, steps)
	if steps != 4*length || !(worst < 1e-3) {
		t.Errorf("outputs differ by up to %v in %d steps", worst, steps)
	}
}

// readTensors reads a safetensors file of float32 tensors.
func readTensors(t *testing.T, path string) map[string][]float32 {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	start := 8 + binary.LittleEndian.Uint64(data)
	var header map[string]struct {
		Offsets [2]uint64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(data[8:start], &header); err != nil {
		t.Fatal(err)
	}
	tensors := map[string][]float32{}
	for name, at := range header {
		for b := data[start+at.Offsets[0] : start+at.Offsets[1]]; len(b) > 0; b = b[4:] {
			tensors[name] = append(tensors[name], math.Float32frombits(binary.LittleEndian.Uint32(b)))
		}
	}
	return tensors
}
