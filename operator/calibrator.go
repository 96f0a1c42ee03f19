package operator

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/weirstream/weir/ssm/fmath"
)

const (
	nBins = 96
	// calibratorSize is the length of an encoded calibrator in bytes.
	calibratorSize = 8 + 8 + 4*nBins
	// calibrated is how many events the histogram holds before it is halved: its
	// memory is between half of this and all of it.
	calibrated = 16384
	// priorWeight is how many events the prior counts for at first. It halves by
	// priorFades events and is gone by priorGone: what is a rare surprise among all
	// streams says nothing of the tail of this one.
	priorWeight, priorFades, priorGone = 200, 256, 4096
	// tailShare and tailEvents say where the histogram ends and the fitted tail
	// begins: at the highest edge with this share and this many events above it.
	tailShare, tailEvents = 0.005, 32
	// minShape and maxShape bound the generalised Pareto distribution's shape: its
	// variance, which the fit uses, exists below 1/2.
	minShape, maxShape = -0.25, 0.45
	// recentRate is the weight of the latest surprise in their moving average.
	recentRate = 0.2
	minPValue  = 1e-300
)

// binEdges are the histogram's edges in surprise, (nBins + 1), from 0 to 45, the
// last bin open: 1/42 wide at the start and 1/21 of the surprise far out.
var binEdges = func() (edges [nBins + 1]float64) {
	for i := range edges {
		edges[i] = (fmath.Exp(0.047*float64(i)) - 1) / 2
	}
	return edges
}()

// A calibrator turns a stream's surprises into p-values under the stream's own
// past. What it judges is the moving average over about the last five of them,
// since incidents last: a histogram of the averages seen, which forgets, and beyond
// its sparse end a generalised Pareto tail fitted by moments. Its size is fixed.
type calibrator struct {
	n      uint64         // surprises observed
	recent float64        // their moving average
	bins   [nBins]float32 // the averages' decayed counts
}

// A prior is the distribution of surprises over many streams, as shares of the
// calibrator's bins: what a young stream is measured against.
type prior [nBins]float64

// newPrior checks and normalises the bin weights a model was shipped with.
// Without any, a surprise of 2 on average is assumed, exponentially distributed.
func newPrior(weights []float64) (*prior, error) {
	var p prior
	if len(weights) == 0 {
		for i := range p {
			p[i] = fmath.Exp(-binEdges[i]/2) - fmath.Exp(-binEdges[i+1]/2)
		}
		return &p, nil
	}
	if len(weights) != nBins {
		return nil, fmt.Errorf("prior of %d bins, want %d", len(weights), nBins)
	}
	sum := 0.0
	for i, w := range weights {
		if !(w >= 0 && w <= math.MaxFloat32) {
			return nil, fmt.Errorf("prior bin %d is %v, want a weight", i, w)
		}
		sum += w
	}
	if sum == 0 {
		return nil, fmt.Errorf("prior without weight")
	}
	for i, w := range weights {
		p[i] = w / sum
	}
	return &p, nil
}

// observe learns one surprise, at least 0.
func (c *calibrator) observe(surprise float64) {
	c.recent = c.with(surprise)
	c.n++
	c.bins[binOf(c.recent)]++
	if c.weight() == calibrated/2 && c.n >= calibrated {
		for i := range c.bins {
			c.bins[i] /= 2
		}
	}
}

// with is the moving average once it has taken in one more surprise.
func (c *calibrator) with(surprise float64) float64 {
	return towards(c.recent, surprise, max(recentRate, 1/float64(c.n+1)))
}

// weight is the sum of the bins: n until it reaches calibrated, where the bins
// are halved; from then on it runs from half of that up again.
func (c *calibrator) weight() float64 {
	if c.n < calibrated {
		return float64(c.n)
	}
	return float64(calibrated/2 + c.n%(calibrated/2))
}

// pvalue is the probability, under the surprises observed so far, that the latest
// few are at least as large as now, the given one being the latest. It is never 0,
// and never greater for a greater surprise.
func (c *calibrator) pvalue(surprise float64, p *prior) float64 {
	average := c.with(surprise)
	above, start := c.survivors(p)
	total := above[0]
	if average >= binEdges[start] {
		shape, scale := tail(&above, start)
		beyond := paretoSurvival(average-binEdges[start], shape, scale)
		return min(max(above[start]/total*beyond, minPValue), 1)
	}
	i := binOf(average)
	share := (average - binEdges[i]) / (binEdges[i+1] - binEdges[i])
	// Log-linear between edges; exact at both.
	ratio := fmath.Exp(share * fmath.Log(above[i+1]/above[i]))
	return min(max(above[i]/total*ratio, above[i+1]/total), above[i]/total)
}

