package operator

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/weirstream/weir/ssm/fmath"
)

const (
	nBins = 128
	// calibratorSize is the length of an encoded calibrator in bytes.
	calibratorSize = 8 + block + 4*nBins + 4 + 2*8
	// calibrated is how many events the histogram holds before it is halved: its
	// memory is between half of this and all of it.
	calibrated = 10000
	// tailShare and tailEvents say where the histogram ends and the fitted tail
	// begins: at the highest edge with this share and this many events above it.
	tailShare, tailEvents = 0.01, 24
	// block is how many values are learnt together. Until then they judge no other, so that
	// the start of an incident does not make its peak look ordinary.
	block = 32
	// minShape and maxShape bound the generalised Pareto distribution's shape: nothing is
	// impossible, and its variance, which the fit uses, exists below 1/2.
	minShape, maxShape = 0, 0.45
)

// binEdges are the histogram's edges, (nBins + 1), from 0 to 102, the last bin open: 1/83
// wide at the start and 1/21 of the value far out.
var binEdges = func() (edges [nBins + 1]float64) {
	for i := range edges {
		edges[i] = (fmath.Exp(0.047*float64(i)) - 1) / 4
	}
	return edges
}()

// A calibrator turns what a signal says into how rare that is in the stream's own past: a
// histogram which forgets, and beyond its sparse end a generalised Pareto tail fitted by
// moments. Its size is fixed.
type calibrator struct {
	n       uint64         // values observed
	waiting [block]uint8   // bins of the last n mod block values, not learnt yet
	above   [nBins]float32 // decayed counts of the values at or above each bin's lower edge
	tail    tail
	least   float64 // the least probability that is concluded: follows from n
}

// A tail is the distribution beyond an edge. Of scale 0 it is not known yet.
type tail struct {
	start        uint32 // the edge
	shape, scale float64
}

// observe takes in one value, at least 0.
func (c *calibrator) observe(x float64) {
	c.waiting[c.n%block] = uint8(binOf(x))
	c.n++
	if c.n%block != 0 {
		return
	}
	var counts [nBins]float32
	for _, bin := range c.waiting {
		counts[bin]++
	}
	above := float32(0)
	for i := nBins - 1; i >= 0; i-- {
		above += counts[i]
		c.above[i] += above
	}
	if c.above[0] >= calibrated {
		for i := range c.above {
			c.above[i] /= 2
		}
	}
	c.tail = c.fit()
	c.least = leastOf(c.n)
}

// leastOf is the least probability that is concluded from n values, some of them waiting.
func leastOf(n uint64) float64 {
	learnt := float64(n - n%block)
	if learnt == 0 {
		return 0
	}
	return 1 / float64(learnt*math.Sqrt(learnt))
}

// pvalue is the probability of a value at least this great under the values learnt so far,
// 1 while there are none. However far out the value lies, n values tell of nothing rarer
// than n to the power of -3/2.
func (c *calibrator) pvalue(x float64) float64 {
	if c.tail.scale == 0 {
		return 1
	}
	start, i := int(c.tail.start), binOf(x)
	total := float64(c.above[0])
	if i < start {
		share := (x - binEdges[i]) / (binEdges[i+1] - binEdges[i])
		return towards(float64(c.above[i]), float64(c.above[i+1]), share) / total
	}
	p := float64(c.above[start]) / total * c.tail.survival(x-binEdges[start])
	if i+1 < nBins {
		// Not rarer than the greater values that were seen: what comes seldom but again and
		// again, as in a sparse stream, fits no tail.
		p = max(p, float64(c.above[i+1])/total)
	}
	return max(p, c.least)
}

