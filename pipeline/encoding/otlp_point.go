package encoding

import (
	"math"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// An otlpPoint is what was read of one data point.
type otlpPoint struct {
	start, time uint64 // ns since 1970, 0 for none
	flags       uint64
	value       float64
	hasValue    bool
	count       uint64
	sum         float64
	hasSum      bool
	histogram   histogram
	percentiles []percentile
}

// A percentile is one quantile of a summary.
type percentile struct {
	name  []byte // p50
	value float64
}

// noRecordedValue is the flag of a data point that only says that there is none.
const noRecordedValue = 1

// Tags that all data points share, from opentelemetry/proto/metrics/v1.
const (
	tagStart = 2<<3 | fixed64
	tagTime  = 3<<3 | fixed64
)

var (
	fieldCount = []byte("count")
	fieldMean  = []byte("mean")
	fieldP99   = []byte("p99")
)

// attributesAndFlags returns the tags that data points do not share.
func attributesAndFlags(kind uint64) (attributes, flags uint64) {
	switch kind {
	case tagHistogram:
		return 9<<3 | block, 10<<3 | varint
	case tagExpHistogram:
		return 1<<3 | block, 10<<3 | varint
	}
	return 7<<3 | block, 8<<3 | varint
}

// dataPoint reads one data point of a metric that counts as c says.
func (d *OTLP) dataPoint(kind uint64, value []byte, c counting) {
	d.start()
	d.labels, d.values = d.labels[:0], d.values[:0]
	d.point = otlpPoint{histogram: d.point.histogram.reset(), percentiles: d.point.percentiles[:0]}
	attributes, flags := attributesAndFlags(kind)
	w := wire{rest: value}
	for w.next() {
		switch w.tag {
		case attributes:
			if !d.attribute(w.bytes, d.options.Point) {
				return
			}
		case flags:
			d.point.flags = w.scalar
		case tagStart:
			d.point.start = w.scalar
		case tagTime:
			d.point.time = w.scalar
		default:
			if !d.readNumber(kind, &w) {
				d.fault(ReasonMalformed, "the data point's numbers are no protobuf")
				return
			}
		}
	}
	switch {
	case w.bad:
		d.fault(ReasonMalformed, "the data point is no protobuf, %d bytes before its end", len(w.rest))
	case d.point.flags&noRecordedValue != 0:
		d.skip()
	case d.name():
		d.finish(kind, c)
	}
}

// name makes the stream's name.
func (d *OTLP) name() bool {
	if len(d.metric) == 0 {
		return d.fault(ReasonNoStream, "the metric has no name")
	}
	if twice := sortLabels(d.labels); twice != nil {
		return d.fault(ReasonDuplicateKey, "attribute %v is there twice", quoted(twice))
	}
	d.stream = append(d.stream[:0], d.metric...)
	d.stream = appendLabels(d.stream, d.labels)
	d.stream = append(d.stream, d.suffix...)
	return true
}

// finish adds the point that was read.
func (d *OTLP) finish(kind uint64, c counting) {
	const perMilli = uint64(time.Millisecond)
	at, ok := int64(d.point.time/perMilli), true
	if d.point.time == 0 {
		at, ok = d.recordTime()
	}
	c.start = int64(d.point.start / perMilli)
	if ok && d.fieldsOf(kind) {
		d.add(d.stream, at, c)
	}
}

// readNumber reads a field that only some data points have.
func (d *OTLP) readNumber(kind uint64, w *wire) (ok bool) {
	p := &d.point
	switch kind {
	case tagGauge, tagSum:
		switch w.tag {
		case 4<<3 | fixed64:
			p.value, p.hasValue = w.float(), true
		case 6<<3 | fixed64:
			p.value, p.hasValue = float64(int64(w.scalar)), true
		}
		return true
	case tagSummary:
		return p.readSummary(w)
	}
	switch w.tag {
	case 4<<3 | fixed64:
		p.count = w.scalar
	case 5<<3 | fixed64:
		p.sum, p.hasSum = w.float(), true
	default:
		if kind == tagHistogram {
			return p.histogram.readExplicit(w)
		}
		return p.histogram.readExponential(w)
	}
	return true
}

func (p *otlpPoint) readSummary(w *wire) (ok bool) {
	switch w.tag {
	case 4<<3 | fixed64:
		p.count = w.scalar
	case 5<<3 | fixed64:
		p.sum, p.hasSum = w.float(), true
	case 6<<3 | block:
		if len(p.percentiles) > MaxFields {
			return true // Refused as too large already.
		}
		q := wire{rest: w.bytes}
		var quantile, value float64
		for q.next() {
			switch q.tag {
			case 1<<3 | fixed64:
				quantile = q.float()
			case 2<<3 | fixed64:
				value = q.float()
			}
		}
		p.percentiles = append(p.percentiles, percentile{percentileName(quantile), value})
		return !q.bad
	}
	return true
}

// percentileName returns "p50" for 0.5. Twelve digits hide that 100 times a float64 is
// rounded.
func percentileName(quantile float64) []byte {
	switch quantile {
	case 0.5:
		return fieldP50
	case 0.9:
		return fieldP90
	case 0.95:
		return fieldP95
	case 0.99:
		return fieldP99
	}
	return strconv.AppendFloat(append(make([]byte, 0, 24), 'p'), 100*quantile, 'g', 12, 64)
}

var (
	fieldP50 = []byte("p50")
	fieldP90 = []byte("p90")
	fieldP95 = []byte("p95")
)

// fieldsOf adds the data point's numbers.
func (d *OTLP) fieldsOf(kind uint64) bool {
	p := &d.point
	if kind == tagGauge || kind == tagSum {
		if p.hasValue {
			d.field(nil, p.value)
		}
		return true
	}
	d.field(fieldCount, float64(p.count))
	// A summary cannot say that it has no sum.
	if p.count > 0 && (p.hasSum || kind == tagSummary) {
		d.field(fieldMean, p.sum/float64(p.count))
	}
	for _, q := range p.percentiles {
		if !math.IsNaN(q.value) { // What clients say of a quantile without observations.
			d.field(q.name, q.value)
		}
	}
	if kind == tagSummary || p.count == 0 {
		return true
	}
	if fault := p.histogram.fault(kind == tagExpHistogram); fault != "" {
		return d.fault(ReasonBadValue, "%s", fault)
	}
	if v, ok := p.histogram.quantile(0.99, kind == tagExpHistogram); ok {
		d.field(fieldP99, v)
	}
	return true
}

// zigzag returns the value of an sint32 field.
func zigzag(v uint64) int32 { return int32(protowire.DecodeZigZag(v & math.MaxUint32)) }