// survivors returns the weight at or above each bin edge, prior included, and
// the edge where the fitted tail starts.
func (c *calibrator) survivors(p *prior) (above [nBins + 1]float64, start int) {
	weight := 0.0
	for _, w := range c.bins {
		weight += float64(w)
	}
	faded := priorWeight * priorFades / (priorFades + weight) * max(1-weight/priorGone, 0)
	least := max(tailEvents, tailShare*(weight+faded))
	for i := nBins - 1; i >= 0; i-- {
		above[i] = above[i+1] + float64(c.bins[i]) + float64(faded*p[i])
		if start == 0 && above[i] >= least {
			start = i
		}
	}
	return above, start
}

// tail fits a generalised Pareto distribution to the excesses over the edge at
// start by their first two moments: the integrals of the survival function, and of
// the excess times twice that, log-linear between edges.
func tail(above *[nBins + 1]float64, start int) (shape, scale float64) {
	mean, square := 0.0, 0.0
	for i := start; i < nBins && above[i] > 0; i++ {
		width := binEdges[i+1] - binEdges[i]
		falls := -fmath.Log(max(above[i+1]/above[i], 0.05)) // a bin that ends the past falls by no more
		area := float64(above[i] / above[start] * width)
		if falls > 1e-6 {
			area = float64(area * (1 - fmath.Exp(-falls)) / falls)
		}
		mean += area
		// The area's centre lies left of the bin's by about falls/12 of its width.
		centre := binEdges[i] + float64(width*(0.5-falls/12)) - binEdges[start]
		square += 2 * float64(area*centre)
	}
	variance := max(square-float64(mean*mean), 1e-12)
	shape = min(max((1-float64(mean*mean)/variance)/2, minShape), maxShape)
	return shape, float64(mean * (1 - shape))
}

// paretoSurvival is the generalised Pareto distribution's probability beyond y. A
// negative shape would end it somewhere; from half the way there on it is continued
// exponentially, since nothing is impossible.
func paretoSurvival(y, shape, scale float64) float64 {
	if math.Abs(shape) < 1e-6 {
		return fmath.Exp(max(-y/scale, -700))
	}
	rest := 0.0
	if half := -scale / (2 * shape); shape < 0 && y > half {
		rest = (y - half) / (scale / 2)
		y = half
	}
	return fmath.Exp(max(-fmath.Log(1+float64(shape*y)/scale)/shape-rest, -700))
}

// binOf returns the index of the bin a surprise falls in.
func binOf(surprise float64) int {
	low, high := 0, nBins-1
	for low < high {
		middle := (low + high + 1) / 2
		if surprise >= binEdges[middle] {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return low
}

// appendBinary appends the calibratorSize bytes of c: the count and the average in
// 8 bytes each, the bins in 4 each, little-endian.
func (c *calibrator) appendBinary(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, c.n)
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(c.recent))
	for _, w := range c.bins {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(w))
	}
	return b
}

// decode reads what appendBinary wrote. Bytes that no calibrator writes are an error.
func (c *calibrator) decode(b []byte) error {
	if len(b) != calibratorSize {
		return fmt.Errorf("calibrator of %d bytes, want %d", len(b), calibratorSize)
	}
	d := calibrator{
		n:      binary.LittleEndian.Uint64(b),
		recent: math.Float64frombits(binary.LittleEndian.Uint64(b[8:])),
	}
	if d.n >= 1<<53 || !(d.recent >= 0 && d.recent <= maxSurprise) {
		return fmt.Errorf("calibrator of %d surprises, lately %v", d.n, d.recent)
	}
	for i := range d.bins {
		w := math.Float32frombits(binary.LittleEndian.Uint32(b[16+4*i:]))
		if !(w >= 0 && w <= calibrated) {
			return fmt.Errorf("calibrator bin %d holds %v", i, w)
		}
		d.bins[i] = w
	}
	*c = d
	return nil
}
