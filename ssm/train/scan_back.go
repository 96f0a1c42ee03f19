package train

// scanBack computes, from the gradient w.y of the gated output, those of x, z and
// dt, and the part of w.dtBC that belongs to B and C; chunk after chunk from the
// window's end, in each one block of channels after the other.
func (b *block) scanBack(w *blockBack, grad *layerParams, tr *trace, gap []float32, rows int) {
	clear(w.g)
	clear(w.da)
	clear(w.skip)
	clear(w.dtBC)
	for first := (rows - 1) / chunk * chunk; first >= 0; first -= chunk {
		n := min(chunk, rows-first)
		clear(w.db)
		clear(w.dc)
		for at := 0; at < b.wideInner; at += lanes {
			b.blockBack(w, tr, gap, first, n, at)
		}
		for t := range n {
			row := w.dtBC[(first+t)*b.wideDtBC+b.d.DTRank:]
			addLanes(row[:b.d.DState], w.db[t*b.d.DState:])
			addLanes(row[b.d.DState:][:b.d.DState], w.dc[t*b.d.DState:])
		}
	}
	addTo(grad.skip, w.skip)
	for i := range grad.aLog {
		c, n := i/b.d.DState, i%b.d.DState
		at := c/lanes*b.d.DState + n
		// A = -exp(A_log), so dA/dA_log = A = A'·log(2).
		grad.aLog[i] += w.da[at][c%lanes] * b.decay[at][c%lanes] * ln2
	}
}

// blockBack takes the channels at and following through rows events from first.
func (b *block) blockBack(w *blockBack, tr *trace, gap []float32, first, rows, at int) {
	s, n := w.scan, b.d.DState
	states := at / lanes * n
	a := b.decay[states:][:n]
	copy(s.h[:n], tr.starts[first/chunk*len(b.decay)+states:][:n])
	var slope [chunk]lane // of softplus, times the gap
	for t := range rows {
		row := (first+t)*b.wideInner + at
		dt, x := tr.dt[row:][:lanes], tr.x[row:][:lanes]
		g := gapAt(gap, first+t)
		for l := range lanes {
			delta, sl := softplusSlope(dt[l])
			s.delta[t][l], slope[t][l] = delta*g, sl*g
			s.u[t][l] = delta * g * x[l]
		}
	}
	bc := tr.dtBC[first*b.wideDtBC+b.d.DTRank:]
	s.run(a, bc, bc[n:], b.wideDtBC, rows)
	b.gateBack(w, tr, first, rows, at)
	s.back(w.g[states:][:n], w.da[states:][:n], w.db, w.dc, a, bc, bc[n:], b.wideDtBC, rows)
	for t := range rows {
		row := (first+t)*b.wideInner + at
		x, dx, ddt := tr.x[row:][:lanes], w.x[row:][:lanes], w.dt[row:][:lanes]
		for l := range lanes {
			dx[l] = s.dy[t][l]*b.skip[at+l] + s.du[t][l]*s.delta[t][l]
			ddt[l] = (s.ddelta[t][l] + s.du[t][l]*x[l]) * slope[t][l]
		}
	}
}

// gateBack goes back through (y + D x)·silu(z): it finds the scan's dy and the
// gradients of z and D.
func (b *block) gateBack(w *blockBack, tr *trace, first, rows, at int) {
	s, skip, dskip := w.scan, b.skip[at:][:lanes], w.skip[at:][:lanes]
	for t := range rows {
		row := (first+t)*b.wideInner + at
		x, z := tr.x[row:][:lanes], tr.z[row:][:lanes]
		dout, dz := w.y[row:][:lanes], w.z[row:][:lanes]
		for l := range lanes {
			gate, slope := siluSlope(z[l])
			dy := dout[l] * gate
			s.dy[t][l] = dy
			dz[l] = dout[l] * (s.y[t][l] + skip[l]*x[l]) * slope
			dskip[l] += dy * x[l]
		}
	}
}
