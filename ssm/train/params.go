package train

import (
	"fmt"

	"github.com/weirstream/weir/ssm"
)

// params are a model's parameters, or numbers that belong to them one to one:
// gradients, moments. All lie in one slab, in the order of ssm.Model.Tensors.
type params struct {
	slab    []float32
	tensors []ssm.Tensor // their Data are parts of slab

	embedding   []float32 // (vocab, d_model)
	inputWeight []float32 // (d_model, n_input)
	inputBias   []float32 // (d_model)
	layers      []layerParams
	normF       []float32 // (d_model)
	head        []float32 // (vocab or n_output, d_model); the embedding where tied
	headBias    []float32 // (n_output)
}

// layerParams are one block's. A bias that the model does not have is nil. in_proj
// is split into the rows that make x and those that make z.
type layerParams struct {
	norm           []float32 // (d_model)
	inX, inZ       []float32 // (d_inner, d_model)
	biasX, biasZ   []float32 // (d_inner)
	conv, convBias []float32 // (d_inner, d_conv), oldest input first; (d_inner)
	xProj          []float32 // (dt_rank + 2·d_state, d_inner): dt, B, C
	dtProj, dtBias []float32 // (d_inner, dt_rank); (d_inner)
	aLog           []float32 // (d_inner, d_state); A = -exp(aLog)
	skip           []float32 // (d_inner), D
	out, outBias   []float32 // (d_model, d_inner); (d_model)
}

// newParams returns zeros in the shape of like.
func newParams(d ssm.Dims, like []ssm.Tensor) *params {
	n := 0
	for _, t := range like {
		n += len(t.Data)
	}
	p := &params{slab: make([]float32, n)}
	byName := make(map[string][]float32, len(like))
	at := 0
	for _, t := range like {
		data := p.slab[at:][:len(t.Data):len(t.Data)]
		at += len(data)
		p.tensors = append(p.tensors, ssm.Tensor{Name: t.Name, Shape: t.Shape, Data: data})
		byName[t.Name] = data
	}
	p.embedding = byName["backbone.embeddings.weight"]
	p.inputWeight, p.inputBias = byName["weir.input.weight"], byName["weir.input.bias"]
	p.normF = byName["backbone.norm_f.weight"]
	p.head, p.headBias = byName["weir.head.weight"], byName["weir.head.bias"]
	if d.Vocab > 0 {
		p.head = byName["lm_head.weight"]
		if d.TieHead {
			p.head = p.embedding
		}
	}
	for i := range d.NLayer {
		p.layers = append(p.layers, newLayerParams(d, byName, fmt.Sprintf("backbone.layers.%d.", i)))
	}
	return p
}

func newLayerParams(d ssm.Dims, byName map[string][]float32, layer string) layerParams {
	mixer := layer + "mixer."
	inProj := byName[mixer+"in_proj.weight"]
	half := d.DInner * d.DModel
	l := layerParams{
		norm: byName[layer+"norm.weight"],
		inX:  inProj[:half:half], inZ: inProj[half:],
		conv: byName[mixer+"conv1d.weight"], convBias: byName[mixer+"conv1d.bias"],
		xProj:  byName[mixer+"x_proj.weight"],
		dtProj: byName[mixer+"dt_proj.weight"], dtBias: byName[mixer+"dt_proj.bias"],
		aLog: byName[mixer+"A_log"], skip: byName[mixer+"D"],
		out: byName[mixer+"out_proj.weight"], outBias: byName[mixer+"out_proj.bias"],
	}
	if bias := byName[mixer+"in_proj.bias"]; bias != nil {
		l.biasX, l.biasZ = bias[:d.DInner:d.DInner], bias[d.DInner:]
	}
	return l
}
