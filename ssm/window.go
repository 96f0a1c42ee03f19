package ssm

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/weirstream/weir/ssm/internal/kernel"
)

// A window is a stretch of one stream's events that goes through the layers at
// once, on several cores. All but convolution and scan is products of rows, so
// the cores share them out in chunks of time; the convolution needs no more than
// the d_conv-1 inputs before a chunk, which are there when it begins. What
// differs is the scan: see scanChannels and scanTime.
type window struct {
	m       *Model
	form    form
	steps   *Stepper // rows of the window
	chunk   int      // events of a chunk
	convs   [][]float32
	ends    [][]float32 // parallel: the ssm states after each chunk
	decays  [][]float32 // parallel: ΣΔ of each chunk, (d_inner); Mamba-2: α_1 … α_T, (n_head)
	workers []*chunkWorker
}

// A chunkWorker is the scratch memory of one core.
type chunkWorker struct {
	out         []float32 // rows of the head
	dt          []float32 // (d_inner)
	gate        []float32 // (d_inner), zeros
	zeros, ones []float32 // (d_inner); also B and C
	carry       []float32 // an ssm state
	ssd         *ssd      // parallel Mamba-2
}

func newWindow(m *Model, f form, rows, chunk int) *window {
	chunks := (rows + chunk - 1) / chunk
	conv, h := m.layerState(m.NewState(), 0)
	wide := m.dims.scanWidth()
	p := &window{m: m, form: f, steps: m.newRows(rows), chunk: chunk, convs: slab(chunks, len(conv))}
	if f == parallel {
		p.ends, p.decays = slab(chunks, len(h)), slab(chunks, wide)
	}
	for range min(chunks, runtime.GOMAXPROCS(0)) {
		w := &chunkWorker{out: make([]float32, chunk*kernel.Pad(m.dims.outWidth()))}
		if f == parallel {
			w.dt, w.gate, w.carry = make([]float32, wide), make([]float32, wide), make([]float32, len(h))
			w.zeros, w.ones = make([]float32, max(wide, m.dims.DState)), make([]float32, wide)
			for i := range w.ones {
				w.ones[i] = 1
			}
			if m.dims.NHead > 0 {
				w.ssd = newSSD(&m.dims, chunk)
			}
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

// each calls f for 0 to n-1, in any order on all cores, and waits.
func (p *window) each(n int, f func(w *chunkWorker, i int)) {
	var next atomic.Int64
	work := func(w *chunkWorker) {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			f(w, i)
		}
	}
	var wg sync.WaitGroup
	for _, w := range p.workers[1:min(n, len(p.workers))] {
		wg.Go(func() { work(w) })
	}
	work(p.workers[0])
	wg.Wait()
}

// A span is the part of a history that a window takes through the layers.
type span struct {
	dst, gap []float32 // of n events, or nil
	n        int
}

// rows returns a chunk's rows and their gaps.
func (p *window) rows(e *span, c int) (rows *Stepper, gap []float32, n int) {
	from, to := c*p.chunk, min(e.n, (c+1)*p.chunk)
	return p.steps.view(from, to), part(e.gap, from, to, 1), to - from
}

// advance takes the rows of p.steps through the blocks and, with e.dst, the head.
func (p *window) advance(e *span, s State) {
	last := (e.n - 1) / p.chunk
	p.each(last+1, func(_ *chunkWorker, c int) {
		rows, _, n := p.rows(e, c)
		rows.project(0, n)
	})
	for layer := range p.m.layers {
		conv, h := p.m.layerState(s, layer)
		p.seams(layer, conv, last)
		if p.form == parallel {
			p.scanTime(e, layer, h, last)
		} else {
			p.scanChannels(e, layer, h, last)
		}
		copy(conv, p.convs[last])
	}
}

// enter takes a chunk through the convolution and what it selects.
func (p *window) enter(rows *Stepper, layer, c, n int) {
	for i := range n {
		rows.convolve(layer, i, p.convs[c], nil)
	}
	rows.selectParameters(layer, n)
}

// leave takes a chunk from the scan's output to where the next layer's
// convolution begins or, after the last, to the results.
func (p *window) leave(w *chunkWorker, e *span, layer, c int) {
	rows, _, n := p.rows(e, c)
	rows.projectBack(layer, n)
	if layer+1 < len(p.m.layers) {
		rows.project(layer+1, n)
	} else if e.dst != nil {
		width := p.m.dims.outWidth()
		rows.out = w.out
		rows.leave(e.dst[c*p.chunk*width:][:n*width], n)
	}
}

// seams fills p.convs with the convolution's memory at the start of every
// chunk: the d_conv-1 inputs before it, from the window or, before that, from conv.
func (p *window) seams(layer int, conv []float32, last int) {
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

// scanChannels scans the channels side by side, each event after event, so that
// the results are the bits of single steps.
func (p *window) scanChannels(e *span, layer int, h []float32, last int) {
	p.each(last+1, func(_ *chunkWorker, c int) {
		rows, _, n := p.rows(e, c)
		p.enter(rows, layer, c, n)
		for i := range n {
			rows.delta(layer, i, rows.dtRow(layer, i))
		}
	})
	groups := max(1, p.m.dims.NGroup)
	blocks := p.m.dims.scanWidth() / groups / kernel.Lanes // of a group
	parts := min(blocks, len(p.workers))
	p.each(groups*parts, func(_ *chunkWorker, i int) {
		g, at := i/parts, i%parts
		from, to := g*blocks+at*blocks/parts, g*blocks+(at+1)*blocks/parts
		for row := range e.n {
			y := p.steps.dtRow(layer, row)
			p.steps.scanBlocks(y, layer, row, g, from*kernel.Lanes, to*kernel.Lanes, p.steps.gateRow(layer, row), gapOf(e.gap, row), h, nil)
		}
	})
	p.each(last+1, func(w *chunkWorker, c int) {
		rows, _, n := p.rows(e, c)
		for i := range n {
			rows.gatedNorm(layer, rows.dtRow(layer, i))
		}
		p.leave(w, e, layer, c)
	})
}
