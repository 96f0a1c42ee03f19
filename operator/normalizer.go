package operator

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/weirstream/weir/ssm/fmath"
)

// normalizerSize is the length of an encoded normalizer in bytes.
const normalizerSize = 12 * 8

const (
	// slowRate is the least learning rate of the long memory: a half-life of 1000 events.
	slowRate = math.Ln2 / 1000
	// stepRate is the least learning rate of the typical change: a half-life of 200 changes.
	stepRate = math.Ln2 / 200
	// gapRate is the least learning rate of the typical gap: a half-life of 100 events.
	gapRate = math.Ln2 / 100
	// fastRate and midRate are the rates of the two short moving averages.
	fastRate, midRate = 1.0 / 4, 1.0 / 32
	// softClip is the multiple of a scale above which a deviation counts only
	// with its logarithm, so that one outlier cannot ruin a scale, yet a stream
	// that moves nine orders of magnitude is followed within a thousand events.
	softClip = 10
	// resolution is the share of a value below which a change is rounding.
	resolution = 1e-15
	// minSize is the least size whose logarithm is taken.
	minSize = 1e-300
	// limit keeps differences of two values, and sums of two, finite.
	limit = math.MaxFloat64 / 4
	// minGap is the least gap in seconds: events of one millisecond are not simultaneous.
	minGap = 1e-3
	// minGapRatio and maxGapRatio bound what one gap may do to the state's decay.
	minGapRatio, maxGapRatio = 1.0 / 16, 64.0
	// maxCoordinate bounds the asinh coordinate of a change, far beyond any quantile.
	maxCoordinate = 40
)

// A normalizer holds the running statistics of one field of one stream, in
// fixed size: what makes features and forecasts free of the field's unit.
// All are causal, robust against outliers, and finite whatever the values.
type normalizer struct {
	n       uint64  // values observed
	changes uint64  // of them, those that differed from the value before
	last    float64 // the last value
	change  float64 // the last value minus the one before
	centre  float64 // long-run mean of soft-clipped deviations
	scale   float64 // long-run mean absolute deviation from centre
	logStep float64 // mean logarithm of a change's size, repeats left out
	repeat  float64 // long-run share of exact repeats, 0 … 1
	fast    float64 // mean of about the last 4 values
	mid     float64 // mean of about the last 32 values
	logFast float64 // mean logarithm of |value − fast| where the value changed
	logGap  float64 // robust mean of the gaps' natural logarithm, gaps in seconds
}

// observe learns the value x, gapSeconds after the one before. x must be finite;
// the gap of a first value is ignored.
func (n *normalizer) observe(x, gapSeconds float64) {
	x = min(max(x, -limit), limit)
	if n.n == 0 {
		*n = normalizer{n: 1, last: x, centre: x, fast: x, mid: x}
		return
	}
	rate := max(1/float64(n.n+1), slowRate)
	n.observeGap(gapSeconds)
	n.observeChange(x, rate)
	n.fast = towards(n.fast, x, max(1/float64(n.n+1), fastRate))
	n.mid = towards(n.mid, x, max(1/float64(n.n+1), midRate))
	deviation := x - n.centre
	size := clipped(math.Abs(deviation), n.scale)
	n.centre = min(max(n.centre+float64(rate*math.Copysign(size, deviation)), -limit), limit)
	n.scale = towards(n.scale, size, rate)
	n.last = x
	n.n++
}

// observeChange learns the difference from the value before. The typical change
// is a geometric mean: what rare large changes do to an arithmetic one would hide
// the many small ones.
func (n *normalizer) observeChange(x, rate float64) {
	n.change = x - n.last
	size := math.Abs(n.change)
	if size <= resolution*math.Abs(n.last) {
		n.change = 0
		n.repeat = towards(n.repeat, 1, max(1/float64(n.n), rate))
		return
	}
	n.repeat = towards(n.repeat, 0, max(1/float64(n.n), rate))
	n.changes++
	share := max(1/float64(n.changes), stepRate)
	n.logStep = towards(n.logStep, fmath.Log(max(size, minSize)), share)
	n.logFast = towards(n.logFast, fmath.Log(max(math.Abs(x-n.fast), size/64, minSize)), share)
}

// observeGap learns one gap. A gap far from the typical one moves it only a little.
func (n *normalizer) observeGap(seconds float64) {
	logGap := fmath.Log(min(max(seconds, minGap), 1e12))
	if n.n == 1 {
		n.logGap = logGap
		return
	}
	excess := min(max(logGap-n.logGap, -2), 2)
	n.logGap += float64(max(1/float64(n.n), gapRate) * excess)
}

