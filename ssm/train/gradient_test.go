package train

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/weirstream/weir/ssm"
)

// fixtures are models with the gradients that PyTorch computed.
const fixtures = "../testdata/mamba"

func loadModel(t testing.TB, dir string) *ssm.Model {
	t.Helper()
	m, err := ssm.Load(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func readTensors(t testing.TB, path string) map[string][]float32 {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tensors, err := ssm.ReadTensors(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string][]float32{}
	for _, tensor := range tensors {
		byName[tensor.Name] = tensor.Data
	}
	return byName
}

// fixtureTokens reads input_ids, the one tensor of integers.
func fixtureTokens(t testing.TB, path string) [][]int32 {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(data)
	var header struct {
		IDs struct {
			Shape   [2]int `json:"shape"`
			Offsets [2]int `json:"data_offsets"`
		} `json:"input_ids"`
	}
	if err := json.Unmarshal(data[8:8+n], &header); err != nil {
		t.Fatal(err)
	}
	rest := data[8+int(n)+header.IDs.Offsets[0]:]
	sequences := make([][]int32, header.IDs.Shape[0])
	for i := range sequences {
		for j := range header.IDs.Shape[1] {
			sequences[i] = append(sequences[i], int32(binary.LittleEndian.Uint64(rest[8*(i*header.IDs.Shape[1]+j):])))
		}
	}
	return sequences
}

func paramsOf(m *ssm.Model) *params {
	p := newParams(m.Dims(), m.Tensors())
	for i, tensor := range m.Tensors() {
		copy(p.tensors[i].Data, tensor.Data)
	}
	return p
}

func TestGradientsAreThoseOfPyTorch(t *testing.T) {
	for _, name := range []string{"mamba-small", "mamba-odd", "mamba-64"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(fixtures, name)
			m := loadModel(t, dir)
			want := readTensors(t, filepath.Join(dir, "gradients.safetensors"))
			sequences := fixtureTokens(t, filepath.Join(dir, "reference.safetensors"))
			targets := len(sequences) * (len(sequences[0]) - 1)

			net := newNetwork(m.Dims(), paramsOf(m), CrossEntropy(m.Dims().Vocab))
			grad := newParams(m.Dims(), m.Tensors())
			loss, ps := 0.0, &pass{}
			for _, tokens := range sequences {
				loss += ps.run(net, grad, &Window{Tokens: tokens}, 1/float32(targets))
			}
			loss /= float64(targets)
			ref := float64(want["loss"][0])
			t.Logf("loss %.7g, PyTorch %.7g, relative error %.1e", loss, ref, math.Abs(loss/ref-1))
			if math.Abs(loss/ref-1) > 1e-4 {
				t.Errorf("loss is %v, want %v", loss, ref)
			}
			worst := 0.0
			for _, tensor := range grad.tensors {
				if want[tensor.Name] == nil {
					t.Fatalf("no gradient of %s in the fixture", tensor.Name)
				}
				e := relativeError(tensor.Data, want[tensor.Name])
				worst = max(worst, e)
				if !(e <= 1e-3) {
					t.Errorf("gradient of %s: relative error %.1e", tensor.Name, e)
				}
			}
			t.Logf("worst relative error of a tensor's gradient: %.1e", worst)
		})
	}
}

// relativeError is |got - want| / |want|, Euclidean norms.
func relativeError(got, want []float32) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	var diff, norm float64
	for i := range want {
		d := float64(got[i]) - float64(want[i])
		diff += d * d
		norm += float64(want[i]) * float64(want[i])
	}
	return math.Sqrt(diff / norm)
}
