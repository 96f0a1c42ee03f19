package train

import (
	"math"

	"github.com/weirstream/weir/ssm/internal/kernel"
	"github.com/weirstream/weir/ssm/internal/layer"
)

const (
	// chunk is the number of events between two stored states.
	chunk = 64
	lanes = kernel.Lanes
	ln2   = float32(math.Ln2)
)

// A lane holds one number of each of a block's channels.
type lane = [lanes]float32

// A blockScan is the selective scan of one block of 16 channels over one chunk of
// at most 64 events, forward and back. Decays are powers of two: A' = A·log2(e).
//
//	h_t = exp2(Δ_t A')·h_{t-1} + u_t B_t,   y_t = C_t h_t,   u = Δ x
type blockScan struct {
	dState int
	h      []lane // (chunk + 1, d_state); the first row is the state before
	decay  []lane // (chunk, d_state)
	events [chunk]scanEvent
}

// A scanEvent is what goes into the scan of one event, and comes out of it. The
// assembly knows the order.
type scanEvent struct {
	delta, u lane // into run
	y        lane // out of run
	dy       lane // into back
	du       lane // out of back: the gradient of u
	ddecay   lane // out of back: the gradient of Δ through the decays, over log(2)
}

// A scanImpl is one way to compute the two halves of a blockScan. Their sums may be
// rounded in other ways, so gradients of two processors may differ in the last bits.
type scanImpl struct {
	name string
	run  func(s *blockScan, a []lane, b, c []float32, ld, rows int)
	back func(s *blockScan, g, da []lane, dbc [][2]lane, a []lane, b, c []float32, ld, rows int)
}

var genericScan = scanImpl{"generic", runGeneric, backGeneric}

// activeScan is chosen once, by what the processor can do.
var activeScan = supportedScans()[0]

func newBlockScan(dState int) *blockScan {
	return &blockScan{dState: dState, h: make([]lane, (chunk+1)*dState), decay: make([]lane, chunk*dState)}
}

// run computes the states and y of rows events from h's first row. b and c begin
// at the first event's B and C; an event's are ld after those of the event before.
func (s *blockScan) run(a []lane, b, c []float32, ld, rows int) {
	s.check(a, b, c, ld, rows)
	activeScan.run(s, a, b, c, ld, rows)
}

// back goes from the last event to the first. g (d_state) holds the gradient of the
// state after the chunk, and then of the state before it. da (d_state) collects the
// gradient of A, dbc (chunk, d_state) those of B and C, a number a channel.
func (s *blockScan) back(g, da []lane, dbc [][2]lane, a []lane, b, c []float32, ld, rows int) {
	s.check(a, b, c, ld, rows)
	_, _, _ = g[s.dState-1], da[s.dState-1], dbc[rows*s.dState-1]
	activeScan.back(s, g, da, dbc, a, b, c, ld, rows)
}

// check keeps the assembly within the slices.
func (s *blockScan) check(a []lane, b, c []float32, ld, rows int) {
	_, _, _ = a[s.dState-1], b[(rows-1)*ld+s.dState-1], c[(rows-1)*ld+s.dState-1]
	_ = s.events[rows-1]
}

func runGeneric(s *blockScan, a []lane, b, c []float32, ld, rows int) {
	n := s.dState
	for t := range rows {
		before, after, decay := s.h[t*n:][:n], s.h[(t+1)*n:][:n], s.decay[t*n:][:n]
		bt, ct := b[t*ld:][:n], c[t*ld:][:n]
		ev := &s.events[t]
		ev.y = lane{}
		for k := range n {
			stepLanes(&after[k], &decay[k], &before[k], &a[k], ev, bt[k], ct[k])
		}
	}
}

// stepLanes advances one state number of each channel.
func stepLanes(after, decay, before, a *lane, ev *scanEvent, b, c float32) {
	for l := range lanes {
		e := layer.Exp2(ev.delta[l] * a[l])
		h := e*before[l] + ev.u[l]*b
		decay[l], after[l] = e, h
		ev.y[l] += c * h
	}
}

func backGeneric(s *blockScan, g, da []lane, dbc [][2]lane, a []lane, b, c []float32, ld, rows int) {
	n := s.dState
	for t := rows - 1; t >= 0; t-- {
		before, after, decay, dt := s.h[t*n:][:n], s.h[(t+1)*n:][:n], s.decay[t*n:][:n], dbc[t*n:][:n]
		bt, ct := b[t*ld:][:n], c[t*ld:][:n]
		ev := &s.events[t]
		ev.du, ev.ddecay = lane{}, lane{}
		for k := range n {
			backLanes(&g[k], &da[k], &dt[k], &before[k], &after[k], &decay[k], &a[k], ev, bt[k], ct[k])
		}
	}
}

// backLanes goes one event back in one state number of each channel.
func backLanes(g, da *lane, dbc *[2]lane, before, after, decay, a *lane, ev *scanEvent, b, c float32) {
	for l := range lanes {
		grad := g[l] + ev.dy[l]*c
		dbc[0][l] += grad * ev.u[l]
		dbc[1][l] += ev.dy[l] * after[l]
		ev.du[l] += grad * b
		grad *= decay[l]
		through := grad * before[l]
		ev.ddecay[l] += through * a[l]
		da[l] += through * ev.delta[l]
		g[l] = grad
	}
}
