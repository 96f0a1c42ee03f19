package detector

import (
	"math"
	"math/rand/v2"
)

const (
	cutTrees  = 50
	cutSample = 256
	// cutDecay makes the sample prefer late events: an event counts for half after
	// about 1800.
	cutDecay = 0.1 / cutSample
	// cutLeast is how many events a forest sees before it scores.
	cutLeast = cutSample / 4
)

// A forest is a random cut forest: trees over samples of the stream, each of whose cuts
// is drawn in proportion to the sides of the points' bounding box. An event is surprising
// if it would be cut off near the root. Sampling and trees follow Guha et al., "Robust
// Random Cut Forest Based Anomaly Detection on Streams", ICML 2016; the score is the
// expected one over the cut that the event would cause, without inserting it, as in the
// forest of AWS's open-source library.
type forest struct {
	shingle *shingle
	trees   [cutTrees]cutTree
	samples [cutTrees]sample
	n       int
}

func newForest(s *shingle) *forest {
	f := &forest{shingle: s}
	for i := range f.trees {
		rng := rand.New(rand.NewPCG(uint64(i), 2))
		f.trees[i] = newCutTree(len(s.point), rng)
		f.samples[i] = sample{rng: rng}
	}
	return f
}

func (f *forest) score(_ int64, x []float64) float64 {
	point := f.shingle.add(x)
	if point == nil {
		return 0
	}
	surprise := 0.0
	for i := range f.trees {
		t := &f.trees[i]
		if f.n >= cutLeast {
			surprise += t.score(point) / cutTrees
		}
		out, in := f.samples[i].offer(f.n)
		if !in {
			continue
		}
		if out >= 0 {
			t.remove(out)
		}
		leaf := t.insert(point)
		f.samples[i].keep(leaf)
	}
	f.n++
	return surprise
}

// A sample is a weighted reservoir, in which an event's weight grows exponentially with
// its number (Efraimidis and Spirakis, 2006): the events with the least keys, a heap with
// the greatest first.
type sample struct {
	rng  *rand.Rand
	keys []float64
	leaf []int32
	next float64
}

// offer draws the key of event n. Where in is true, keep must follow; out is the leaf of
// the event that makes room, -1 where there is room.
func (s *sample) offer(n int) (out int32, in bool) {
	s.next = math.Log(-math.Log(1-s.rng.Float64())) - cutDecay*float64(n)
	if len(s.keys) < cutSample {
		return -1, true
	}
	if s.next >= s.keys[0] {
		return -1, false
	}
	return s.leaf[0], true
}

// keep puts the event that was offered last into the sample.
func (s *sample) keep(leaf int32) {
	if len(s.keys) < cutSample {
		s.keys, s.leaf = append(s.keys, s.next), append(s.leaf, leaf)
		for i := len(s.keys) - 1; i > 0 && s.keys[(i-1)/2] < s.keys[i]; i = (i - 1) / 2 {
			s.swap(i, (i-1)/2)
		}
		return
	}
	s.keys[0], s.leaf[0] = s.next, leaf
	for i := 0; ; {
		greatest := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(s.keys); child++ {
			if s.keys[child] > s.keys[greatest] {
				greatest = child
			}
		}
		if greatest == i {
			return
		}
		s.swap(i, greatest)
		i = greatest
	}
}

func (s *sample) swap(i, j int) {
	s.keys[i], s.keys[j] = s.keys[j], s.keys[i]
	s.leaf[i], s.leaf[j] = s.leaf[j], s.leaf[i]
}
