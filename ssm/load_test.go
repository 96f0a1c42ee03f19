package ssm

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// A folder is a model folder in memory that a test spoils.
type folder struct {
	config  map[string]any
	tensors []Tensor
}

func folderOf(t testing.TB, m *Model) *folder {
	t.Helper()
	data, err := m.config()
	if err != nil {
		t.Fatal(err)
	}
	f := &folder{}
	if err := json.Unmarshal(data, &f.config); err != nil {
		t.Fatal(err)
	}
	for _, tensor := range m.Tensors() {
		f.tensors = append(f.tensors, Tensor{tensor.Name, slices.Clone(tensor.Shape), slices.Clone(tensor.Data)})
	}
	return f
}

func (f *folder) fs(t testing.TB) fstest.MapFS {
	t.Helper()
	config, err := json.Marshal(f.config)
	if err != nil {
		t.Fatal(err)
	}
	var weights bytes.Buffer
	if err := WriteTensors(&weights, f.tensors); err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{configName: {Data: config}, weightsName: {Data: weights.Bytes()}}
}

func (f *folder) tensor(name string) *Tensor {
	return &f.tensors[slices.IndexFunc(f.tensors, func(t Tensor) bool { return t.Name == name })]
}

func TestASavedModelLoadsAsTheSame(t *testing.T) {
	eachVariant(t, func(t *testing.T, m *Model) {
		dir := t.TempDir() + "/model"
		if err := m.Save(dir); err != nil {
			t.Fatal(err)
		}
		back, err := Load(os.DirFS(dir))
		if err != nil {
			t.Fatal(err)
		}
		if back.Dims() != m.Dims() || back.Fingerprint() != m.Fingerprint() {
			t.Errorf("saved %+v, loaded %+v", m.Dims(), back.Dims())
		}
		left, err := os.ReadDir(dir)
		if err != nil || len(left) != 2 {
			t.Errorf("the folder holds %v (%v), want two files", left, err)
		}
	})
}

func TestExtraIsKept(t *testing.T) {
	d := eventDims(16, 1)
	m, err := New(d, randomTensors(d, 1), rawJSON(`{"features":{"lags":[1,2]},"name":"telemetry"}`))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	back, err := Load(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := json.Compact(&got, back.Extra()); err != nil {
		t.Fatal(err)
	}
	if want := `{"features":{"lags":[1,2]},"n_input":6,"n_output":5,"name":"telemetry"}`; got.String() != want {
		t.Errorf("the weir object is %s, want %s", got.String(), want)
	}
}

func TestFingerprintFollowsWhatIsComputed(t *testing.T) {
	m := randomModel(t, eventDims(16, 2), 1)
	seen := map[[16]byte]string{m.Fingerprint(): "the model itself"}
	differs := func(what string, f *folder) {
		t.Helper()
		other, err := Load(f.fs(t))
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if before, ok := seen[other.Fingerprint()]; ok {
			t.Errorf("%s has the fingerprint of %s", what, before)
		}
		seen[other.Fingerprint()] = what
	}
	for i := range m.Tensors() {
		f := folderOf(t, m)
		data := f.tensors[i].Data
		data[len(data)-1] += 1
		differs("a changed "+f.tensors[i].Name, f)
	}
	f := folderOf(t, m)
	f.config["layer_norm_epsilon"] = 1e-6
	differs("another epsilon", f)

	f = folderOf(t, m) // only the order in the file and unused ends differ
	slices.Reverse(f.tensors)
	f.tensors = append(f.tensors, Tensor{embeddingName, []int{3, 16}, make([]float32, 48)})
	same, err := Load(f.fs(t))
	if err != nil {
		t.Fatal(err)
	}
	if same.Fingerprint() != m.Fingerprint() {
		t.Error("the file's order or an unused embedding changes the fingerprint")
	}
}

func TestConfigForms(t *testing.T) {
	dims := func(config string) Dims {
		t.Helper()
		d, _, err := parseConfig([]byte(config))
		if err != nil {
			t.Fatalf("%s: %v", config, err)
		}
		return d
	}
	if d := dims(`{"hidden_size":100,"time_step_rank":"auto"}`); d.DTRank != 7 || d.DInner != 200 || d.Vocab != 50280 || !d.TieHead || !d.UseConvBias {
		t.Errorf("defaults give %+v", d)
	}
	if d := dims(`{"hidden_size":20,"expand":3,"time_step_rank":5}`); d.DInner != 60 || d.DTRank != 5 {
		t.Errorf("expand 3 gives %+v", d)
	}
	if d := dims(`{"hidden_size":20,"expand":3,"intermediate_size":48}`); d.DInner != 48 {
		t.Errorf("intermediate_size 48 gives %+v", d)
	}
	for config, want := range map[string]string{
		`{`:                                     "unexpected end",
		`{"model_type":"mamba3"}`:               `model_type is "mamba3"`,
		`{"hidden_act":"gelu"}`:                 `hidden_act is "gelu"`,
		`{"hidden_size":0}`:                     "d_model (hidden_size) is 0",
		`{"hidden_size":-5}`:                    "d_model (hidden_size) is -5",
		`{"hidden_size":99999999999}`:           "d_model (hidden_size)",
		`{"expand":-1}`:                         "expand is -1",
		`{"num_hidden_layers":1000000000}`:      "n_layer (num_hidden_layers) is 1000000000",
		`{"state_size":16777216}`:               "A_log would have",
		`{"time_step_rank":"some"}`:             "time_step_rank",
		`{"conv_kernel":0}`:                     "d_conv (conv_kernel) is 0",
		`{"vocab_size":0}`:                      "vocab_size is 0",
		`{"weir":{"n_input":0,"n_output":1}}`:   "n_input is 0",
		`{"weir":{"n_input":"a","n_output":1}}`: "weir",
		`{"layer_norm_epsilon":-1}`:             "layer_norm_epsilon is -1",
	} {
		_, err := Load(fstest.MapFS{configName: {Data: []byte(config)}})
		if !errors.Is(err, ErrModel) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), configName) {
			t.Errorf("%s: error %v, want one with %q", config, err, want)
		}
	}
}

