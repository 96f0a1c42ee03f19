package kernel

import "testing"

// TestUpdateLeavesNumbersAsTheyAre holds what the measurement of memory does to
// what it says: read and write, no change, nothing outside.
func TestUpdateLeavesNumbersAsTheyAre(t *testing.T) {
	for _, impl := range supported() {
		g := newGuarded(5*Lanes, 3)
		for i := range g.in {
			g.in[i] = float32(i) - 7
		}
		impl.peaks.update(g.in)
		for i, v := range g.in {
			if v != float32(i)-7 {
				t.Errorf("%s: index %d became %g", impl.name, i, v)
			}
		}
		g.checkEnds(t, impl.name)
	}
}

func TestSlabIsZeroAndWhole(t *testing.T) {
	for _, n := range []int{0, 1, 100, slabAlign / 4, slabAlign/4 + 1, slabAlign} {
		s := NewSlab(n)
		if len(s) != n {
			t.Fatalf("a slab of %d has %d", n, len(s))
		}
		for i, v := range s {
			if v != 0 {
				t.Fatalf("a slab of %d holds %g at %d", n, v, i)
			}
			s[i] = 1
		}
	}
}
