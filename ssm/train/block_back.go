package train

import (
	"math"

	"github.com/weirstream/weir/ssm/fmath"
	"github.com/weirstream/weir/ssm/internal/kernel"
	"github.com/weirstream/weir/ssm/internal/layer"
)

// decayRate is A·log2(e) with A = -exp(A_log), as package ssm serves it.
func decayRate(aLog float32) float32 {
	return float32(-min(fmath.Exp(float64(aLog))*math.Log2E, math.MaxFloat32))
}

// A blockBack holds the memory of a block's backward pass: gradients of what a
// trace of the same name holds, and the running ones of the scan.
type blockBack struct {
	layer.Outer
	normed, xIn, x, z, dt, dtBC, y []float32
	scan                           *blockScan
	g, da                          []lane    // of the state, and of A: [d_inner/16][d_state]
	dbc                            [][2]lane // (chunk, d_state), of B and of C
	skip, convBias, conv           []float32
}

func newBlockBack(b *block) *blockBack {
	n := b.d.DState
	return &blockBack{
		scan: newBlockScan(n), g: make([]lane, len(b.decay)), da: make([]lane, len(b.decay)),
		dbc:  make([][2]lane, chunk*n),
		skip: make([]float32, b.wideInner), convBias: make([]float32, b.wideInner),
		conv: make([]float32, b.d.DConv*b.wideInner),
	}
}

func (w *blockBack) resize(b *block, rows int) {
	w.normed = layer.Grow(w.normed, rows*b.wideModel)
	for _, p := range []*[]float32{&w.xIn, &w.x, &w.z, &w.dt, &w.y} {
		*p = layer.Grow(*p, rows*b.wideInner)
	}
	w.dtBC = layer.Grow(w.dtBC, rows*b.wideDtBC)
}

// backward turns dres (rows, d_model), the gradient of the residual stream after
// the block, into that before it, and adds the parameters' gradients to grad.
func (b *block) backward(w *blockBack, grad *layerParams, tr *trace, dres, gap []float32, rows int) {
	d, model, inner := b.d, b.wideModel, b.wideInner
	w.resize(b, rows)
	w.Add(grad.out, grad.outBias, dres, model, d.DModel, tr.y, inner, d.DInner, rows)
	b.out.Pull(w.y, inner, dres, model, rows, false)

	b.scanBack(w, grad, tr, gap, rows) // w.y → w.x, w.z, w.dt, and B and C of w.dtBC

	w.Add(grad.dtProj, grad.dtBias, w.dt, inner, d.DInner, tr.dtBC, b.wideDtBC, d.DTRank, rows)
	b.pullRank(w, rows)
	w.Add(grad.xProj, nil, w.dtBC, b.wideDtBC, d.DTRank+2*d.DState, tr.x, inner, d.DInner, rows)
	b.xProj.Pull(w.x, inner, w.dtBC, b.wideDtBC, rows, true)

	b.convBack(w, grad, tr, rows) // w.x → w.xIn

	w.Add(grad.inX, grad.biasX, w.xIn, inner, d.DInner, tr.normed, model, d.DModel, rows)
	w.Add(grad.inZ, grad.biasZ, w.z, inner, d.DInner, tr.normed, model, d.DModel, rows)
	b.inX.Pull(w.normed, model, w.xIn, inner, rows, false)
	b.inZ.Pull(w.normed, model, w.z, inner, rows, true)
	layer.NormBack(dres, grad.norm, w.normed, tr.in, b.plainNorm, d.DModel, model, rows, float32(d.NormEps))
}

// pullRank computes the gradient of dt's low rank, the first columns of w.dtBC.
// They are fewer than a padded row of the product, whose rest would overwrite B.
func (b *block) pullRank(w *blockBack, rows int) {
	rank := w.y // no longer needed, and at least as wide
	wide := kernel.Pad(b.d.DTRank)
	rank = layer.Grow(rank, rows*max(wide, b.wideInner))
	w.y = rank
	b.dtProj.Pull(rank, wide, w.dt, b.wideInner, rows, false)
	for t := range rows {
		copy(w.dtBC[t*b.wideDtBC:][:b.d.DTRank], rank[t*wide:])
	}
}

func (b *block) convBack(w *blockBack, grad *layerParams, tr *trace, rows int) {
	clear(w.conv)
	clear(w.convBias)
	b.conv.back(w.xIn, w.conv, w.convBias, w.x, tr.xIn, rows)
	if grad.convBias != nil {
		layer.AddTo(grad.convBias, w.convBias)
	}
	taps := b.d.DConv
	for i := range grad.conv {
		grad.conv[i] += w.conv[i%taps*b.wideInner+i/taps]
	}
}
