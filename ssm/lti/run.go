package lti

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// wave is the number of chunks whose states are held at once, which bounds the
// memory of the parallel forms whatever the length of the history.
const wave = 64

// parallelFrom is the length from which convolving pays even where the plan
// has to be made for this one call (order 64: 3 ms dense, 0.4 ms diagonal). It is
// a length and not a question whether there is a plan, so that equal calls give
// equal bits.
const parallelFrom = 8 * chunk

// Run takes the events x of history: dst[k] becomes the output for x[k], s goes
// from the state before the first to the state after the last. It picks the form
// that is fastest for the length, unless Exact asks for Step's bits. dst may be
// x. Histories that do not fit into memory are run in pieces, one Run after
// the other.
func (d *Discrete) Run(dst []float64, s *State, x []float64) {
	if d.Exact || len(x) < parallelFrom {
		d.Recur(dst, s, x)
		return
	}
	d.Convolve(dst, s, x)
}

// waves cuts dst and x into runs of at most wave chunks and calls one for each.
func waves(dst, x []float64, one func(dst, x []float64)) {
	for len(x) > 0 {
		m := min(len(x), wave*chunk)
		one(dst[:m], x[:m])
		dst, x = dst[m:], x[m:]
	}
}

// chunks returns how many chunks l events are, the last of which may be short.
func chunks(l int) int { return (l + chunk - 1) / chunk }

// part returns the i-th chunk of x.
func part(x []float64, i int) []float64 {
	return x[i*chunk : min((i+1)*chunk, len(x))]
}

// each calls work(0) … work(n−1), spread over the cores, and returns when all are
// done. Every goroutine gets a work function, and with it scratch, of its own.
func each(n int, newWork func() func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	if workers <= 1 {
		for i, work := 0, newWork(); i < n; i++ {
			work(i)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			work := newWork()
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				work(i)
			}
		})
	}
	wg.Wait()
}
