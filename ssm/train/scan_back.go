package train

import "github.com/weirstream/weir/ssm/internal/layer"

// scanBack computes, from the gradient w.y of the gated output, those of x, z and
// dt, and the part of w.dtBC that belongs to B and C; chunk after chunk from the
// window's end, in each one block of channels after the other.
func (b *block) scanBack(w *blockBack, grad *layerParams, tr *trace, gap []float32, rows int) {
	n := b.d.DState
	clear(w.g)
	clear(w.da)
	clear(w.skip)
	clear(w.dtBC)
	for first := (rows - 1) / chunk * chunk; first >= 0; first -= chunk {
		part := min(chunk, rows-first)
		clear(w.dbc)
		for at := 0; at < b.wideInner; at += lanes {
			b.blockBack(w, tr, gap, first, part, at)
		}
		for t := range part {
			row := w.dtBC[(first+t)*b.wideDtBC+b.d.DTRank:]
			for k, both := range w.dbc[t*n:][:n] {
				row[k], row[n+k] = sumLanes(&both[0]), sumLanes(&both[1])
			}
		}
	}
	layer.AddTo(grad.skip, w.skip)
	for i := range grad.aLog {
		at := i/n/lanes*n + i%n
		// A = -exp(A_log), so dA/dA_log = A = A'·log(2).
		grad.aLog[i] += w.da[at][i/n%lanes] * b.decay[at][i/n%lanes] * ln2
	}
}

func sumLanes(v *lane) float32 {
	var sum float32
	for _, x := range v {
		sum += x
	}
	return sum
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
		g, ev := gapAt(gap, first+t), &s.events[t]
		for l := range lanes {
			delta, sl := softplusSlope(dt[l])
			ev.delta[l], slope[t][l] = delta*g, sl*g
			ev.u[l] = delta * g * x[l]
		}
	}
	bc := tr.dtBC[first*b.wideDtBC+b.d.DTRank:]
	s.run(a, bc, bc[n:], b.wideDtBC, rows)
	b.gateBack(w, tr, first, rows, at)
	s.back(w.g[states:][:n], w.da[states:][:n], w.dbc, a, bc, bc[n:], b.wideDtBC, rows)
	for t := range rows {
		row := (first+t)*b.wideInner + at
		x, dx, ddt := tr.x[row:][:lanes], w.x[row:][:lanes], w.dt[row:][:lanes]
		ev := &s.events[t]
		for l := range lanes {
			dx[l] = ev.dy[l]*b.skip[at+l] + ev.du[l]*ev.delta[l]
			ddt[l] = (ev.ddecay[l]*ln2 + ev.du[l]*x[l]) * slope[t][l] // A = A'·log(2)
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
		ev := &s.events[t]
		for l := range lanes {
			gate, slope := layer.SiLUSlope(z[l])
			dy := dout[l] * gate
			ev.dy[l] = dy
			dz[l] = dout[l] * (ev.y[l] + skip[l]*x[l]) * slope
			dskip[l] += dy * x[l]
		}
	}
}

// softplusSlope returns log(1 + e^v) and its derivative, sigmoid(v).
func softplusSlope(v float32) (y, slope float32) {
	e := layer.Exp(-max(v, -v)) // at most 1
	// log(1+e) = e + e²·p(e), the polynomial of package kernel.
	p := float32(-0.003244024468585849)
	p = p*e + 0.019851459190249443
	p = p*e - 0.05695953220129013
	p = p*e + 0.10603654384613037
	p = p*e - 0.15305592119693756
	p = p*e + 0.1967593878507614
	p = p*e - 0.24954134225845337
	p = p*e + 0.3332996368408203
	p = p*e - 0.4999990165233612
	y = max(v, 0) + (e + e*e*p)
	if v < 0 {
		return y, e / (1 + e)
	}
	return y, 1 / (1 + e)
}
