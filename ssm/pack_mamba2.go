package ssm

import (
	"math"

	"github.com/weirstream/weir/ssm/fmath"
	"github.com/weirstream/weir/ssm/internal/kernel"
)

// packedHeads is what only a Mamba-2 block has.
type packedHeads struct {
	gatedNorm []float32 // as the scan's channels lie
	rates     []float32 // [n_head/16][2][16]: 0 and A·log2(e) of each head
	dtMin     float32   // of Δ before softplus
	dtMax     float32
}

// packMamba2 packs a block so that the kernels of Mamba compute it: a head is
// channels that share one A, Δ and D. Each head is padded to whole blocks of
// channels, so that a block belongs to one head and a group's heads lie beside
// each other. A row behind in_proj is
//
//	x of each head | B of each group, C of each group | z of each head | Δ of the heads
//
// of which the convolution takes the first two parts.
func (l *layerWeights) packMamba2(d Dims) packedLayer {
	wide := d.scanWidth()
	conv, convB := make([]float32, d.convWidth()*d.DConv), make([]float32, d.convWidth())
	for c := range d.convDim() {
		at := d.place(c)
		copy(conv[at*d.DConv:], l.convWeight[c*d.DConv:][:d.DConv])
		if l.convBias != nil {
			convB[at] = l.convBias[c]
		}
	}
	a, skip := make([]float32, wide*d.DState), make([]float32, wide)
	norm, out := make([]float32, wide), make([]float32, d.DModel*wide)
	rates, dim := exp2Rates(l.aLog), d.DInner/d.NHead
	for c := range d.DInner {
		at := d.place(c)
		for n := range d.DState {
			a[at*d.DState+n] = rates[c/dim]
		}
		skip[at], norm[at] = l.skip[c/dim], l.gatedNorm[c]
		for j := range d.DModel {
			out[j*wide+at] = l.outProj[j*d.DInner+c]
		}
	}
	return packedLayer{
		norm:    padRow(l.norm, d.DModel),
		inProj:  l.packIn(d),
		conv:    blocked(conv, d.convWidth(), d.DConv),
		convB:   convB,
		a:       blocked(a, wide, d.DState),
		skip:    skip,
		outProj: kernel.Pack(out, l.outBias, d.DModel, wide),
		heads:   packHeads(d, norm, rates),
	}
}

// packIn puts the rows of in_proj (z, x, B, C, Δ) where packMamba2 says. The
// bias of Δ is added to them.
func (l *layerWeights) packIn(d Dims) *kernel.Panels {
	in, bias := make([]float32, d.inWidth()*d.DModel), make([]float32, d.inWidth())
	heads := d.convWidth() + d.scanWidth()
	copy(bias[heads:], l.dtBias)
	for row := range d.inProjRows() {
		var at int
		switch c := row - d.DInner; {
		case c < 0:
			at = d.convWidth() + d.place(row)
		case c < d.convDim():
			at = d.place(c)
		default:
			at = heads + c - d.convDim()
		}
		copy(in[at*d.DModel:], l.inProj[row*d.DModel:][:d.DModel])
		if l.inBias != nil {
			bias[at] += l.inBias[row]
		}
	}
	return kernel.Pack(in, bias, d.inWidth(), d.DModel)
}

func packHeads(d Dims, norm, rates []float32) *packedHeads {
	p := &packedHeads{gatedNorm: norm, dtMin: beforeSoftplus(d.DTMin), dtMax: beforeSoftplus(d.DTMax)}
	pairs := make([]float32, 2*d.NHead)
	for h, rate := range rates {
		pairs[2*h+1] = rate
	}
	p.rates = blocked(pairs, d.NHead, 2)
	return p
}

// beforeSoftplus returns the v with softplus(v) = delta. Softplus grows, so to
// bound v is to bound Δ.
func beforeSoftplus(delta float64) float32 {
	switch {
	case delta == 0:
		return float32(math.Inf(-1))
	case delta > 40: // there, softplus(v) = v
		return float32(delta)
	}
	// log(e^delta - 1) = delta/2 + log(2·sinh(delta/2)), exact for small delta too
	return float32(delta/2 + fmath.Log(2*fmath.Sinh(delta/2)))
}
