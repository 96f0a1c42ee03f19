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

// selectParameters computes n rows of what the input selects. Mamba: Δ (before
// softplus), B and C. In Mamba-2, in_proj did that, and Δ is bounded here.
func (st *Stepper) selectParameters(layer, n int) {
	p := &st.m.layers[layer]
	if p.heads != nil {
		for i := range n {
			p.heads.bound(st.headRow(layer, i))
		}
		return
	}
	kernel.Gemm(st.dbc, p.xProj.Width(), st.xz, p.inProj.Width(), n, p.xProj, false)
	kernel.Gemm(st.dt, p.dtProj.Width(), st.dbc, p.xProj.Width(), n, p.dtProj, false)
}

// bound keeps Δ, before softplus, within its limits.
func (p *packedHeads) bound(dt []float32) {
	for h, v := range dt {
		if v < p.dtMin {
			dt[h] = p.dtMin
		} else if v > p.dtMax {
			dt[h] = p.dtMax
		}
	}
}

// headRow returns Δ of each head of row i, in Mamba-2.
func (st *Stepper) headRow(layer, i int) []float32 {
	p := &st.m.layers[layer]
	return st.xz[i*p.inProj.Width():][:p.inProj.Width()][len(p.convB)+len(p.skip):]
}

// scan advances h by row i, whose gated output goes to st.dt.
func (st *Stepper) scan(layer, i int, gap float32, h, next []float32) {
	if st.m.dims.NHead == 0 {
		st.scanRow(&st.m.layers[layer], i, gap, h, next)
		return
	}
	y := st.dtRow(layer, i)
	st.delta(layer, i, y)
	st.scanGroups(y, layer, i, st.gateRow(layer, i), gap, h, next)
	st.gatedNorm(layer, y)
}

// scanRow is scan of Mamba, whose channels are all of one group: once an event and
// layer, so what the general way looks up is spared.
func (st *Stepper) scanRow(p *packedLayer, i int, gap float32, h, next []float32) {
	wide, r, n := len(p.skip), st.m.dims.DTRank, st.m.dims.DState
	xz := st.xz[i*2*wide:][:2*wide]
	y := st.dt[i*wide:][:wide]
	bc := st.dbc[i*p.xProj.Width()+r:][:2*n]
	kernel.ScanStep(y, h, y, xz[:wide], xz[wide:], bc[:n], bc[n:], p.a, p.skip, gap, next)
}

// delta sets dt to Δ of row i before softplus, one for each channel. In Mamba it
// is there already.
func (st *Stepper) delta(layer, i int, dt []float32) {
	heads := st.m.dims.NHead
	if heads == 0 {
		return
	}
	wide := len(dt) / heads
	for h, v := range st.headRow(layer, i)[:heads] {
		for c := range dt[h*wide:][:wide] {
			dt[h*wide+c] = v
		}
	}
}

// scanGroups advances h by row i and a gate; in Mamba there is one group. y
// holds Δ before, the output after.
func (st *Stepper) scanGroups(y []float32, layer, i int, gate []float32, gap float32, h, next []float32) {
	groups := max(1, st.m.dims.NGroup)
	wide := len(y) / groups
	for g := range groups {
		st.scanBlocks(y, layer, i, g, g*wide, (g+1)*wide, gate, gap, h, next)
	}
}

// scanBlocks is scanGroups for the channels from and up to to, whole blocks of
// one group.
func (st *Stepper) scanBlocks(y []float32, layer, i, group, from, to int, gate []float32, gap float32, h, next []float32) {
	p, states := &st.m.layers[layer], st.m.dims.DState
	x := st.convRow(layer, i)
	b, c := st.bc(layer, i, group)
	if next != nil {
		next = next[from*states : to*states]
	}
	kernel.ScanStep(y[from:to], h[from*states:to*states], y[from:to], x[from:to], gate[from:to], b, c,
		p.a[from*states:to*states], p.skip[from:to], gap, next)
}

// gatedNorm computes the RMSNorm of each group's channels. Mamba has none.
func (st *Stepper) gatedNorm(layer int, y []float32) {
	d := &st.m.dims
	if d.NHead == 0 {
		return
	}
	w, wide := st.m.layers[layer].heads.gatedNorm, len(y)/d.NGroup
	for at := 0; at < len(y); at += wide {
		group := y[at:][:wide]
		kernel.RMSNorm(group, group, w[at:][:wide], d.DInner/d.NGroup, float32(d.NormEps))
	}
}

func (st *Stepper) gateRow(layer, i int) []float32 {
	p := &st.m.layers[layer]
	return st.xz[i*p.inProj.Width()+len(p.convB):][:len(p.skip)]
}

func (st *Stepper) dtRow(layer, i int) []float32 {
	wide := len(st.m.layers[layer].skip)
	return st.dt[i*wide:][:wide]
}

// bc returns B and C of row i and a group, d_state numbers each.
func (st *Stepper) bc(layer, i, group int) (b, c []float32) {
	d, p := &st.m.dims, &st.m.layers[layer]
	if p.heads != nil {
		row := st.convRow(layer, i)[len(p.skip)+group*d.DState:]
		return row[:d.DState], row[d.NGroup*d.DState:][:d.DState]
	}
	row := st.dbc[i*p.xProj.Width()+d.DTRank:]
	return row[:d.DState], row[d.DState:][:d.DState]
}

// projectBack adds out_proj of n rows to st.residual.
func (st *Stepper) projectBack(layer, n int) {
	p := &st.m.layers[layer]
	kernel.Gemm(st.residual, len(p.norm), st.dt, len(p.skip), n, p.outProj, true)
}
