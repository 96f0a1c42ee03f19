package encoding

import (
	"slices"

	"github.com/weirstream/weir/operator"
)

// OTLPOptions say what makes up the name of a stream:
//
//	metric,point attributes;resource attributes;scope
//
// such as system.cpu.utilization,cpu=0;host.name=web-7,service.name=api. Semicolons at the
// end are left out. A value that is a list or a map is written as [a,b] or {k=v}, a
// map sorted by its keys, and bytes in hexadecimal. What is left out of the name makes
// one stream of what the record has apart.
type OTLPOptions struct {
	// Resource and Point name the attributes that are part of the name: nil stands for
	// all, and an empty list for none.
	Resource, Point []string
	// Scope makes the name of the instrumentation scope a part.
	Scope bool
}

// An OTLP decodes records of OpenTelemetry metrics in protobuf, which a Collector's kafka
// exporter calls otlp_proto: a metrics.v1.MetricsData or, with the same bytes, an
// ExportMetricsServiceRequest.
//
//   - Gauge: the number, Instant.
//   - Sum: the number as it is, Delta or Cumulative, with Monotonic and Start.
//   - Histogram and exponential histogram: "count", and where they are known "mean" (the
//     sum over the count) and "p99", interpolated linearly in its bucket; Delta or
//     Cumulative.
//   - Summary: "count", "mean" and a field for each quantile, "p50" or "p99.9";
//     Cumulative.
//
// A data point that says it has no recorded value counts for Event.Index, and is neither
// an event nor a Fault. Exemplars are not read. Bytes that are no protobuf cost the point,
// or the part of the record, that they are found in, which counts as one point.
type OTLP struct {
	batch
	options OTLPOptions

	resource []byte // the name's part of it
	suffix   []byte // what comes behind the point's attributes
	metric   []byte // the metric's name, escaped
	stream   []byte
	labels   []label
	values   []byte // attributes' values as text
	point    otlpPoint
}

// NewOTLP returns a decoder that names streams as the options say.
func NewOTLP(options OTLPOptions) *OTLP { return &OTLP{options: options} }

// Decode appends the record's points to dst, and says what is wrong with the others. The
// faults are valid until the next Decode.
func (d *OTLP) Decode(dst []operator.Event, r Record) ([]operator.Event, []Fault) {
	if d.begin(dst, r) {
		d.metrics(r.Value)
	}
	return d.end()
}

// Tags of the messages around a data point, from opentelemetry/proto/metrics/v1.
const (
	tagResourceMetrics = 1<<3 | block // of MetricsData

	tagResource     = 1<<3 | block // of ResourceMetrics
	tagScopeMetrics = 2<<3 | block

	tagResourceAttributes = 1<<3 | block // of Resource

	tagScope   = 1<<3 | block // of ScopeMetrics
	tagMetrics = 2<<3 | block

	tagScopeName = 1<<3 | block // of InstrumentationScope

	tagMetricName   = 1<<3 | block // of Metric
	tagGauge        = 5<<3 | block
	tagSum          = 7<<3 | block
	tagHistogram    = 9<<3 | block
	tagExpHistogram = 10<<3 | block
	tagSummary      = 11<<3 | block

	tagDataPoints  = 1<<3 | block // of Gauge, Sum, Histogram, …
	tagTemporality = 2<<3 | varint
	tagMonotonic   = 3<<3 | varint
)

func (d *OTLP) metrics(value []byte) {
	w := wire{rest: value}
	for w.next() {
		if w.tag == tagResourceMetrics && !d.resourceMetrics(w.bytes) {
			return
		}
	}
	if w.bad {
		d.fault(ReasonMalformed, "the record is no protobuf from byte %d on", len(value)-len(w.rest))
	}
}

// broken notes that a part of the record is no protobuf. It returns false where the record
// may have no more points.
func (d *OTLP) broken(w *wire, part string) bool {
	d.fault(ReasonMalformed, "a %s is no protobuf, %d bytes before its end", part, len(w.rest))
	return !d.full()
}

