package ssm

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// configFile is config.json as MambaForCausalLM writes it, and the object
// "weir" of an event model. A pointer is nil where the file says nothing; the
// defaults are those of transformers' MambaConfig.
type configFile struct {
	Architectures    []string        `json:"architectures,omitempty"`
	ModelType        string          `json:"model_type"`
	HiddenSize       *int            `json:"hidden_size"`
	IntermediateSize *int            `json:"intermediate_size"`
	Expand           *float64        `json:"expand,omitempty"`
	StateSize        *int            `json:"state_size"`
	ConvKernel       *int            `json:"conv_kernel"`
	TimeStepRank     json.RawMessage `json:"time_step_rank"` // a number or "auto"
	NumHiddenLayers  *int            `json:"num_hidden_layers"`
	VocabSize        *int            `json:"vocab_size"`
	HiddenAct        *string         `json:"hidden_act"`
	LayerNormEpsilon *float64        `json:"layer_norm_epsilon"`
	UseBias          *bool           `json:"use_bias"`
	UseConvBias      *bool           `json:"use_conv_bias"`
	TieWordEmbedding *bool           `json:"tie_word_embeddings"`
	ResidualInFP32   *bool           `json:"residual_in_fp32"` // residuals are always float32 here
	DType            string          `json:"dtype,omitempty"`
	Weir             json.RawMessage `json:"weir,omitempty"`
}

// ends is what every "weir" object has.
type ends struct {
	NInput  int `json:"n_input"`
	NOutput int `json:"n_output"`
}

func or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// parseConfig returns the dimensions and the "weir" object, or nil.
func parseConfig(data []byte) (Dims, json.RawMessage, error) {
	var c configFile
	if err := json.Unmarshal(data, &c); err != nil {
		return Dims{}, nil, err
	}
	if c.ModelType != "" && c.ModelType != "mamba" {
		return Dims{}, nil, fmt.Errorf("model_type is %q, want \"mamba\"", c.ModelType)
	}
	if act := or(c.HiddenAct, "silu"); act != "silu" && act != "swish" {
		return Dims{}, nil, fmt.Errorf("hidden_act is %q, want \"silu\"", act)
	}
	d := Dims{
		DModel:      or(c.HiddenSize, 768),
		DState:      or(c.StateSize, 16),
		DConv:       or(c.ConvKernel, 4),
		NLayer:      or(c.NumHiddenLayers, 32),
		UseBias:     or(c.UseBias, false),
		UseConvBias: or(c.UseConvBias, true),
		NormEps:     or(c.LayerNormEpsilon, 1e-5),
	}
	if d.DModel < 1 || d.DModel > maxDim {
		return d, nil, d.Validate()
	}
	inner := math.Floor(or(c.Expand, 2) * float64(d.DModel))
	if !(inner >= 0 && inner <= maxDim) {
		return d, nil, fmt.Errorf("expand is %v, want a factor that makes d_inner 1 to %d", or(c.Expand, 2), maxDim)
	}
	d.DInner = or(c.IntermediateSize, int(inner))
	var err error
	if d.DTRank, err = parseRank(c.TimeStepRank, d.DModel); err != nil {
		return d, nil, err
	}
	if len(c.Weir) == 0 || string(c.Weir) == "null" {
		d.Vocab = or(c.VocabSize, 50280)
		if d.Vocab < 1 {
			return d, nil, fmt.Errorf("vocab_size is %d, want 1 and up", d.Vocab)
		}
		d.TieHead = or(c.TieWordEmbedding, true)
		return d, nil, d.Validate()
	}
	var e ends
	if err := json.Unmarshal(c.Weir, &e); err != nil {
		return d, nil, fmt.Errorf("weir: %w", err)
	}
	d.NInput, d.NOutput = e.NInput, e.NOutput
	return d, c.Weir, d.Validate()
}

// parseRank reads time_step_rank; "auto" is d_model/16, rounded up.
func parseRank(raw json.RawMessage, dModel int) (int, error) {
	if len(raw) == 0 || string(raw) == `"auto"` || string(raw) == "null" {
		return (dModel + 15) / 16, nil
	}
	var rank int
	if err := json.Unmarshal(raw, &rank); err != nil {
		return 0, errors.New(`time_step_rank: want a number or "auto"`)
	}
	return rank, nil
}
