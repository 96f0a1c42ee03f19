package detector

import (
	"math"
	"math/rand/v2"
)

const (
	halfSpaceTrees = 25
	halfSpaceDepth = 10
	// halfSpaceWindow is how many events make a mass profile.
	halfSpaceWindow = 250
	// fewEvents is the mass below which a node's children say nothing.
	fewEvents = halfSpaceWindow / 10
)

// A halfSpace is a forest of half-space trees (Tan, Ting and Liu, "Fast Anomaly Detection
// for Streaming Data", IJCAI 2011): trees that cut space at random places, drawn before
// anything is seen. Where few of the last window's events fell, an event is surprising.
type halfSpace struct {
	shingle *shingle
	trees   [halfSpaceTrees]halfSpaceTree
	n       int
	squeeze []float64
}

// A halfSpaceTree is a perfect binary tree; node i has children 2i+1 and 2i+2.
type halfSpaceTree struct {
	dim    [1<<halfSpaceDepth - 1]int
	cut    [1<<halfSpaceDepth - 1]float64
	latest [1<<(halfSpaceDepth+1) - 1]float64 // the events of the window being filled
	mass   [1<<(halfSpaceDepth+1) - 1]float64 // of the last one
}

func newHalfSpace(s *shingle) *halfSpace {
	h := &halfSpace{shingle: s, squeeze: make([]float64, len(s.point))}
	for i := range h.trees {
		rng := rand.New(rand.NewPCG(uint64(i), 1))
		low, high := make([]float64, len(s.point)), make([]float64, len(s.point))
		for d := range low {
			// A space that reaches beyond [0, 1] to both sides of a random centre.
			centre := rng.Float64()
			half := 2 * max(centre, 1-centre)
			low[d], high[d] = centre-half, centre+half
		}
		h.trees[i].build(rng, 0, low, high)
	}
	return h
}

// build halves the space of a node along a random dimension, and so on down.
func (t *halfSpaceTree) build(rng *rand.Rand, node int, low, high []float64) {
	if node >= len(t.cut) {
		return
	}
	d := rng.IntN(len(low))
	t.dim[node], t.cut[node] = d, (low[d]+high[d])/2
	outerLow, outerHigh := low[d], high[d]
	high[d] = t.cut[node]
	t.build(rng, 2*node+1, low, high)
	low[d], high[d] = t.cut[node], outerHigh
	t.build(rng, 2*node+2, low, high)
	low[d] = outerLow
}

func (h *halfSpace) score(_ int64, x []float64) float64 {
	point := h.shingle.add(x)
	if point == nil {
		return 0
	}
	for i, v := range point {
		h.squeeze[i] = 1 / (1 + math.Exp(-v))
	}
	mass := 0.0
	for i := range h.trees {
		mass += h.trees[i].add(h.squeeze)
	}
	h.n++
	surprise := 0.0
	if h.n > halfSpaceWindow {
		const most = halfSpaceTrees * halfSpaceWindow * (1 << halfSpaceDepth)
		surprise = math.Log(most / max(mass, 1))
	}
	if h.n%halfSpaceWindow == 0 {
		for i := range h.trees {
			t := &h.trees[i]
			t.mass, t.latest = t.latest, [len(t.latest)]float64{}
		}
	}
	return max(surprise, 0)
}

// add counts a point and returns the mass around it, in units of an even spread.
func (t *halfSpaceTree) add(point []float64) float64 {
	node, mass, open := 0, 0.0, true
	for depth := 0; ; depth++ {
		t.latest[node]++
		if open {
			mass = t.mass[node] * float64(int(1)<<depth)
			open = t.mass[node] > fewEvents
		}
		if node >= len(t.cut) {
			return mass
		}
		side := 1
		if point[t.dim[node]] >= t.cut[node] {
			side = 2
		}
		node = 2*node + side
	}
}
