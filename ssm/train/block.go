package train

import (
	"github.com/weirstream/weir/ssm"
	"github.com/weirstream/weir/ssm/internal/kernel"
	"github.com/weirstream/weir/ssm/internal/layer"
)

// A block is one Mamba block, packed from its parameters.
type block struct {
	d                              *ssm.Dims
	norm                           []float32 // padded d_model
	inX, inZ, xProj, dtProj, out   layer.Matrix
	conv                           convolution
	blockedConv                    []float32 // [d_inner/16][d_conv][16]
	decay                          []lane    // [d_inner/16][d_state], A·log2(e)
	skip                           []float32 // padded d_inner
	plainNorm, plainSkip           []float32 // as in the parameters
	wideModel, wideInner, wideDtBC int
}

func newBlock(d *ssm.Dims, p *layerParams) *block {
	dtBC := d.DTRank + 2*d.DState
	b := &block{
		d: d, norm: layer.Padded(p.norm), skip: layer.Padded(p.skip), plainNorm: p.norm, plainSkip: p.skip,
		inX:       layer.NewMatrix(p.inX, p.biasX, d.DInner, d.DModel),
		inZ:       layer.NewMatrix(p.inZ, p.biasZ, d.DInner, d.DModel),
		xProj:     layer.NewMatrix(p.xProj, nil, dtBC, d.DInner),
		dtProj:    layer.NewMatrix(p.dtProj, p.dtBias, d.DInner, d.DTRank),
		out:       layer.NewMatrix(p.out, p.outBias, d.DModel, d.DInner),
		wideModel: kernel.Pad(d.DModel), wideInner: kernel.Pad(d.DInner), wideDtBC: kernel.Pad(dtBC),
	}
	b.conv = newConvolution(p.conv, p.convBias, d.DInner, d.DConv, b.wideInner)
	b.blockedConv = make([]float32, d.DConv*b.wideInner)
	b.decay = make([]lane, b.wideInner/lanes*d.DState)
	for c := range d.DInner {
		for j := range d.DConv {
			b.blockedConv[(c/lanes*d.DConv+j)*lanes+c%lanes] = p.conv[c*d.DConv+j]
		}
		for n := range d.DState {
			b.decay[c/lanes*d.DState+n][c%lanes] = decayRate(p.aLog[c*d.DState+n])
		}
	}
	return b
}

// A trace is what one block's forward pass over a window leaves for the way back.
type trace struct {
	in     []float32 // (length, d_model): the residual stream before the block
	normed []float32 // (length, d_model)
	xIn    []float32 // (length, d_inner): x before the convolution
	x      []float32 // (length, d_inner): x after convolution and SiLU
	z      []float32 // (length, d_inner)
	dtBC   []float32 // (length, dt_rank + 2·d_state)
	dt     []float32 // (length, d_inner): Δ before softplus
	y      []float32 // (length, d_inner): the gated output of the scan
	starts []lane    // (chunks, d_inner/16, d_state): the state before each chunk
}

func (tr *trace) resize(b *block, rows int) {
	tr.in, tr.normed = layer.Grow(tr.in, rows*b.wideModel), layer.Grow(tr.normed, rows*b.wideModel)
	for _, p := range []*[]float32{&tr.xIn, &tr.x, &tr.z, &tr.dt, &tr.y} {
		*p = layer.Grow(*p, rows*b.wideInner)
	}
	tr.dtBC = layer.Grow(tr.dtBC, rows*b.wideDtBC)
	if n := (rows + chunk - 1) / chunk * len(b.decay); cap(tr.starts) < n {
		tr.starts = make([]lane, n)
	} else {
		tr.starts = tr.starts[:n]
	}
}

// forward adds the block's output to residual (rows, d_model), with the kernels
// that serve one event at a time.
func (b *block) forward(tr *trace, residual, gap []float32, rows int) {
	d, model, inner := b.d, b.wideModel, b.wideInner
	tr.resize(b, rows)
	copy(tr.in, residual[:rows*model])
	for t := range rows {
		kernel.RMSNorm(tr.normed[t*model:][:model], tr.in[t*model:][:model], b.norm, d.DModel, float32(d.NormEps))
	}
	b.inX.Apply(tr.xIn, inner, tr.normed, model, rows, false)
	b.inZ.Apply(tr.z, inner, tr.normed, model, rows, false)
	state := make([]float32, (d.DConv-1)*inner)
	for t := range rows {
		kernel.ConvSiLU(tr.x[t*inner:][:inner], tr.xIn[t*inner:][:inner], state, b.blockedConv, b.conv.bias, d.DConv, nil)
	}
	b.xProj.Apply(tr.dtBC, b.wideDtBC, tr.x, inner, rows, false)
	b.dtProj.Apply(tr.dt, inner, tr.dtBC, b.wideDtBC, rows, false)
	b.scan(tr, gap, rows)
	b.out.Apply(residual, model, tr.y, inner, rows, true)
}

// scan computes tr.y and keeps the state before each chunk.
func (b *block) scan(tr *trace, gap []float32, rows int) {
	d, inner := b.d, b.wideInner
	h, a := make([]float32, inner*d.DState), make([]float32, inner*d.DState)
	copyLanes(a, b.decay)
	// ScanStep overwrites what it is given of dt and z.
	dt, z := make([]float32, inner), make([]float32, inner)
	for t := range rows {
		if t%chunk == 0 {
			keepLanes(tr.starts[t/chunk*len(b.decay):][:len(b.decay)], h)
		}
		copy(dt, tr.dt[t*inner:])
		copy(z, tr.z[t*inner:])
		bc := tr.dtBC[t*b.wideDtBC+d.DTRank:]
		kernel.ScanStep(tr.y[t*inner:][:inner], h, dt, tr.x[t*inner:][:inner], z,
			bc[:d.DState], bc[d.DState:][:d.DState], a, b.skip, gapAt(gap, t), nil)
	}
}

func gapAt(gap []float32, t int) float32 {
	if gap == nil {
		return 1
	}
	return gap[t]
}

func copyLanes(dst []float32, src []lane) {
	for i := range src {
		copy(dst[i*lanes:], src[i][:])
	}
}

func keepLanes(dst []lane, src []float32) {
	for i := range dst {
		copy(dst[i][:], src[i*lanes:])
	}
}
