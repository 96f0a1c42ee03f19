package encoding

import (
	"math"
	"slices"

	"github.com/weirstream/weir/ssm/fmath"
)

// A histogram is the buckets of one OTLP data point, of either kind.
type histogram struct {
	// counts are those of the explicit buckets, or of the positive ones from offset on.
	counts []uint64
	// bounds are the explicit buckets' upper bounds, as bits; the last bucket has none.
	bounds         []uint64
	least, most    float64 // the smallest and the greatest observation
	hasMin, hasMax bool

	// An exponential histogram's bucket i holds what is above base^i and at most
	// base^(i+1), base = 2^(2^-scale), and its mirror what is below zero.
	scale, offset  int32
	negative       []uint64
	negativeOffset int32
	zeroCount      uint64
	zeroThreshold  float64
}

// reset returns an empty histogram with h's memory.
func (h *histogram) reset() histogram {
	return histogram{counts: h.counts[:0], bounds: h.bounds[:0], negative: h.negative[:0]}
}

// readExplicit reads a field of a HistogramDataPoint.
func (h *histogram) readExplicit(w *wire) (ok bool) {
	ok = true
	switch w.tag {
	case 6<<3 | block:
		h.counts, ok = appendFixed(h.counts, w.bytes)
	case 6<<3 | fixed64:
		h.counts = append(h.counts, w.scalar)
	case 7<<3 | block:
		h.bounds, ok = appendFixed(h.bounds, w.bytes)
	case 7<<3 | fixed64:
		h.bounds = append(h.bounds, w.scalar)
	case 11<<3 | fixed64:
		h.least, h.hasMin = w.float(), true
	case 12<<3 | fixed64:
		h.most, h.hasMax = w.float(), true
	}
	return ok
}

// readExponential reads a field of an ExponentialHistogramDataPoint.
func (h *histogram) readExponential(w *wire) (ok bool) {
	ok = true
	switch w.tag {
	case 6<<3 | varint:
		h.scale = zigzag(w.scalar)
	case 7<<3 | fixed64:
		h.zeroCount = w.scalar
	case 8<<3 | block:
		h.counts, ok = readBuckets(h.counts, &h.offset, w.bytes)
	case 9<<3 | block:
		h.negative, ok = readBuckets(h.negative, &h.negativeOffset, w.bytes)
	case 12<<3 | fixed64:
		h.least, h.hasMin = w.float(), true
	case 13<<3 | fixed64:
		h.most, h.hasMax = w.float(), true
	case 14<<3 | fixed64:
		h.zeroThreshold = w.float()
	}
	return ok
}

// readBuckets reads a message Buckets.
func readBuckets(counts []uint64, offset *int32, value []byte) (all []uint64, ok bool) {
	ok = true
	w := wire{rest: value}
	for ok && w.next() {
		switch w.tag {
		case 1<<3 | varint:
			*offset = zigzag(w.scalar)
		case 2<<3 | block:
			counts, ok = appendVarints(counts, w.bytes)
		case 2<<3 | varint:
			counts = append(counts, w.scalar)
		}
	}
	return counts, ok && !w.bad
}

// fault says what contradicts itself, or nothing.
func (h *histogram) fault(exponential bool) string {
	if exponential {
		if h.scale < -64 || h.scale > 64 || !(h.zeroThreshold >= 0) {
			return "the scale or the zero threshold is out of range"
		}
		return ""
	}
	if len(h.counts) > 0 && len(h.counts) != len(h.bounds)+1 {
		return "the histogram has not one bucket more than bounds"
	}
	for i := range h.bounds {
		v := math.Float64frombits(h.bounds[i])
		if math.IsNaN(v) || i > 0 && !(math.Float64frombits(h.bounds[i-1]) < v) {
			return "the histogram's bounds do not ascend"
		}
	}
	return ""
}

// quantile uses h up. It returns the value below which a share q of the observations lies, as if those
// of a bucket were spread evenly. There is none without buckets, or where it lies in a
// bucket without an end.
func (h *histogram) quantile(q float64, exponential bool) (v float64, ok bool) {
	total := sumOf(h.counts)
	if exponential {
		total += sumOf(h.negative) + float64(h.zeroCount)
	}
	if total == 0 {
		return 0, false
	}
	rank := q * total
	var lower, upper, share float64
	if exponential {
		lower, upper, share = h.exponentialBucket(rank)
	} else {
		lower, upper, share = h.explicitBucket(rank)
	}
	v = lower + float64((upper-lower)*share)
	if h.hasMin && v < h.least {
		v = h.least
	}
	if h.hasMax && v > h.most {
		v = h.most
	}
	return v, !math.IsNaN(v) && !math.IsInf(v, 0)
}

func sumOf(counts []uint64) (sum float64) {
	for _, c := range counts {
		sum += float64(c)
	}
	return sum
}

// explicitBucket returns the bounds of the bucket that the rank lies in, and its share
// below the rank. The first and the last bucket are bounded by the smallest and greatest
// observation where these are known; else all of the last counts as its lower bound, and
// the first begins at zero if its upper bound is above.
func (h *histogram) explicitBucket(rank float64) (lower, upper, share float64) {
	i, share := bucketOf(h.counts, rank)
	last := len(h.bounds)
	if i < last {
		upper = math.Float64frombits(h.bounds[i])
	} else if h.hasMax {
		upper = h.most
	} else if last > 0 {
		upper = math.Float64frombits(h.bounds[last-1])
	} else {
		upper = math.NaN()
	}
	switch {
	case i > 0:
		lower = math.Float64frombits(h.bounds[i-1])
	case h.hasMin:
		lower = h.least
	case last == 0:
		lower = math.NaN()
	default:
		lower = min(0, upper)
	}
	return lower, upper, share
}

// bucketOf returns the bucket that the rank lies in, and its share below the rank.
func bucketOf(counts []uint64, rank float64) (i int, share float64) {
	below, last := 0.0, 0
	for i, c := range counts {
		if c == 0 {
			continue
		}
		if below+float64(c) >= rank {
			return i, max(rank-below, 0) / float64(c)
		}
		below += float64(c)
		last = i
	}
	return last, 1 // rounding
}

func (h *histogram) exponentialBucket(rank float64) (lower, upper, share float64) {
	below := sumOf(h.negative)
	if rank <= below {
		// These are mirrored: the last one holds the smallest values.
		slices.Reverse(h.negative)
		i, share := bucketOf(h.negative, rank)
		at := int64(h.negativeOffset) + int64(len(h.negative)-1-i)
		return -h.bound(at + 1), -h.bound(at), share
	}
	rank -= below
	zero := float64(h.zeroCount)
	if rank <= zero {
		if len(h.negative) > 0 {
			lower = -h.zeroThreshold
		}
		return lower, h.zeroThreshold, rank / zero
	}
	i, share := bucketOf(h.counts, rank-zero)
	at := int64(h.offset) + int64(i)
	return h.bound(at), h.bound(at + 1), share
}

// bound returns base^i = 2^(i·2^-scale): a power of two for its whole part, which is exact,
// and e^x for the rest.
func (h *histogram) bound(i int64) float64 {
	exponent := math.Ldexp(float64(i), -int(h.scale))
	if exponent > 1100 {
		return math.Inf(1)
	}
	if exponent < -1100 {
		return 0
	}
	whole := math.Floor(exponent)
	return math.Ldexp(fmath.Exp(float64((exponent-whole)*math.Ln2)), int(whole))
}
