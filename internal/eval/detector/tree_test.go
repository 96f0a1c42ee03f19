package detector

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// checkTree recomputes what the nodes below one hold, and returns its points.
func checkTree(t *rapid.T, c *cutTree, node int32) [][]float64 {
	n := c.nodes[node]
	low, high := c.box(node)
	if n.left == none {
		if !slices.Equal(low, high) {
			t.Fatalf("leaf %d spans %v to %v", node, low, high)
		}
		return slices.Repeat([][]float64{slices.Clone(low)}, int(n.mass))
	}
	left, right := checkTree(t, c, n.left), checkTree(t, c, n.right)
	for _, p := range left {
		if p[n.dim] > n.cut {
			t.Fatalf("%v lies left of the cut at %v", p, n.cut)
		}
	}
	for _, p := range right {
		if p[n.dim] <= n.cut {
			t.Fatalf("%v lies right of the cut at %v", p, n.cut)
		}
	}
	all := append(left, right...)
	if int(n.mass) != len(all) {
		t.Fatalf("mass %d of %d points", n.mass, len(all))
	}
	for d := range low {
		least, most := math.Inf(1), math.Inf(-1)
		for _, p := range all {
			least, most = min(least, p[d]), max(most, p[d])
		}
		if low[d] != least || high[d] != most {
			t.Fatalf("box %v to %v, points from %v to %v", low[d], high[d], least, most)
		}
	}
	return all
}

func TestTreeHoldsWhatWasInsertedAndNotRemoved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const dims = 3
		c := newCutTree(dims, rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)))
		type held struct {
			leaf  int32
			point []float64
		}
		var all []held
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			if len(all) > 0 && rapid.IntRange(0, 2).Draw(t, "remove") == 0 || len(all) == cutSample {
				i := rapid.IntRange(0, len(all)-1).Draw(t, "which")
				c.remove(all[i].leaf)
				all = slices.Delete(all, i, i+1)
			} else {
				// Few distinct coordinates: equal points and equal sides are common.
				p := make([]float64, dims)
				for d := range p {
					p[d] = float64(rapid.IntRange(-3, 3).Draw(t, "x")) / 3
				}
				all = append(all, held{c.insert(p), p})
			}
			if len(all) == 0 {
				if c.root != none {
					t.Fatal("an empty tree has a root")
				}
				continue
			}
			var want [][]float64
			for _, h := range all {
				want = append(want, h.point)
			}
			got := checkTree(t, &c, c.root)
			slices.SortFunc(got, slices.Compare)
			slices.SortFunc(want, slices.Compare)
			if !slices.EqualFunc(got, want, slices.Equal) {
				t.Fatalf("holds %v, want %v", got, want)
			}
		}
	})
}

func TestCutsFallInProportionToSides(t *testing.T) {
	c := newCutTree(2, rand.New(rand.NewPCG(1, 2)))
	const draws = 20_000
	along, first := 0, 0
	for range draws {
		// A box of 3 by 1 with a point one to the left of it: sides 4 and 1.
		dim, cut := c.draw([]float64{0, 0}, []float64{3, 1}, []float64{-1, 0.5})
		if dim == 0 {
			along++
			if cut < 0 {
				first++
			}
		}
	}
	for name, share := range map[string][2]float64{"long side": {float64(along) / draws, 0.8}, "between point and box": {float64(first) / draws, 0.2}} {
		if math.Abs(share[0]-share[1]) > 0.015 { // five standard deviations
			t.Errorf("%s: %v of the cuts, want %v", name, share[0], share[1])
		}
	}
}

func TestScoreIsTheExpectedOneOverDrawnCuts(t *testing.T) {
	// What insert would do, over many draws: one over the depth of the point's parent.
	rng := rand.New(rand.NewPCG(3, 4))
	points := make([][]float64, 60)
	for i := range points {
		points[i] = []float64{rng.NormFloat64(), rng.NormFloat64()}
	}
	c := newCutTree(2, rng)
	for _, p := range points {
		c.insert(p)
	}
	for _, p := range [][]float64{{6, 0}, {1.5, 1.5}, {0.1, -0.1}} {
		want := c.score(p) / math.Log2(float64(len(points)+1))
		sum := 0.0
		const draws = 8_000
		for range draws {
			leaf := c.insert(p)
			depth := 0
			for node := c.nodes[leaf].parent; node != none; node = c.nodes[node].parent {
				depth++
			}
			sum += 1 / float64(depth) / draws
			c.remove(leaf)
		}
		if math.Abs(sum-want) > 0.02 {
			t.Errorf("%v: score %v, over drawn cuts %v", p, want, sum)
		}
	}
}

func TestSampleHoldsLateEventsAndSomeEarlyOnes(t *testing.T) {
	s := sample{rng: rand.New(rand.NewPCG(5, 6))}
	const events = 20_000
	for n := range events {
		if _, in := s.offer(n); in {
			s.keep(int32(n))
		}
	}
	if len(s.leaf) != cutSample {
		t.Fatalf("%d events", len(s.leaf))
	}
	ages := 0.0
	for i, n := range s.leaf {
		ages += float64(events-int(n)) / cutSample
		if s.keys[i] > s.keys[(i-1)/2] && i > 0 {
			t.Fatal("no heap")
		}
	}
	// Weights that fall by cutDecay an event have this mean age; its deviation over 256
	// draws is a sixteenth of it.
	if want := 1 / cutDecay; math.Abs(ages-want) > want/3 {
		t.Errorf("mean age %v, want %v", ages, want)
	}
}
