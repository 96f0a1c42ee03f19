package ssm

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/weirstream/weir/ssm/internal/kernel"
)

// A parallelScan computes a window of one stream's events in chunks of time,
// side by side. The scan h' = a·h + b composes associatively,
//
//	(a, b) ∘ (a', b') = (a·a', a'·b + b')
//
// (Blelloch 1990; for selective state spaces Gu and Dao 2023, section 3.3.2), so
// in each layer
//
//  1. every chunk but the last is reduced to its own (a, b): b is the state it
//     reaches from zero, and a = exp(A·ΣΔ), so ΣΔ stands for a;
//  2. the pairs are composed in order, which gives the state at each seam;
//  3. every chunk runs from its seam: discretized, scanned and read out event by
//     event. Nothing of size (events, d_inner, d_state) is ever kept.
//
// The first chunk's start is known, so it needs no step 1. Chunks and the order
// of every sum depend on the number of events alone.
type parallelScan struct {
	m       *Model
	steps   *Stepper // rows of the window
	chunk   int      // events of a chunk
	convs   [][]float32
	ends    [][]float32 // the states after each chunk
	deltas  [][]float32 // ΣΔ of each chunk, (d_inner)
	workers []*chunkWorker
}

// A chunkWorker is the scratch memory of one core.
type chunkWorker struct {
	out         []float32 // rows of the head
	dt          []float32 // (d_inner)
	gate        []float32 // (d_inner), zeros
	zeros, ones []float32 // (d_inner); also B and C
	carry       []float32 // an ssm state
	ssd         *ssd      // Mamba-2
}

func newParallelScan(steps *Stepper, rows, chunk int) *parallelScan {
	m := steps.m
	chunks := (rows + chunk - 1) / chunk
	conv, h := m.layerState(m.NewState(), 0)
	wide := len(m.layers[0].skip)
	p := &parallelScan{
		m: m, steps: steps, chunk: chunk,
		convs: slab(chunks, len(conv)), ends: slab(chunks, len(h)), deltas: slab(chunks, wide),
	}
	for range min(chunks, runtime.GOMAXPROCS(0)) {
		w := &chunkWorker{
			out: make([]float32, chunk*kernel.Pad(m.dims.outWidth())),
			dt:  make([]float32, wide), gate: make([]float32, wide),
			zeros: make([]float32, max(wide, m.dims.DState)), ones: make([]float32, wide),
			carry: make([]float32, len(h)),
		}
		for i := range w.ones {
			w.ones[i] = 1
		}
		if m.dims.NHead > 0 {
			w.ssd = newSSD(&m.dims, chunk)
		}
		p.workers = append(p.workers, w)
	}
	return p
}

// slab returns n rows of a width.
func slab(n, width int) [][]float32 {
	data, rows := make([]float32, n*width), make([][]float32, n)
	for i := range rows {
		rows[i] = data[i*width:][:width:width]
	}
	return rows
}

// each calls f for every chunk of n events, on all cores, and waits.
func (p *parallelScan) each(n int, f func(w *chunkWorker, c, from, to int)) {
	var next atomic.Int64
	work := func(w *chunkWorker) {
		for {
			c := int(next.Add(1)) - 1
			if c*p.chunk >= n {
				return
			}
			f(w, c, c*p.chunk, min(n, (c+1)*p.chunk))
		}
	}
	var wg sync.WaitGroup
	for _, w := range p.workers[1:] {
		wg.Go(func() { work(w) })
	}
	work(p.workers[0])
	wg.Wait()
}

// advance takes n rows of p.steps through the blocks and, with dst, the head.
func (p *parallelScan) advance(dst, gap []float32, s State, n int) {
	for layer := range p.m.layers {
		p.block(layer, gap, s, n)
	}
	if dst == nil {
		return
	}
	width := p.m.dims.outWidth()
	p.each(n, func(w *chunkWorker, _, from, to int) {
		rows := p.steps.view(from, to)
		rows.out = w.out
		rows.leave(dst[from*width:to*width], to-from)
	})
}

