package train

import "github.com/weirstream/weir/ssm/internal/kernel"

const (
	// chunk is the number of events between two stored states.
	chunk = 64
	lanes = kernel.Lanes
)

// A lane holds one number of each of a block's channels.
type lane = [lanes]float32

// A blockScan is the selective scan of one block of 16 channels over one chunk of
// at most 64 events, forward and back. Decays are powers of two: A' = A·log2(e).
//
//	h_t = exp2(Δ_t A')·h_{t-1} + u_t B_t,   y_t = C_t h_t,   u = Δ x
//
// B and C are read from rows over dt_rank and both, as x_proj makes them.
type blockScan struct {
	dState int
	h      []lane // (chunk + 1, d_state); the first row is the state before
	decay  []lane // (chunk, d_state)
	delta  [chunk]lane
	u      [chunk]lane
	y, dy  [chunk]lane
	// What back finds: gradients of Δ through the decay, and of u.
	ddelta, du [chunk]lane
}

func newBlockScan(dState int) *blockScan {
	return &blockScan{dState: dState, h: make([]lane, (chunk+1)*dState), decay: make([]lane, chunk*dState)}
}

// run computes the states and y of rows events from h's first row. b and c begin
// at the first event's B and C; rows are ld apart.
func (s *blockScan) run(a []lane, b, c []float32, ld, rows int) {
	n := s.dState
	for t := range rows {
		before, after, decay := s.h[t*n:][:n], s.h[(t+1)*n:][:n], s.decay[t*n:][:n]
		bt, ct := b[t*ld:][:n], c[t*ld:][:n]
		delta, u := &s.delta[t], &s.u[t]
		var y lane
		for k := range n {
			stepLanes(&after[k], &decay[k], &y, &before[k], &a[k], delta, u, bt[k], ct[k])
		}
		s.y[t] = y
	}
}

// stepLanes advances one state number of each channel.
func stepLanes(after, decay, y, before, a, delta, u *lane, b, c float32) {
	for l := range lanes {
		e := exp2(delta[l] * a[l])
		h := e*before[l] + u[l]*b
		decay[l], after[l] = e, h
		y[l] += c * h
	}
}

// back goes from the last event to the first. g holds the gradient of the state
// after the chunk, and then of the state before it. da (d_state) collects the
// gradient of A; db and dc (chunk, d_state) those of B and C, a number a channel.
func (s *blockScan) back(g, da, db, dc, a []lane, b, c []float32, ld, rows int) {
	n := s.dState
	for t := rows - 1; t >= 0; t-- {
		before, after, decay := s.h[t*n:][:n], s.h[(t+1)*n:][:n], s.decay[t*n:][:n]
		dbt, dct := db[t*n:][:n], dc[t*n:][:n]
		bt, ct := b[t*ld:][:n], c[t*ld:][:n]
		var du, ddelta lane
		for k := range n {
			backLanes(&g[k], &da[k], &dbt[k], &dct[k], &du, &ddelta,
				&before[k], &after[k], &decay[k], &a[k], &s.delta[t], &s.u[t], &s.dy[t], bt[k], ct[k])
		}
		for l := range lanes {
			ddelta[l] *= ln2 // A = A'·log(2)
		}
		s.du[t], s.ddelta[t] = du, ddelta
	}
}

// backLanes goes one event back in one state number of each channel.
func backLanes(g, da, db, dc, du, ddelta, before, after, decay, a, delta, u, dy *lane, b, c float32) {
	for l := range lanes {
		grad := g[l] + dy[l]*c
		dc[l] += dy[l] * after[l]
		db[l] += grad * u[l]
		du[l] += grad * b
		grad *= decay[l]
		through := grad * before[l]
		ddelta[l] += through * a[l]
		da[l] += through * delta[l]
		g[l] = grad
	}
}

// addLanes adds each lane's sum to dst.
func addLanes(dst []float32, src []lane) {
	for k := range dst {
		var sum float32
		for _, v := range src[k] {
			sum += v
		}
		dst[k] += sum
	}
}