func TestAnInvalidFolderIsNamed(t *testing.T) {
	event := randomModel(t, eventDims(16, 2), 1)
	token := randomModel(t, variants()["token"], 1)
	for _, c := range []struct {
		name  string
		m     *Model
		spoil func(f *folder)
		want  string
	}{
		{"missing", event, func(f *folder) { f.tensors = f.tensors[1:] }, `tensor "weir.input.weight" (16, 6) is missing`},
		{"missing layer", event, func(f *folder) { f.config["num_hidden_layers"] = 3 }, `tensor "backbone.layers.2.norm.weight" (16) is missing`},
		{"extra", event, func(f *folder) {
			f.tensors = append(f.tensors, Tensor{"backbone.layers.7.mixer.D", []int{1}, []float32{1}})
		}, `tensor "backbone.layers.7.mixer.D" is not part`},
		{"bias not configured", event, func(f *folder) { f.config["use_conv_bias"] = false }, `conv1d.bias" is not part`},
		{"bias missing", event, func(f *folder) { f.config["use_bias"] = true }, `in_proj.bias" (64) is missing`},
		{"shape", event, func(f *folder) { f.tensor("backbone.layers.1.mixer.D").Shape = []int{4, 8} }, `D" has shape (4, 8), want (32)`},
		{"transposed", event, func(f *folder) { f.tensor("weir.head.weight").Shape = []int{16, 5} }, `has shape (16, 5), want (5, 16)`},
		{"NaN", event, func(f *folder) { f.tensor("backbone.norm_f.weight").Data[3] = float32(math.NaN()) }, `"backbone.norm_f.weight" holds NaN at index 3`},
		{"Inf", event, func(f *folder) { f.tensor("weir.head.bias").Data[0] = float32(math.Inf(-1)) }, `"weir.head.bias" holds -Inf`},
		{"no head", token, func(f *folder) { f.config["tie_word_embeddings"] = false }, `"lm_head.weight" (61, 32) is missing`},
		{"head differs", token, func(f *folder) {
			f.tensors = append(f.tensors, Tensor{lmHeadName, []int{61, 32}, make([]float32, 61*32)})
		}, `"lm_head.weight" differs`},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := folderOf(t, c.m)
			c.spoil(f)
			_, err := Load(f.fs(t))
			if !errors.Is(err, ErrModel) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), weightsName) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	if _, err := Load(fstest.MapFS{}); !errors.Is(err, ErrModel) || !strings.Contains(err.Error(), configName) {
		t.Errorf("an empty folder gives %v", err)
	}
}

