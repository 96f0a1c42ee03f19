package ssm

import (
	"fmt"
	"strings"
)

// A Tensor is a named array, row-major.
type Tensor struct {
	Name  string
	Shape []int
	Data  []float32
}

// A slot says where a tensor of the model belongs.
type slot struct {
	name  string
	shape []int
	data  *[]float32
}

func (s slot) len() int {
	n := 1
	for _, d := range s.shape {
		n *= d
	}
	return n
}

// weights are a model's parameters as they were trained, row-major. A bias that
// the model does not have is nil.
type weights struct {
	embedding   []float32 // (vocab, d_model)
	inputWeight []float32 // (d_model, n_input)
	inputBias   []float32 // (d_model)
	layers      []layerWeights
	normF       []float32 // (d_model)
	head        []float32 // (vocab or n_output, d_model); the embedding where tied
	headBias    []float32 // (n_output)
}

// layerWeights are those of a Mamba block, or, where a second line says so, of a
// Mamba-2 block.
type layerWeights struct {
	norm   []float32 // (d_model)
	inProj []float32 // (2·d_inner, d_model): x, then z
	// Mamba-2: z, x, B of each group, C of each group, Δ of each head
	inBias     []float32 // as inProj has rows
	convWeight []float32 // (d_inner, 1, d_conv), oldest input first
	// Mamba-2: of x, B and C
	convBias  []float32 // as convWeight has rows
	xProj     []float32 // (dt_rank + 2·d_state, d_inner): dt, B, C; not in Mamba-2
	dtProj    []float32 // (d_inner, dt_rank); not in Mamba-2
	dtBias    []float32 // (d_inner); Mamba-2: (n_head)
	aLog      []float32 // (d_inner, d_state); Mamba-2: (n_head); A = -exp(aLog)
	skip      []float32 // (d_inner); Mamba-2: (n_head); D
	gatedNorm []float32 // (d_inner), Mamba-2 only
	outProj   []float32 // (d_model, d_inner)
	outBias   []float32 // (d_model)
}

// The tensor names of the two forms' ends.
const (
	embeddingName   = "backbone.embeddings.weight"
	lmHeadName      = "lm_head.weight"
	inputWeightName = "weir.input.weight"
	inputBiasName   = "weir.input.bias"
	headWeightName  = "weir.head.weight"
	headBiasName    = "weir.head.bias"
)

// slots lists the tensors a model of these dimensions has, under the names that
// MambaForCausalLM and Mamba2ForCausalLM give them, in a fixed order.
func (w *weights) slots(d Dims) []slot {
	w.layers = append(w.layers, make([]layerWeights, d.NLayer-len(w.layers))...)
	var s []slot
	if d.Vocab > 0 {
		s = append(s, slot{embeddingName, []int{d.Vocab, d.DModel}, &w.embedding})
	} else {
		s = append(s,
			slot{inputWeightName, []int{d.DModel, d.NInput}, &w.inputWeight},
			slot{inputBiasName, []int{d.DModel}, &w.inputBias})
	}
	for i := range w.layers {
		s = append(s, w.layers[i].slots(d, i)...)
	}
	s = append(s, slot{"backbone.norm_f.weight", []int{d.DModel}, &w.normF})
	switch {
	case d.Vocab == 0:
		s = append(s,
			slot{headWeightName, []int{d.NOutput, d.DModel}, &w.head},
			slot{headBiasName, []int{d.NOutput}, &w.headBias})
	case !d.TieHead:
		s = append(s, slot{lmHeadName, []int{d.Vocab, d.DModel}, &w.head})
	}
	return s
}

func (l *layerWeights) slots(d Dims, i int) []slot {
	layer := fmt.Sprintf("backbone.layers.%d.", i)
	mixer := layer + "mixer."
	s := []slot{
		{layer + "norm.weight", []int{d.DModel}, &l.norm},
		{mixer + "in_proj.weight", []int{d.inProjRows(), d.DModel}, &l.inProj},
		{mixer + "conv1d.weight", []int{d.convDim(), 1, d.DConv}, &l.convWeight},
	}
	if d.NHead > 0 {
		s = append(s, []slot{
			{mixer + "dt_bias", []int{d.NHead}, &l.dtBias},
			{mixer + "A_log", []int{d.NHead}, &l.aLog},
			{mixer + "D", []int{d.NHead}, &l.skip},
			{mixer + "norm.weight", []int{d.DInner}, &l.gatedNorm},
		}...)
	} else {
		s = append(s, []slot{
			{mixer + "x_proj.weight", []int{d.DTRank + 2*d.DState, d.DInner}, &l.xProj},
			{mixer + "dt_proj.weight", []int{d.DInner, d.DTRank}, &l.dtProj},
			{mixer + "dt_proj.bias", []int{d.DInner}, &l.dtBias},
			{mixer + "A_log", []int{d.DInner, d.DState}, &l.aLog},
			{mixer + "D", []int{d.DInner}, &l.skip},
		}...)
	}
	s = append(s, slot{mixer + "out_proj.weight", []int{d.DModel, d.DInner}, &l.outProj})
	if d.UseConvBias {
		s = append(s, slot{mixer + "conv1d.bias", []int{d.convDim()}, &l.convBias})
	}
	if d.UseBias {
		s = append(s,
			slot{mixer + "in_proj.bias", []int{d.inProjRows()}, &l.inBias},
			slot{mixer + "out_proj.bias", []int{d.DModel}, &l.outBias})
	}
	return s
}

// ignored says that a tensor may be in a file without being part of the model:
// an event model has no use for the ends of the token model it came from.
func (d Dims) ignored(name string) bool {
	return d.Vocab == 0 && (name == embeddingName || name == lmHeadName)
}

func shapeString(shape []int) string {
	return "(" + strings.Trim(strings.ReplaceAll(fmt.Sprint(shape), " ", ", "), "[]") + ")"
}
