package detector

import (
	"math"
	"math/rand/v2"
	"slices"
)

const none = int32(-1)

// A cutTree is one tree of a forest. Nodes are kept in one array and named by index; a
// leaf is a point, its box that point alone.
type cutTree struct {
	rng   *rand.Rand
	root  int32
	nodes []cutNode
	free  []int32
	boxes []float64 // (nodes, 2, dims): the least and the greatest coordinates
	dims  int
}

type cutNode struct {
	parent, left, right int32 // children are none in a leaf
	dim                 int32
	cut                 float64
	mass                int32 // points below, counting equal ones
}

func newCutTree(dims int, rng *rand.Rand) cutTree {
	t := cutTree{rng: rng, root: none, dims: dims}
	const most = 2 * cutSample
	t.nodes = make([]cutNode, most)
	t.boxes = make([]float64, most*2*dims)
	for i := range int32(most) {
		t.free = append(t.free, most-1-i)
	}
	return t
}

// box returns the least and the greatest coordinates of the points below a node.
func (t *cutTree) box(node int32) (low, high []float64) {
	at := int(node) * 2 * t.dims
	return t.boxes[at : at+t.dims], t.boxes[at+t.dims : at+2*t.dims]
}

// newLeaf returns a leaf for a point.
func (t *cutTree) newLeaf(point []float64) int32 {
	leaf := t.take()
	t.nodes[leaf] = cutNode{parent: none, left: none, right: none, mass: 1}
	low, high := t.box(leaf)
	copy(low, point)
	copy(high, point)
	return leaf
}

func (t *cutTree) take() int32 {
	node := t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	return node
}

// insert adds a point and returns its leaf. At each node the cut that the node would have
// if it had been drawn with the point among the others is drawn anew; if it separates the
// point from all others, the point ends there.
func (t *cutTree) insert(point []float64) int32 {
	if t.root == none {
		t.root = t.newLeaf(point)
		return t.root
	}
	node := t.root
	for {
		low, high := t.box(node)
		if t.nodes[node].left == none && slices.Equal(low, point) {
			t.count(node, 1)
			return node
		}
		dim, cut := t.draw(low, high, point)
		if cut < low[dim] || cut >= high[dim] && point[dim] > high[dim] {
			return t.split(node, point, dim, cut)
		}
		node = t.child(node, point)
	}
}

// draw draws a cut of the box of a node and a point.
func (t *cutTree) draw(low, high, point []float64) (dim int, cut float64) {
	r := t.rng.Float64() * t.extent(low, high, point)
	for d, p := range point {
		side := max(high[d], p) - min(low[d], p)
		if side > 0 {
			dim, cut = d, min(low[d], p)+r
		}
		if r < side {
			break
		}
		r -= side
	}
	// Rounding must not move the cut to the far edge, where it would separate nothing.
	if top := max(high[dim], point[dim]); cut >= top {
		cut = math.Nextafter(top, math.Inf(-1))
	}
	return dim, cut
}

// extent is the sum of the sides of the box of a node and a point.
func (t *cutTree) extent(low, high, point []float64) float64 {
	sum := 0.0
	for d, p := range point {
		sum += max(high[d], p) - min(low[d], p)
	}
	return sum
}

// child is the child of an inner node on the point's side.
func (t *cutTree) child(node int32, point []float64) int32 {
	n := &t.nodes[node]
	if point[n.dim] <= n.cut {
		return n.left
	}
	return n.right
}

// split puts a new node above node, with the point's leaf on its other side.
func (t *cutTree) split(node int32, point []float64, dim int, cut float64) int32 {
	leaf, parent := t.newLeaf(point), t.take()
	up := t.nodes[node].parent
	n := cutNode{parent: up, left: leaf, right: node, dim: int32(dim), cut: cut, mass: t.nodes[node].mass}
	if point[dim] > cut {
		n.left, n.right = node, leaf
	}
	t.nodes[parent] = n
	t.nodes[node].parent, t.nodes[leaf].parent = parent, parent
	t.replace(up, node, parent)
	t.count(parent, 1)
	return leaf
}

// replace makes a node the child of up, or the root, in place of another.
func (t *cutTree) replace(up, old, node int32) {
	switch {
	case up == none:
		t.root = node
	case t.nodes[up].left == old:
		t.nodes[up].left = node
	default:
		t.nodes[up].right = node
	}
}

// count adds to the mass of a node and of all above it, whose boxes it brings up to date.
func (t *cutTree) count(node, change int32) {
	for ; node != none; node = t.nodes[node].parent {
		n := &t.nodes[node]
		n.mass += change
		if n.left == none {
			continue
		}
		low, high := t.box(node)
		l0, h0 := t.box(n.left)
		l1, h1 := t.box(n.right)
		for d := range low {
			low[d], high[d] = min(l0[d], l1[d]), max(h0[d], h1[d])
		}
	}
}

// remove takes one point of a leaf away.
func (t *cutTree) remove(leaf int32) {
	if t.nodes[leaf].mass > 1 {
		t.count(leaf, -1)
		return
	}
	parent := t.nodes[leaf].parent
	t.free = append(t.free, leaf)
	if parent == none {
		t.root = none
		return
	}
	sibling := t.nodes[parent].left
	if sibling == leaf {
		sibling = t.nodes[parent].right
	}
	up := t.nodes[parent].parent
	t.nodes[sibling].parent = up
	t.replace(up, parent, sibling)
	t.free = append(t.free, parent)
	t.count(up, -1)
}

// score is the expected surprise of a point over the cut that would separate it: one over
// the depth at which that happens, relative to the depth of the tree.
func (t *cutTree) score(point []float64) float64 {
	node, reached, sum := t.root, 1.0, 0.0
	total := float64(t.nodes[node].mass)
	for depth := 1.0; ; depth++ {
		n := &t.nodes[node]
		low, high := t.box(node)
		beyond, extent := 0.0, 0.0
		for d, p := range point {
			outside := max(low[d]-p, 0) + max(p-high[d], 0)
			beyond += outside
			extent += high[d] - low[d] + outside
		}
		if n.left == none && beyond == 0 {
			// The point is in the sample. It is damped as far as that is made of it.
			mass := float64(n.mass)
			sum += reached * (1 - mass/(2*total)) / (depth - 1 + math.Log2(mass+1))
			break
		}
		if beyond > 0 {
			cutOff := beyond / extent
			sum += reached * cutOff / depth
			reached *= 1 - cutOff
		}
		if n.left == none || reached < 1e-6 {
			break
		}
		node = t.child(node, point)
	}
	return sum * math.Log2(total+1)
}