// rawFile builds a safetensors file from any header and data.
func rawFile(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func TestHostileTensorFilesAreRefused(t *testing.T) {
	entry := func(dtype, shape, offsets string) string {
		return fmt.Sprintf(`"a":{"dtype":"%s","shape":%s,"data_offsets":%s}`, dtype, shape, offsets)
	}
	for name, data := range map[string][]byte{
		"empty":           {},
		"short prefix":    {1, 2, 3},
		"huge header":     {255, 255, 255, 255, 255, 255, 255, 127, '{', '}'},
		"negative header": {255, 255, 255, 255, 255, 255, 255, 255, '{', '}'},
		"100 MB header":   append(binary.LittleEndian.AppendUint64(nil, maxHeader), "{}"...),
		"not an object":   rawFile(`[]`, 0),
		"two values":      rawFile(`{}{}`, 0),
		"unclosed":        rawFile(`{`, 0),
		"overflow":        rawFile(`{`+entry("F32", "[4294967296,4294967296]", "[0,0]")+`}`, 0),
		"overflow to fit": rawFile(`{`+entry("F32", "[4611686018427387905]", "[0,4]")+`}`, 4),
		"negative size":   rawFile(`{`+entry("F32", "[-1]", "[0,4]")+`}`, 4),
		"beyond the file": rawFile(`{`+entry("F32", "[1000]", "[0,4000]")+`}`, 4),
		"backwards":       rawFile(`{`+entry("F32", "[1]", "[4,0]")+`}`, 4),
		"no offsets":      rawFile(`{`+entry("F32", "[1]", "[]")+`}`, 4),
		"wrong size":      rawFile(`{`+entry("F32", "[2]", "[0,4]")+`}`, 4),
		"unknown dtype":   rawFile(`{`+entry("F8", "[4]", "[0,4]")+`}`, 4),
		"left over":       rawFile(`{`+entry("F32", "[1]", "[0,4]")+`}`, 5),
		"duplicate":       rawFile(`{`+entry("F32", "[1]", "[0,4]")+`,`+entry("F32", "[1]", "[4,8]")+`}`, 8),
		"overlap":         rawFile(`{`+entry("F32", "[1]", "[0,4]")+`,"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}`, 6),
		"same place":      rawFile(`{`+entry("F32", "[1]", "[0,4]")+`,"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4),
		"gap":             rawFile(`{"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8),
	} {
		if _, err := openTensors(bytes.NewReader(data), int64(len(data))); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	// A stated size that the data does not keep to.
	short := rawFile(`{`+entry("F32", "[1000]", "[0,4000]")+`}`, 10)
	file, err := openTensors(bytes.NewReader(short), int64(len(short)+3990))
	if err != nil {
		t.Fatal(err)
	}
	if err := file.read(func(fileTensor, []byte) error { return nil }); err == nil {
		t.Error("a truncated tensor gives no error")
	}
}

func TestEveryFloatTypeIsConverted(t *testing.T) {
	le := binary.LittleEndian
	for _, c := range []struct {
		dtype string
		data  []byte
		want  float32
	}{
		{"F32", le.AppendUint32(nil, math.Float32bits(-1.5)), -1.5},
		{"F64", le.AppendUint64(nil, math.Float64bits(0.1)), 0.1},
		{"F64", le.AppendUint64(nil, math.Float64bits(1e300)), float32(math.Inf(1))},
		{"BF16", le.AppendUint16(nil, 0xc049), -3.140625},
		{"F16", le.AppendUint16(nil, 0x3c00), 1},
		{"F16", le.AppendUint16(nil, 0xc248), -3.140625},
		{"F16", le.AppendUint16(nil, 0x7bff), 65504},
		{"F16", le.AppendUint16(nil, 0x0001), 0x1p-24},
		{"F16", le.AppendUint16(nil, 0x83ff), -1023 * 0x1p-24},
		{"F16", le.AppendUint16(nil, 0x0400), 0x1p-14},
		{"F16", le.AppendUint16(nil, 0xfc00), float32(math.Inf(-1))},
	} {
		got, err := fileTensor{DType: c.dtype}.floats(c.data)
		if err != nil || got[0] != c.want {
			t.Errorf("%s %x = %v (%v), want %v", c.dtype, c.data, got, err, c.want)
		}
	}
	if nan := fromHalf(0x7e00); nan == nan {
		t.Errorf("F16 7e00 = %v, want NaN", nan)
	}
}

func FuzzLoad(f *testing.F) {
	good := folderOf(f, randomModel(f, Dims{DModel: 2, DInner: 2, DState: 1, DConv: 2, DTRank: 1, NLayer: 1, NInput: 1, NOutput: 1, NormEps: 1e-5}, 1)).fs(f)
	f.Add(good[configName].Data, good[weightsName].Data)
	f.Add([]byte(`{"hidden_size":2,"num_hidden_layers":1}`), rawFile(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4))
	f.Fuzz(func(t *testing.T, config, weights []byte) {
		m, err := Load(fstest.MapFS{configName: {Data: config}, weightsName: {Data: weights}})
		if err != nil {
			if !errors.Is(err, ErrModel) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		w := walk{m, nil}
		states := newStates(m, 1)
		st := m.NewStepper(1)
		if m.dims.Vocab > 0 {
			w.step(st, nil, nil, []int32{0}, states)
		} else {
			w.step(st, make([]float32, m.dims.NInput), nil, nil, states)
		}
	})
}
