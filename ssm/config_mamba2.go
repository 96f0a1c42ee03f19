package ssm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// mamba2Config is what only Mamba2ForCausalLM's config.json has. time_step_min,
// time_step_max and time_step_floor are about initial values, chunk_size is the
// length of chunks in that implementation's parallel form; neither changes what
// a model computes.
type mamba2Config struct {
	NumHeads       *int      `json:"num_heads,omitempty"`
	HeadDim        *int      `json:"head_dim,omitempty"`
	NGroups        *int      `json:"n_groups,omitempty"`
	TimeStepLimit  *interval `json:"time_step_limit,omitempty"`
	RMSNorm        *bool     `json:"rms_norm,omitempty"`
	NormBeforeGate *bool     `json:"norm_before_gate,omitempty"`
}

// mamba2 sets what Mamba2Config says of a block.
func (c *configFile) mamba2(d *Dims) error {
	d.DModel = or(c.HiddenSize, 4096)
	d.DState = or(c.StateSize, 128)
	d.NLayer = or(c.NumHiddenLayers, 64)
	if !or(c.RMSNorm, true) {
		return errors.New("rms_norm is false, want true: the gated norm is part of the block")
	}
	if or(c.NormBeforeGate, false) {
		return errors.New("norm_before_gate is true, want false: the norm follows the gate")
	}
	d.NHead, d.NGroup = or(c.NumHeads, 128), or(c.NGroups, 8)
	dim := or(c.HeadDim, 64)
	if d.NHead < 1 || d.NHead > maxDim || dim < 1 || dim > maxDim/d.NHead {
		return fmt.Errorf("num_heads is %d and head_dim %d, want a d_inner of 1 to %d", d.NHead, dim, maxDim)
	}
	d.DInner = d.NHead * dim
	if inner := or(c.Expand, 2) * float64(d.DModel); !(math.Abs(inner-float64(d.DInner)) < 0.5) {
		return fmt.Errorf("num_heads times head_dim is %d, want hidden_size times expand, %v", d.DInner, inner)
	}
	limit := or(c.TimeStepLimit, interval{0, math.Inf(1)})
	d.DTMin, d.DTMax = limit[0], limit[1]
	return nil
}

// setMamba2 is the inverse of mamba2.
func (c *configFile) setMamba2(d *Dims) {
	dim := d.DInner / d.NHead
	c.Architectures, c.ModelType = []string{"Mamba2ForCausalLM"}, "mamba2"
	c.mamba2Config = mamba2Config{
		NumHeads: &d.NHead, HeadDim: &dim, NGroups: &d.NGroup,
		TimeStepLimit: &interval{d.DTMin, d.DTMax},
	}
}

// An interval is time_step_limit: two numbers, of which transformers writes an
// infinite one as {"__float__": "Infinity"}, and wrote it as Infinity.
type interval [2]float64

const infinity = `{"__float__":"Infinity"}`

// UnmarshalJSON reads two numbers, the words for an infinite one among them.
func (i *interval) UnmarshalJSON(data []byte) error {
	var ends []json.RawMessage
	if err := json.Unmarshal(data, &ends); err != nil || len(ends) != len(i) {
		return errors.New("time_step_limit: want two numbers")
	}
	for k, end := range ends {
		var special struct {
			Float string `json:"__float__"`
		}
		if json.Unmarshal(end, &special) == nil && special.Float == "Infinity" {
			i[k] = math.Inf(1)
		} else if err := json.Unmarshal(end, &i[k]); err != nil {
			return errors.New("time_step_limit: want two numbers")
		}
	}
	return nil
}

// MarshalJSON writes what UnmarshalJSON reads.
func (i interval) MarshalJSON() ([]byte, error) {
	b := []byte{'['}
	for k, v := range i {
		if k > 0 {
			b = append(b, ',')
		}
		if math.IsInf(v, 1) {
			b = append(b, infinity...)
		} else {
			end, err := json.Marshal(v)
			if err != nil {
				return nil, err
			}
			b = append(b, end...)
		}
	}
	return append(b, ']'), nil
}

// finiteJSON returns data with the word Infinity, which Python writes and JSON
// does not know, in words that it knows. Words in strings stay.
func finiteJSON(data []byte) []byte {
	const word = "Infinity"
	if !bytes.Contains(data, []byte(word)) {
		return data
	}
	var out []byte
	inString := false
	for i := 0; i < len(data); i++ {
		switch {
		case inString && data[i] == '\\' && i+1 < len(data):
			out = append(out, data[i])
			i++
		case data[i] == '"':
			inString = !inString
		case !inString && bytes.HasPrefix(data[i:], []byte(word)):
			out = append(out, infinity...)
			i += len(word) - 1
			continue
		}
		out = append(out, data[i])
	}
	return out
}
