package ssm

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// configFile is config.json as MambaForCausalLM and Mamba2ForCausalLM write it,
// and the object "weir" of an event model. A pointer is nil where the file says
// nothing; the defaults are those of transformers' MambaConfig and Mamba2Config.
type configFile struct {
	mamba2Config
	Architectures    []string        `json:"architectures,omitempty"`
	ModelType        string          `json:"model_type"`
	HiddenSize       *int            `json:"hidden_size"`
	IntermediateSize *int            `json:"intermediate_size,omitempty"` // Mamba
	Expand           *float64        `json:"expand,omitempty"`
	StateSize        *int            `json:"state_size"`
	ConvKernel       *int            `json:"conv_kernel"`
	TimeStepRank     json.RawMessage `json:"time_step_rank,omitempty"` // Mamba: a number or "auto"
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
	if err := json.Unmarshal(finiteJSON(data), &c); err != nil {
		return Dims{}, nil, err
	}
	if act := or(c.HiddenAct, "silu"); act != "silu" && act != "swish" {
		return Dims{}, nil, fmt.Errorf("hidden_act is %q, want \"silu\"", act)
	}
	d := Dims{
		DConv:       or(c.ConvKernel, 4),
		UseBias:     or(c.UseBias, false),
		UseConvBias: or(c.UseConvBias, true),
		NormEps:     or(c.LayerNormEpsilon, 1e-5),
	}
	var err error
	switch c.ModelType {
	case "", "mamba":
		err = c.mamba(&d)
	case "mamba2":
		err = c.mamba2(&d)
	default:
		err = fmt.Errorf("model_type is %q, want \"mamba\" or \"mamba2\"", c.ModelType)
	}
	if err != nil {
		return d, nil, err
	}
	if len(c.Weir) == 0 || string(c.Weir) == "null" {
		d.Vocab = or(c.VocabSize, defaultVocab[c.ModelType])
		if d.Vocab < 1 {
			return d, nil, fmt.Errorf("vocab_size is %d, want 1 and up", d.Vocab)
		}
		d.TieHead = or(c.TieWordEmbedding, c.ModelType != "mamba2")
		return d, nil, d.Validate()
	}
	var e ends
	if err := json.Unmarshal(c.Weir, &e); err != nil {
		return d, nil, fmt.Errorf("weir: %w", err)
	}
	d.NInput, d.NOutput = e.NInput, e.NOutput
	return d, c.Weir, d.Validate()
}

var defaultVocab = map[string]int{"": 50280, "mamba": 50280, "mamba2": 32768}

// mamba sets what MambaConfig says of a block.
func (c *configFile) mamba(d *Dims) (err error) {
	d.DModel = or(c.HiddenSize, 768)
	d.DState = or(c.StateSize, 16)
	d.NLayer = or(c.NumHiddenLayers, 32)
	if d.DModel < 1 || d.DModel > maxDim {
		return d.Validate()
	}
	inner := math.Floor(or(c.Expand, 2) * float64(d.DModel))
	if !(inner >= 0 && inner <= maxDim) {
		return fmt.Errorf("expand is %v, want a factor that makes d_inner 1 to %d", or(c.Expand, 2), maxDim)
	}
	d.DInner = or(c.IntermediateSize, int(inner))
	d.DTRank, err = parseRank(c.TimeStepRank, d.DModel)
	return err
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
