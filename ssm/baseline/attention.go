package baseline

import (
	"math"

	"github.com/weirstream/weir/ssm/internal/kernel"
	"github.com/weirstream/weir/ssm/internal/layer"
)

// queryBlock is how many rows' scores exist at once: nothing of size (rows, rows) is
// stored, the backward pass computes the scores again.
const queryBlock = 64

// attentionParams are those of one layer of causal self-attention.
type attentionParams struct {
	qkv []float32 // (3·d, d): queries, keys, values
	out []float32 // (d, d)
}

// attentionWeights have each of query, key and value padded to whole lanes.
type attentionWeights struct {
	d, heads int
	qkv      layer.Matrix // (3·wide, d)
	out      layer.Matrix
}

// An attention is a layer at work on one sequence. Its state is the cache: for each
// event its key, turned to its position, and its value, d numbers each.
type attention struct {
	w          *attentionWeights
	x          []float32 // (rows, wide), as given to forward
	qkv        []float32 // (rows, 3·wide); queries and keys turned to their positions
	mix        []float32 // (rows, wide): the heads' outputs, side by side
	turns      []float32 // (positions, d/heads): cosine and sine of each pair
	scores, dp []float32 // (queryBlock, keys padded)
	keys, vals []float32 // (keys, d/heads), of one head
	part       []float32 // (queryBlock, d/heads padded)
	dMix, dqkv []float32
	dk, dv, dw []float32
	outer      layer.Outer
}

func bindAttention(b *binder, name string, d int) attentionParams {
	return attentionParams{qkv: b.take(name+"attention.qkv", 3*d, d), out: b.take(name+"attention.out", d, d)}
}

func packAttention(p *attentionParams, d, heads int) *attentionWeights {
	return &attentionWeights{
		d, heads,
		layer.NewMatrix(padRows(p.qkv, 3, d, d), nil, 3*kernel.Pad(d), d),
		layer.NewMatrix(p.out, nil, d, d),
	}
}

func (a *attention) stateLen(n int) int { return 2 * a.w.d * n }

func (a *attention) forward(residual, x []float32, rows int, state *[]float32) {
	d, wide := a.w.d, kernel.Pad(a.w.d)
	before := len(*state) / (2 * d)
	a.x = x
	a.qkv, a.mix = layer.Grow(a.qkv, rows*3*wide), layer.Grow(a.mix, rows*wide)
	a.w.qkv.Apply(a.qkv, 3*wide, x, wide, rows, false)
	a.prepareTurns(before + rows)
	for t := range rows {
		row := a.qkv[t*3*wide:][:3*wide]
		a.turn(row[:d], before+t, 1)
		a.turn(row[wide:][:d], before+t, 1)
		*state = append(append(*state, row[wide:][:d]...), row[2*wide:][:d]...)
	}
	clear(a.mix)
	for h := range a.w.heads {
		if rows == 1 {
			a.attendOne(h, *state)
		} else {
			a.attend(h, rows, *state)
		}
	}
	a.w.out.Apply(residual, wide, a.mix, wide, rows, true)
}

// prepareTurns computes the angles of n positions: pair j turns by position times
// 10000^(−j/pairs) (Su et al. 2021).
func (a *attention) prepareTurns(n int) {
	size := a.w.d / a.w.heads
	for pos := len(a.turns) / size; pos < n; pos++ {
		for j := 0; j < size; j += 2 {
			sin, cos := math.Sincos(float64(pos) * math.Pow(10000, -float64(j)/float64(size)))
			a.turns = append(a.turns, float32(cos), float32(sin))
		}
	}
}

// turn rotates every head's pairs of row (d) to a position, with sign −1 back from it.
func (a *attention) turn(row []float32, pos int, sign float32) {
	size := a.w.d / a.w.heads
	turns := a.turns[pos*size:][:size]
	for i := 0; i < len(row); i += 2 {
		cos, sin := turns[i%size], sign*turns[i%size+1]
		row[i], row[i+1] = row[i]*cos-row[i+1]*sin, row[i]*sin+row[i+1]*cos
	}
}

// attendOne is one query's attention of head h to the whole cache.
func (a *attention) attendOne(h int, cache []float32) {
	d, size := a.w.d, a.w.d/a.w.heads
	n := len(cache) / (2 * d)
	a.scores = layer.Grow(a.scores, n)
	q, out := a.qkv[h*size:][:size], a.mix[h*size:][:size]
	for t := range n {
		a.scores[t] = dot(q, cache[2*d*t+h*size:])
	}
	softmax(a.scores, a.scale())
	for t, p := range a.scores {
		v := cache[2*d*t+d+h*size:][:size]
		for i := range out {
			out[i] += p * v[i]
		}
	}
}

func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var sum float32
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// scale keeps the scores' variance from growing with the width of a head.
func (a *attention) scale() float32 {
	return float32(1 / math.Sqrt(float64(a.w.d/a.w.heads)))
}

// softmax of scale·s, in place.
func softmax(s []float32, scale float32) {
	most := s[0]
	for _, v := range s {
		most = max(most, v)
	}
	var sum float32
	for i, v := range s {
		s[i] = layer.Exp((v - most) * scale)
		sum += s[i]
	}
	for i := range s {
		s[i] /= sum
	}
}

// head returns the keys and values of head h in the cache.
func (a *attention) head(h int, cache []float32) (keys, vals layer.Matrix) {
	d, size := a.w.d, a.w.d/a.w.heads
	n := len(cache) / (2 * d)
	a.keys, a.vals = layer.Grow(a.keys, n*size), layer.Grow(a.vals, n*size)
	for t := range n {
		copy(a.keys[t*size:][:size], cache[2*d*t+h*size:])
		copy(a.vals[t*size:][:size], cache[2*d*t+d+h*size:])
	}
	return layer.NewMatrix(a.keys, nil, n, size), layer.NewMatrix(a.vals, nil, n, size)
}

// attend is head h's attention of the last rows of the cache, block after block.
func (a *attention) attend(h, rows int, cache []float32) {
	size, wide := a.w.d/a.w.heads, kernel.Pad(a.w.d)
	keys, vals := a.head(h, cache)
	for first := 0; first < rows; first += queryBlock {
		n := min(queryBlock, rows-first)
		a.probabilities(h, first, n, keys.N-rows, &keys)
		a.part = layer.Grow(a.part, n*kernel.Pad(size))
		vals.Pull(a.part, kernel.Pad(size), a.scores, kernel.Pad(keys.N), n, false)
		for t := range n {
			copy(a.mix[(first+t)*wide+h*size:][:size], a.part[t*kernel.Pad(size):])
		}
	}
}

// probabilities computes into a.scores how much each of n rows from first attends to
// each key: none to later ones. before is the number of keys of earlier calls.
func (a *attention) probabilities(h, first, n, before int, keys *layer.Matrix) {
	wide, width := kernel.Pad(a.w.d), kernel.Pad(keys.N)
	a.scores = layer.Grow(a.scores, n*width)
	keys.Apply(a.scores, width, a.qkv[first*3*wide+h*(a.w.d/a.w.heads):], 3*wide, n, false)
	for t := range n {
		row := a.scores[t*width:][:width]
		seen := before + first + t + 1
		softmax(row[:seen], a.scale())
		clear(row[seen:])
	}
}