// gapRatio returns a gap as a multiple of the stream's typical one, bounded;
// 1 while no gap is known.
func (n *normalizer) gapRatio(seconds float64) float64 {
	if n.n < 2 {
		return 1
	}
	logGap := fmath.Log(min(max(seconds, minGap), 1e12))
	ratio := fmath.Exp(min(max(logGap-n.logGap, -10), 10))
	return min(max(ratio, minGapRatio), maxGapRatio)
}

// unit is the size of change that coordinates are measured in: the typical
// change. A stream that never changed has none; the more repeats have been
// seen, the smaller the change that counts as one.
func (n *normalizer) unit() float64 {
	if n.changes > 0 {
		return max(fmath.Exp(n.logStep), resolution*math.Abs(n.last), minSize)
	}
	return max(math.Abs(n.last), 1e-6) / (10 * float64(n.n+1))
}

// axis returns the coordinates that forecasts of the next value are made in.
func (n *normalizer) axis() axis {
	unit := n.unit()
	// What is known of a young stream's scale is little: the first value gives none.
	young := 1 + 8/float64(max(n.n, 1))
	spread := max(n.scale, 0.3*unit, resolution*math.Abs(n.centre), minSize)
	return axis{origin: n.last, unit: unit, centre: n.centre, spread: min(float64(spread*young), limit)}
}

// An axis maps values to coordinates and back: the change from origin in units
// of the typical change, compressed by asinh. Beside that it holds what is usual
// in the long run: centre, and the mean distance from it, spread. It changes with
// every value learnt.
type axis struct{ origin, unit, centre, spread float64 }

// coordinate is asinh((x − origin)/unit), within ±maxCoordinate.
func (a axis) coordinate(x float64) float64 {
	x = min(max(x, -limit), limit)
	return asinhRatio(x-a.origin, a.unit, maxCoordinate)
}

// value inverts coordinate, clamped to finite values.
func (a axis) value(coordinate float64) float64 {
	return min(max(a.origin+float64(a.unit*fmath.Sinh(coordinate)), -limit), limit)
}

// appendBinary appends the normalizerSize bytes of n: its fields in order,
// 8 bytes each, little-endian.
func (n *normalizer) appendBinary(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, n.n)
	b = binary.LittleEndian.AppendUint64(b, n.changes)
	for _, f := range n.floats() {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(*f))
	}
	return b
}

// decode reads what appendBinary wrote. Bytes that no normalizer writes are an error.
func (n *normalizer) decode(b []byte) error {
	if len(b) != normalizerSize {
		return fmt.Errorf("normalizer of %d bytes, want %d", len(b), normalizerSize)
	}
	var d normalizer
	d.n = binary.LittleEndian.Uint64(b)
	d.changes = binary.LittleEndian.Uint64(b[8:])
	if d.n >= 1<<53 || d.changes > 0 && d.changes >= d.n {
		return fmt.Errorf("normalizer with %d changes in %d values", d.changes, d.n)
	}
	for i, f := range d.floats() {
		*f = math.Float64frombits(binary.LittleEndian.Uint64(b[16+8*i:]))
		if !(math.Abs(*f) <= 2*limit) {
			return fmt.Errorf("normalizer holds %v", *f)
		}
	}
	if d.scale < 0 || d.repeat < 0 || d.repeat > 1 || math.Abs(d.logStep) > 710 || math.Abs(d.logFast) > 710 {
		return fmt.Errorf("normalizer with a scale, share or logarithm out of range")
	}
	*n = d
	return nil
}

// floats lists the float64 fields in their encoded order.
func (n *normalizer) floats() [10]*float64 {
	return [10]*float64{
		&n.last, &n.change, &n.centre, &n.scale, &n.logStep,
		&n.repeat, &n.fast, &n.mid, &n.logFast, &n.logGap,
	}
}

// towards moves from by the share rate of the way to target.
func towards(from, target, rate float64) float64 {
	return from + float64(rate*(target-from))
}

// clipped returns size, beyond softClip scales only its logarithm. A scale of
// zero knows no outliers yet.
func clipped(size, scale float64) float64 {
	bound := softClip * scale
	if scale == 0 || size <= bound {
		return size
	}
	ratio := min(size/bound, math.MaxFloat64)
	return min(bound*(1+fmath.Log(ratio)), size)
}

// asinhRatio is asinh(a/b) for b > 0, within ±bound.
func asinhRatio(a, b, bound float64) float64 {
	ratio := min(max(a/b, -1e300), 1e300)
	return min(max(fmath.Asinh(ratio), -bound), bound)
}
