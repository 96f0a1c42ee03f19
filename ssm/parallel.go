package ssm

import "github.com/weirstream/weir/ssm/internal/kernel"

// scanTime scans chunks of time side by side. The scan h' = a·h + b composes
// associatively,
//
//	(a, b) ∘ (a', b') = (a·a', a'·b + b')
//
// (Blelloch 1990; for selective state spaces Gu and Dao 2023, section 3.3.2), so
//
//  1. every chunk but the last is reduced to its own (a, b): b is the state it
//     reaches from zero, and a = exp(A·ΣΔ), so ΣΔ stands for a;
//  2. the pairs are composed in order, which gives the state at each seam;
//  3. every chunk runs from its seam: discretized, scanned and read out in one
//     pass. Nothing of size (events, d_inner, d_state) is ever kept.
//
// The first chunk's start is known, so it needs no step 1. Chunks and the order
// of every sum depend on the number of events alone.
func (p *window) scanTime(e *span, layer int, h []float32, last int) {
	p.each(last+1, func(w *chunkWorker, c int) {
		rows, gap, n := p.rows(e, c)
		p.enter(rows, layer, c, n)
		switch c {
		case 0:
			rows.finish(w, layer, gap, h, n, true)
			p.leave(w, e, layer, c)
		case last: // nothing starts from its end
		default:
			rows.reduce(w, layer, gap, p.ends[c], p.decays[c], n)
		}
	})
	if last == 0 {
		return
	}
	copy(p.ends[0], h)
	for c := 1; c < last; c++ {
		p.compose(layer, c)
	}
	p.each(last, func(w *chunkWorker, before int) {
		c := before + 1
		rows, gap, n := p.rows(e, c)
		rows.finish(w, layer, gap, p.ends[before], n, c == last)
		p.leave(w, e, layer, c)
	})
	copy(h, p.ends[last-1])
}

// finish takes n rows of one chunk from h, the state at its start, to the scan's
// output. With keep, h is the state at the end afterwards.
func (st *Stepper) finish(w *chunkWorker, layer int, gap, h []float32, n int, keep bool) {
	if w.ssd != nil {
		w.ssd.finish(w, st, layer, gap, h, n, keep)
		return
	}
	for i := range n {
		st.scan(layer, i, gapOf(gap, i), h, nil)
	}
}

// reduce computes a chunk's own (a, b): the state end that it reaches from zero,
// and ΣΔ. The rows stay as they are.
//
// ΣΔ is itself a state: that of a channel with A = 0, B = 1 and x = 1.
func (st *Stepper) reduce(w *chunkWorker, layer int, gap, end, sum []float32, n int) {
	if w.ssd != nil {
		w.ssd.reduce(w, st, layer, gap, end, sum, n)
		return
	}
	clear(end)
	clear(sum)
	wide := len(w.dt)
	for i := range n {
		g := gapOf(gap, i)
		copy(w.dt, st.dtRow(layer, i))
		st.scanGroups(w.dt, layer, i, w.gate, g, end, nil)
		copy(w.dt, st.dtRow(layer, i))
		kernel.ScanStep(w.dt, sum, w.dt, w.ones, w.gate, w.ones[:1], w.zeros[:1], w.zeros[:wide], w.zeros[:wide], g, nil)
	}
}

// farAbove lifts a Δ to where softplus(Δ) = Δ.
const farAbove = 1 << 64

// compose turns p.ends[c], reached from zero, into the state after chunk c:
// a·h + b, with h the state after chunk c-1.
func (p *window) compose(layer, c int) {
	end, before, w := p.ends[c], p.ends[c-1], p.workers[0]
	if heads := p.m.dims.NHead; heads > 0 {
		each := len(end) / heads
		for h, a := range p.decays[c][:heads] {
			from, to := before[h*each:][:each], end[h*each:][:each]
			for i, v := range from {
				to[i] += float32(a * v)
			}
		}
		return
	}
	for i, v := range p.decays[c] {
		w.dt[i] = v * farAbove
	}
	none, l := w.zeros[:p.m.dims.DState], &p.m.layers[layer]
	wide := len(w.dt)
	copy(w.carry, before)
	kernel.ScanStep(w.dt, w.carry, w.dt, w.zeros[:wide], w.gate, none, none, l.a, w.zeros[:wide], 1.0/farAbove, nil)
	for i, v := range w.carry {
		end[i] += v
	}
}
