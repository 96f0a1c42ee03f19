package ssm

import (
	"errors"
	"math"
	"strings"
	"testing"
	"testing/fstest"
)

func TestMamba2ConfigForms(t *testing.T) {
	inf := math.Inf(1)
	defaults := Dims{
		DModel: 4096, DInner: 8192, DState: 128, DConv: 4, NLayer: 64, NHead: 128, NGroup: 8, DTMax: inf,
		Vocab: 32768, UseConvBias: true, NormEps: 1e-5,
	}
	limited := defaults
	limited.DTMin, limited.DTMax = 0.25, 2
	small := defaults
	small.DModel, small.DInner, small.NHead = 20, 60, 6
	for config, want := range map[string]Dims{
		`{"model_type":"mamba2"}`: defaults,
		`{"model_type":"mamba2","time_step_limit":[0.0,{"__float__":"Infinity"}]}`:                           defaults,
		`{"model_type":"mamba2","time_step_limit":[0.0,Infinity],"name":"\"to Infinity\\"}`:                  defaults,
		`{"model_type":"mamba2","time_step_limit":[0.25,2],"chunk_size":64,"rms_norm":true}`:                 limited,
		`{"model_type":"mamba2","hidden_size":20,"expand":3,"num_heads":6,"head_dim":10,"n_groups":1}`:       withGroups(small, 1),
		`{"model_type":"mamba2","hidden_size":20,"expand":3,"num_heads":6,"head_dim":10,"n_groups":3}`:       withGroups(small, 3),
		`{"model_type":"mamba2","weir":{"n_input":3,"n_output":2},"norm_before_gate":false,"vocab_size":10}`: asEvents(defaults, 3, 2),
	} {
		if got, _, err := parseConfig([]byte(config)); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", config, got, err, want)
		}
	}
	for fields, want := range map[string]string{
		`"rms_norm":false`:                          "rms_norm is false",
		`"norm_before_gate":true`:                   "norm_before_gate is true",
		`"hidden_act":"gelu"`:                       `hidden_act is "gelu"`,
		`"num_heads":0`:                             "num_heads is 0",
		`"num_heads":100`:                           "num_heads times head_dim is 6400, want hidden_size times expand, 8192",
		`"head_dim":32`:                             "num_heads times head_dim is 4096",
		`"head_dim":-1`:                             "head_dim -1",
		`"num_heads":16777216,"head_dim":16777216`:  "num_heads is 16777216",
		`"n_groups":0`:                              "n_groups) is 0",
		`"n_groups":3`:                              "n_groups) is 3",
		`"n_groups":128,"state_size":16777216`:      "state_size",
		`"time_step_limit":[0.5,0.1]`:               "time_step_limit is [0.5, 0.1]",
		`"time_step_limit":[-1,1]`:                  "time_step_limit is [-1, 1]",
		`"time_step_limit":[0,0]`:                   "time_step_limit is [0, 0]",
		`"time_step_limit":[0.5]`:                   "time_step_limit: want two numbers",
		`"time_step_limit":[{"__float__":"NaN"},1]`: "time_step_limit: want two numbers",
		`"hidden_size":-4`:                          "hidden_size",
		`"conv_kernel":0`:                           "conv_kernel) is 0",
		`"state_size":0`:                            "state_size) is 0",
	} {
		_, err := Load(fstest.MapFS{configName: {Data: []byte(`{"model_type":"mamba2",` + fields + `}`)}})
		if !errors.Is(err, ErrModel) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), configName) {
			t.Errorf("%s: error %v, want one with %q", fields, err, want)
		}
	}
}

func withGroups(d Dims, n int) Dims {
	d.NGroup = n
	return d
}

func asEvents(d Dims, in, out int) Dims {
	d.Vocab, d.NInput, d.NOutput = 0, in, out
	return d
}

func TestMamba2FingerprintsTellSettingsApart(t *testing.T) {
	d := Dims{
		DModel: 8, DInner: 32, DState: 4, DConv: 4, NHead: 4, NGroup: 1, DTMax: math.Inf(1), NLayer: 1,
		NInput: 2, NOutput: 2, NormEps: 1e-5,
	}
	m := randomModel(t, d, 1)
	for name, change := range map[string]func(d *Dims){
		"dt_min": func(d *Dims) { d.DTMin = 0.01 },
		"dt_max": func(d *Dims) { d.DTMax = 1 },
	} {
		other := d
		change(&other)
		changed, err := New(other, m.Tensors(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if changed.Fingerprint() == m.Fingerprint() {
			t.Errorf("%s does not change the fingerprint", name)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(`{"hidden_size":20,"expand":3,"time_step_rank":"auto"}`))
	f.Add([]byte(`{"model_type":"mamba2","time_step_limit":[0.0,Infinity],"weir":{"n_input":3,"n_output":2}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, _, err := parseConfig(data)
		if err == nil && d.Validate() != nil {
			t.Errorf("%s: accepted as %+v, which is invalid", data, d)
		}
	})
}
