package ssm

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

var fixtures = []string{
	"mamba/mamba-small", "mamba/mamba-odd", "mamba/mamba-64",
	"mamba2/mamba2-small", "mamba2/mamba2-odd", "mamba2/mamba2-limit",
}

func TestStepsAgreeWithReference(t *testing.T) {
	for _, name := range fixtures {
		t.Run(name, func(t *testing.T) {
			errs, err := Verify(os.DirFS("testdata/" + name))
			if err != nil {
				t.Fatal(err)
			}
			if len(errs) < 4 {
				t.Fatalf("compared only %v", errs)
			}
			for _, e := range errs {
				t.Logf("%-14s %.2g", e.Tensor, e.MaxAbs)
			}
			if worst := errs.Max(); !(worst <= 1e-5) {
				t.Errorf("greatest difference %g, want at most 1e-5", worst)
			}
		})
	}
}

// spoil copies a fixture into memory with its reference changed.
func spoil(t *testing.T, change func(tensors []fileTensor, data map[string][]byte) []fileTensor) fstest.MapFS {
	t.Helper()
	dir := os.DirFS("testdata/mamba/mamba-small")
	fsys := fstest.MapFS{}
	for _, name := range []string{configName, weightsName} {
		data, err := fs.ReadFile(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		fsys[name] = &fstest.MapFile{Data: data}
	}
	file, f, err := openFile(dir, referenceName)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data := map[string][]byte{}
	if err := file.read(func(t fileTensor, b []byte) error { data[t.name] = bytes.Clone(b); return nil }); err != nil {
		t.Fatal(err)
	}
	header, body := map[string]any{}, []byte{}
	for _, t := range change(file.tensors, data) {
		header[t.name] = map[string]any{"dtype": t.DType, "shape": t.Shape, "data_offsets": []int{len(body), len(body) + len(data[t.name])}}
		body = append(body, data[t.name]...)
	}
	text, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	fsys[referenceName] = &fstest.MapFile{Data: append(rawFile(string(text), 0), body...)}
	return fsys
}

func TestVerifySeesEveryDifference(t *testing.T) {
	for _, name := range []string{"logits", "step_logits", "ssm_state.1", "conv_state.0"} {
		fsys := spoil(t, func(tensors []fileTensor, data map[string][]byte) []fileTensor {
			b := data[name][len(data[name])-4:]
			v := math.Float32frombits(binary.LittleEndian.Uint32(b))
			binary.LittleEndian.PutUint32(b, math.Float32bits(v+0.25))
			return tensors
		})
		errs, err := Verify(fsys)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range errs {
			if off := math.Abs(e.MaxAbs-0.25) < 1e-4; off != (e.Tensor == name) {
				t.Errorf("with %s changed by 0.25, %s differs by %g", name, e.Tensor, e.MaxAbs)
			}
		}
	}
}

func TestAReferenceThatDoesNotFitIsNamed(t *testing.T) {
	without := func(tensors []fileTensor, name string) []fileTensor {
		return slices.DeleteFunc(tensors, func(t fileTensor) bool { return t.name == name })
	}
	for want, change := range map[string]func(tensors []fileTensor, data map[string][]byte) []fileTensor{
		"input_ids holds 61 at index 5": func(tensors []fileTensor, data map[string][]byte) []fileTensor {
			binary.LittleEndian.PutUint64(data["input_ids"][40:], 61)
			return tensors
		},
		"input_ids holds -1 at index 0": func(tensors []fileTensor, data map[string][]byte) []fileTensor {
			binary.LittleEndian.PutUint64(data["input_ids"], math.MaxUint64)
			return tensors
		},
		`tensor "input_ids" is missing`: func(tensors []fileTensor, _ map[string][]byte) []fileTensor {
			return without(tensors, "input_ids")
		},
		"nothing to compare": func(tensors []fileTensor, _ map[string][]byte) []fileTensor {
			return tensors[:1]
		},
		`tensor "logits" is F32 (48, 2, 61), want floats (2, 48, 61)`: func(tensors []fileTensor, _ map[string][]byte) []fileTensor {
			i := slices.IndexFunc(tensors, func(t fileTensor) bool { return t.name == "logits" })
			tensors[i].Shape = []uint64{48, 2, 61}
			return tensors
		},
		`tensor "ssm_state.2" is no result`: func(tensors []fileTensor, data map[string][]byte) []fileTensor {
			i := slices.IndexFunc(tensors, func(t fileTensor) bool { return t.name == "ssm_state.1" })
			tensors[i].name, data["ssm_state.2"] = "ssm_state.2", data["ssm_state.1"]
			return tensors
		},
	} {
		_, err := Verify(spoil(t, change))
		if !errors.Is(err, ErrModel) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), referenceName) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