// fit fits a generalised Pareto distribution to the excesses over the edge where the tail
// starts by their first two moments: the integrals of the survival function, and of the
// excess times twice that, both by bin.
func (c *calibrator) fit() tail {
	least := max(tailEvents, tailShare*c.above[0])
	start := nBins - 1
	for start > 0 && c.above[start] < least {
		start--
	}
	mean, square := 0.0, 0.0
	for i := start; i < nBins && c.above[i] > 0; i++ {
		from := float64(c.above[i])
		to := 0.05 * from // a bin that ends the past falls by no more
		if i+1 < nBins {
			to = max(to, float64(c.above[i+1]))
		}
		width := binEdges[i+1] - binEdges[i]
		// Near the logarithmic mean of the two, which is exact where the function falls
		// exponentially within the bin.
		area := width * (2*math.Sqrt(from*to) + (from+to)/2) / 3
		mean += area
		centre := binEdges[i] - binEdges[start] + float64(width*(0.5-(from-to)/(from+to)/6))
		square += 2 * float64(area*centre)
	}
	mean, square = mean/float64(c.above[start]), square/float64(c.above[start])
	variance := max(square-float64(mean*mean), 1e-12)
	shape := min(max((1-float64(mean*mean)/variance)/2, minShape), maxShape)
	return tail{start: uint32(start), shape: shape, scale: float64(mean * (1 - shape))}
}

// survival is the generalised Pareto distribution's probability beyond y.
func (t *tail) survival(y float64) float64 {
	if t.shape < 1e-6 {
		return fmath.Exp(max(-y/t.scale, -700))
	}
	return fmath.Exp(max(-fmath.Log(1+float64(t.shape*y)/t.scale)/t.shape, -700))
}

// binOf returns the index of the bin a value falls in.
func binOf(x float64) int {
	low, high := 0, nBins-1
	for low < high {
		middle := (low + high + 1) / 2
		if x >= binEdges[middle] {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return low
}

// appendBinary appends the calibratorSize bytes of c: the count in 8 bytes, the waiting bins in 1
// each, the counts in 4 each, the tail's edge in 4, its shape and scale in 8 each, little-endian.
func (c *calibrator) appendBinary(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, c.n)
	b = append(b, c.waiting[:]...)
	for _, w := range c.above {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(w))
	}
	b = binary.LittleEndian.AppendUint32(b, c.tail.start)
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(c.tail.shape))
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(c.tail.scale))
}

// decode reads what appendBinary wrote. Bytes that no calibrator writes are an error.
func (c *calibrator) decode(b []byte) error {
	if len(b) != calibratorSize {
		return fmt.Errorf("calibrator of %d bytes, want %d", len(b), calibratorSize)
	}
	d := calibrator{n: binary.LittleEndian.Uint64(b)}
	copy(d.waiting[:], b[8:])
	if bin := slices.Max(d.waiting[:]); bin >= nBins {
		return fmt.Errorf("calibrator of bin %d", bin)
	}
	b = b[8+block:]
	before := float32(calibrated + block)
	for i := range d.above {
		w := math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		if !(w >= 0 && w <= before) {
			return fmt.Errorf("calibrator edge %d has %v above it", i, w)
		}
		d.above[i], before = w, w
	}
	b = b[4*nBins:]
	d.tail = tail{
		start: binary.LittleEndian.Uint32(b),
		shape: math.Float64frombits(binary.LittleEndian.Uint64(b[4:])),
		scale: math.Float64frombits(binary.LittleEndian.Uint64(b[12:])),
	}
	if d.n >= 1<<53 || !d.tail.known() && d.tail != (tail{}) || d.tail.known() && d.above[min(d.tail.start, nBins-1)] == 0 {
		return fmt.Errorf("calibrator of %d values with a tail %+v", d.n, d.tail)
	}
	d.least = leastOf(d.n)
	*c = d
	return nil
}

// known reports whether a tail has been fitted, to numbers that a fit gives.
func (t *tail) known() bool {
	return t.start < nBins && t.shape >= minShape && t.shape <= maxShape && t.scale > 0 && t.scale <= math.MaxFloat64
}