func (d *OTLP) resourceMetrics(value []byte) bool {
	d.labels, d.values = d.labels[:0], d.values[:0]
	w := wire{rest: value}
	for w.next() {
		if w.tag != tagResource {
			continue
		}
		res := wire{rest: w.bytes}
		for res.next() {
			if res.tag == tagResourceAttributes && !d.attribute(res.bytes, d.options.Resource) {
				return !d.full()
			}
		}
		w.bad = w.bad || res.bad
	}
	if w.bad {
		return d.broken(&w, "resource")
	}
	if twice := sortLabels(d.labels); twice != nil {
		d.fault(ReasonDuplicateKey, "resource attribute %v is there twice", quoted(twice))
		return !d.full()
	}
	d.resource = appendLabels(d.resource[:0], d.labels)
	w = wire{rest: value}
	for w.next() {
		if w.tag == tagScopeMetrics && !d.scopeMetrics(w.bytes) {
			return false
		}
	}
	return true
}

func (d *OTLP) scopeMetrics(value []byte) bool {
	var scope []byte
	w := wire{rest: value}
	for w.next() {
		if w.tag != tagScope || !d.options.Scope {
			continue
		}
		sc := wire{rest: w.bytes}
		for sc.next() {
			if sc.tag == tagScopeName {
				scope = sc.bytes
			}
		}
		w.bad = w.bad || sc.bad
	}
	if w.bad {
		return d.broken(&w, "scope")
	}
	d.suffix = d.suffix[:0]
	if len(d.resource) > 0 || len(scope) > 0 {
		d.suffix = append(d.suffix, ';')
	}
	if len(d.resource) > 0 {
		d.suffix = append(d.suffix, d.resource[1:]...) // without its first comma
	}
	if len(scope) > 0 {
		d.suffix = appendEscaped(append(d.suffix, ';'), scope)
	}
	w = wire{rest: value}
	for w.next() {
		if w.tag == tagMetrics && !d.oneMetric(w.bytes) {
			return false
		}
	}
	return true
}

func (d *OTLP) oneMetric(value []byte) bool {
	var kind uint64
	d.metric = d.metric[:0]
	w := wire{rest: value}
	for w.next() {
		switch w.tag {
		case tagMetricName:
			d.metric = appendEscaped(d.metric[:0], w.bytes)
		case tagGauge, tagSum, tagHistogram, tagExpHistogram, tagSummary:
			kind = w.tag
		}
	}
	if w.bad {
		return d.broken(&w, "metric")
	}
	w = wire{rest: value}
	for w.next() {
		if w.tag == kind && !d.dataPoints(kind, w.bytes) {
			return false
		}
	}
	return true
}

func (d *OTLP) dataPoints(kind uint64, value []byte) bool {
	c, w := countingOf(kind, value)
	if w.bad {
		return d.broken(&w, "list of data points")
	}
	w = wire{rest: value}
	for w.next() {
		if w.tag != tagDataPoints {
			continue
		}
		if d.full() {
			return false
		}
		d.dataPoint(kind, w.bytes, c)
	}
	return true
}

// countingOf returns what a metric says of all its data points. A sum that may fall is no
// count: its cumulative number is a level.
func countingOf(kind uint64, value []byte) (c counting, w wire) {
	var temporality uint64
	monotonic := kind != tagSum
	w = wire{rest: value}
	for w.next() {
		switch w.tag {
		case tagTemporality:
			temporality = w.scalar
		case tagMonotonic:
			monotonic = w.scalar != 0
		}
	}
	switch {
	case kind == tagGauge:
	case kind == tagSummary || temporality == 2:
		c.cumulative = monotonic
	case temporality == 1:
		c.delta = true
	}
	return c, w
}

// named reports whether an attribute is part of the name.
func named(key []byte, names []string) bool {
	return names == nil || slices.Contains(names, string(key))
}
