package operator

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/weirstream/weir/ssm/fmath"
)

const (
	nBins = 64
	// calibratorSize is the length of an encoded calibrator in bytes.
	calibratorSize = 8 + 4*nBins
	// calibrated is how many events the histogram holds before it is halved: its
	// memory is between half of this and all of it.
	calibrated = 16384
	// priorWeight is how many events the prior counts for in a stream's first
	// hour; it fades to half by priorFades events.
	priorWeight, priorFades = 200, 256
	// tailShare and tailEvents say where the histogram ends and the fitted tail
	// begins: at the highest edge with this share and this many events above it.
	tailShare, tailEvents = 0.005, 32
	// maxShape bounds the generalised Pareto distribution's shape: its variance,
	// which the fit uses, exists below 1/2.
	maxShape  = 0.45
	minPValue = 1e-300
)

// binEdges are the histogram's edges in surprise, (nBins + 1), from 0 to 300: the
// bins are 1/20 wide at the start and a tenth of the surprise far out.
var binEdges = func() (edges [nBins + 1]float64) {
	for i := range edges {
		edges[i] = (fmath.Exp(float64(i)/10) - 1) / 2
	}
	return edges
}()

// A calibrator turns a stream's surprise into a p-value under the stream's own
// past: a histogram of the surprises seen, which forgets, and beyond its sparse
// end a generalised Pareto tail fitted by moments. Its size is fixed.
type calibrator struct {
	n    uint64         // surprises observed
	bins [nBins]float32 // their decayed counts
}

// A prior is the distribution of surprises over many streams, as shares of the
// calibrator's bins: what a young stream is measured against.
type prior [nBins]float64

// newPrior checks and normalises the bin weights a model was shipped with.
// Without any, surprises are taken for exact: 10^−e is the p-value.
func newPrior(weights []float64) (*prior, error) {
	var p prior
	if len(weights) == 0 {
		for i := range p {
			p[i] = fmath.Exp(-binEdges[i]*math.Ln10) - fmath.Exp(-binEdges[i+1]*math.Ln10)
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
	c.n++
	c.bins[binOf(surprise)]++
	if c.weight() == calibrated/2 && c.n >= calibrated {
		for i := range c.bins {
			c.bins[i] /= 2
		}
	}
}

// weight is the sum of the bins: n until it reaches calibrated, where the bins
// are halved; from then on it runs from half of that up again.
func (c *calibrator) weight() float64 {
	if c.n < calibrated {
		return float64(c.n)
	}
	return float64(calibrated/2 + c.n%(calibrated/2))
}

// pvalue is the probability, under the surprises observed so far, of one at
// least as large: 1 for a surprise of 0, never 0, and never greater for a
// greater surprise.
func (c *calibrator) pvalue(surprise float64, p *prior) float64 {
	above, start := c.survivors(p)
	total := above[0]
	if surprise >= binEdges[start] {
		shape, scale := tail(&above, start)
		beyond := paretoSurvival(surprise-binEdges[start], shape, scale)
		return min(max(above[start]/total*beyond, minPValue), 1)
	}
	i := binOf(surprise)
	share := (surprise - binEdges[i]) / (binEdges[i+1] - binEdges[i])
	// Log-linear between edges; exact at both.
	ratio := fmath.Exp(share * fmath.Log(above[i+1]/above[i]))
	return min(max(above[i]/total*ratio, above[i+1]/total), above[i]/total)
}

// survivors returns the weight at or above each bin edge, prior included, and
// the edge where the fitted tail starts.
func (c *calibrator) survivors(p *prior) (above [nBins + 1]float64, start int) {
	weight := c.weight()
	faded := priorWeight * priorFades / (priorFades + weight)
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
// start by their first two moments, each bin taken at its middle.
func tail(above *[nBins + 1]float64, start int) (shape, scale float64) {
	mean, square := 0.0, 0.0
	for i := start; i < nBins; i++ {
		excess := (binEdges[i]+binEdges[i+1])/2 - binEdges[start]
		share := (above[i] - above[i+1]) / above[start]
		mean += float64(share * excess)
		square += float64(share * float64(excess*excess))
	}
	variance := max(square-float64(mean*mean), 1e-12)
	shape = min(max((1-float64(mean*mean)/variance)/2, 0), maxShape)
	return shape, float64(mean * (1 - shape))
}

// paretoSurvival is the generalised Pareto distribution's probability beyond y.
func paretoSurvival(y, shape, scale float64) float64 {
	if shape < 1e-6 {
		return fmath.Exp(max(-y/scale, -700))
	}
	return fmath.Exp(max(-fmath.Log(1+float64(shape*y)/scale)/shape, -700))
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

// appendBinary appends the calibratorSize bytes of c: the count in 8 bytes, the
// bins in 4 each, little-endian.
func (c *calibrator) appendBinary(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, c.n)
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
	d := calibrator{n: binary.LittleEndian.Uint64(b)}
	for i := range d.bins {
		w := math.Float32frombits(binary.LittleEndian.Uint32(b[8+4*i:]))
		if !(w >= 0 && w <= calibrated) {
			return fmt.Errorf("calibrator bin %d holds %v", i, w)
		}
		d.bins[i] = w
	}
	*c = d
	return nil
}
