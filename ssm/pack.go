package ssm

import (
	"math"

	"github.com/weirstream/weir/ssm/fmath"
	"github.com/weirstream/weir/ssm/internal/kernel"
)

// packedLayer holds one block's weights as the kernels want them: rows padded to
// whole blocks of channels, matrices in panels. Of Mamba-2, see packMamba2.
type packedLayer struct {
	norm    []float32      // padded d_model
	inProj  *kernel.Panels // padded d_inner of x, then of z
	conv    []float32      // [d_inner/16][d_conv][16]
	convB   []float32      // padded d_inner
	xProj   *kernel.Panels // Mamba: dt, B, C
	dtProj  *kernel.Panels // Mamba
	a       []float32      // [d_inner/16][d_state][16], A·log2(e)
	skip    []float32      // padded d_inner
	outProj *kernel.Panels

	heads *packedHeads // Mamba-2
}

type packedEnds struct {
	input *kernel.Panels // event model
	normF []float32      // padded d_model
	head  *kernel.Panels
}

func (m *Model) pack() {
	d, w := m.dims, &m.weights
	m.layers = make([]packedLayer, d.NLayer)
	for i := range m.layers {
		m.layers[i] = w.layers[i].pack(d)
	}
	m.ends.normF = padRow(w.normF, d.DModel)
	m.ends.head = kernel.Pack(w.head, w.headBias, d.outWidth(), d.DModel)
	if d.Vocab == 0 {
		m.ends.input = kernel.Pack(w.inputWeight, w.inputBias, d.DModel, d.NInput)
	}
}

func (l *layerWeights) pack(d Dims) packedLayer {
	if d.NHead > 0 {
		return l.packMamba2(d)
	}
	// x and z each start at a whole block, so the padding lies between them.
	wide := kernel.Pad(d.DInner)
	in := make([]float32, 2*wide*d.DModel)
	copy(in, l.inProj[:d.DInner*d.DModel])
	copy(in[wide*d.DModel:], l.inProj[d.DInner*d.DModel:])
	inBias := make([]float32, 2*wide)
	if l.inBias != nil {
		copy(inBias, l.inBias[:d.DInner])
		copy(inBias[wide:], l.inBias[d.DInner:])
	}
	return packedLayer{
		norm:    padRow(l.norm, d.DModel),
		inProj:  kernel.Pack(in, inBias, 2*wide, d.DModel),
		conv:    blocked(l.convWeight, d.DInner, d.DConv),
		convB:   padRow(l.convBias, d.DInner),
		xProj:   kernel.Pack(l.xProj, nil, d.DTRank+2*d.DState, d.DInner),
		dtProj:  kernel.Pack(l.dtProj, l.dtBias, d.DInner, d.DTRank),
		a:       blocked(exp2Rates(l.aLog), d.DInner, d.DState),
		skip:    padRow(l.skip, d.DInner),
		outProj: kernel.Pack(l.outProj, l.outBias, d.DModel, d.DInner),
	}
}

// padRow returns row, or zeros where it is nil, padded from n to whole blocks.
func padRow(row []float32, n int) []float32 {
	p := make([]float32, kernel.Pad(n))
	copy(p, row)
	return p
}

// blocked rearranges rows (n, k) to [n/16][k][16], the last block padded with zeros.
func blocked(rows []float32, n, k int) []float32 {
	b := make([]float32, kernel.Pad(n)*k)
	for i := range n {
		for j := range k {
			b[i/kernel.Lanes*k*kernel.Lanes+j*kernel.Lanes+i%kernel.Lanes] = rows[i*k+j]
		}
	}
	return b
}

// exp2Rates returns A·log2(e) with A = -exp(aLog), so that exp(Δ·A) = exp2(Δ·rate).
// A rate beyond float32 becomes the greatest there is: forget at once.
func exp2Rates(aLog []float32) []float32 {
	rates := make([]float32, len(aLog))
	for i, v := range aLog {
		rates[i] = float32(-min(fmath.Exp(float64(v))*math.Log2E, math.MaxFloat32))
	}
	return rates
}

// unblocked is the inverse of blocked: rows (n, k) without the padding.
func unblocked(b []float32, n, k int) []float32 {
	rows := make([]float32, n*k)
	for i := range n {
		for j := range k {
			rows[i*k+j] = b[i/kernel.Lanes*k*kernel.Lanes+j*kernel.Lanes+i%kernel.Lanes]
		}
	}
	return rows
}
