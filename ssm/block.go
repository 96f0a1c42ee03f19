package ssm

import "github.com/weirstream/weir/ssm/internal/kernel"

// The parts of a block, each on rows of the Stepper. Convolution and scan go
// through memory, so they are rows of a loop; the other parts are products of
// all rows at once.

// norm computes n rows of st.normed = RMSNorm(st.residual).
func (st *Stepper) norm(w []float32, n int) {
	d := &st.m.dims
	wide := len(w)
	for i := range n {
		kernel.RMSNorm(st.normed[i*wide:][:wide], st.residual[i*wide:][:wide], w, d.DModel, float32(d.NormEps))
	}
}

// project takes n rows through norm and in_proj: x and z.
func (st *Stepper) project(layer, n int) {
	p := &st.m.layers[layer]
	st.norm(p.norm, n)
	kernel.Gemm(st.xz, p.inProj.Width(), st.normed, len(p.norm), n, p.inProj, false)
}

// convolve takes x of row i through the causal convolution with SiLU. conv is
// the stream's memory for it; next, the one needed after it, is fetched.
func (st *Stepper) convolve(layer, i int, conv, next []float32) {
	p := &st.m.layers[layer]
	x := st.convRow(layer, i)
	kernel.ConvSiLU(x, x, conv, p.conv, p.convB, st.m.dims.DConv, next)
}

// convRow returns what the convolution of row i reads, and where it writes.
func (st *Stepper) convRow(layer, i int) []float32 {
	p := &st.m.layers[layer]
	return st.xz[i*p.inProj.Width():][:len(p.convB)]
}

// selectParameters computes n rows of what the input selects: Δ (before
// softplus), B and C.
func (st *Stepper) selectParameters(layer, n int) {
	p := &st.m.layers[layer]
	kernel.Gemm(st.dbc, p.xProj.Width(), st.xz, p.inProj.Width(), n, p.xProj, false)
	kernel.Gemm(st.dt, p.dtProj.Width(), st.dbc, p.xProj.Width(), n, p.dtProj, false)
}

// scan advances h by row i, whose gated output takes the place of its Δ.
func (st *Stepper) scan(layer, i int, gap float32, h, next []float32) {
	p := &st.m.layers[layer]
	b, c := st.bc(layer, i)
	x, z, dt := st.convRow(layer, i), st.gateRow(layer, i), st.dtRow(layer, i)
	kernel.ScanStep(dt, h, dt, x, z, b, c, p.a, p.skip, gap, next)
}

func (st *Stepper) gateRow(layer, i int) []float32 {
	p := &st.m.layers[layer]
	return st.xz[i*p.inProj.Width()+len(p.convB):][:len(p.skip)]
}

func (st *Stepper) dtRow(layer, i int) []float32 {
	wide := len(st.m.layers[layer].skip)
	return st.dt[i*wide:][:wide]
}

// bc returns B and C of row i, d_state numbers each.
func (st *Stepper) bc(layer, i int) (b, c []float32) {
	d, width := &st.m.dims, st.m.layers[layer].xProj.Width()
	row := st.dbc[i*width+d.DTRank:]
	return row[:d.DState], row[d.DState:][:d.DState]
}

// projectBack adds out_proj of n rows to st.residual.
func (st *Stepper) projectBack(layer, n int) {
	p := &st.m.layers[layer]
	kernel.Gemm(st.residual, len(p.norm), st.dt, len(p.skip), n, p.outProj, true)
}