// block is Stepper.block for n events of one stream.
func (p *parallelScan) block(layer int, gap []float32, s State, n int) {
	conv, h := p.m.layerState(s, layer)
	last := (n - 1) / p.chunk
	p.each(n, func(_ *chunkWorker, _, from, to int) {
		p.steps.view(from, to).project(layer, to-from)
	})
	p.seams(layer, conv, last)
	p.each(n, func(w *chunkWorker, c, from, to int) {
		rows, gap := p.steps.view(from, to), part(gap, from, to, 1)
		for i := range to - from {
			rows.convolve(layer, i, p.convs[c], nil)
		}
		rows.selectParameters(layer, to-from)
		switch c {
		case 0:
			rows.finish(w, layer, gap, h, to-from, true)
		case last: // nothing starts from its end
		default:
			rows.reduce(w, layer, gap, p.ends[c], p.deltas[c], to-from)
		}
	})
	copy(conv, p.convs[last])
	if last == 0 {
		return
	}
	copy(p.ends[0], h)
	for c := 1; c < last; c++ {
		p.compose(layer, c)
	}
	p.each(n-p.chunk, func(w *chunkWorker, c, from, to int) {
		from, to = from+p.chunk, to+p.chunk
		p.steps.view(from, to).finish(w, layer, part(gap, from, to, 1), p.ends[c], to-from, c+1 == last)
	})
	copy(h, p.ends[last-1])
}

// seams fills p.convs with the convolution's memory at the start of every
// chunk: the d_conv-1 inputs before it, from the window or, before that, from conv.
func (p *parallelScan) seams(layer int, conv []float32, last int) {
	past := p.m.dims.DConv - 1
	for c := range last + 1 {
		for tap := range past {
			at := c*p.chunk - past + tap // the input's row
			var input []float32
			if at >= 0 {
				input = p.steps.convRow(layer, at)
			}
			for from := 0; from < len(conv); from += past * kernel.Lanes {
				block := p.convs[c][from+tap*kernel.Lanes:][:kernel.Lanes]
				if at >= 0 {
					copy(block, input[from/past:])
				} else {
					copy(block, conv[from+(past+at)*kernel.Lanes:])
				}
			}
		}
	}
}

// finish takes n rows of one chunk from h, the state at its start, to the
// block's output. With keep, h is the state at the end afterwards.
func (st *Stepper) finish(w *chunkWorker, layer int, gap, h []float32, n int, keep bool) {
	if w.ssd != nil {
		w.ssd.finish(w, st, layer, gap, h, n, keep)
		return
	}
	for i := range n {
		st.scan(layer, i, gapOf(gap, i), h, nil)
	}
	st.projectBack(layer, n)
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
		st.delta(layer, i, w.dt)
		st.scanInto(w.dt, layer, i, w.gate, g, end, nil)
		st.delta(layer, i, w.dt)
		kernel.ScanStep(w.dt, sum, w.dt, w.ones, w.gate, w.ones[:1], w.zeros[:1], w.zeros[:wide], w.zeros[:wide], g, nil)
	}
}

// farAbove lifts a Δ to where softplus(Δ) = Δ.
const farAbove = 1 << 64

// compose turns p.ends[c], reached from zero, into the state after chunk c:
// a·h + b, with h the state after chunk c-1.
func (p *parallelScan) compose(layer, c int) {
	w, l := p.workers[0], &p.m.layers[layer]
	for i, v := range p.deltas[c] {
		w.dt[i] = v * farAbove
	}
	none := w.zeros[:p.m.dims.DState]
	wide := len(w.dt)
	copy(w.carry, p.ends[c-1])
	kernel.ScanStep(w.dt, w.carry, w.dt, w.zeros[:wide], w.gate, none, none, l.a, w.zeros[:wide], 1.0/farAbove, nil)
	for i, v := range w.carry {
		p.ends[c][i] += v
	}
}
