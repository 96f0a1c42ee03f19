package encoding

import (
	"bytes"
	"math"

	"github.com/klauspost/compress/snappy"

	"github.com/weirstream/weir/operator"
)

// A RemoteWrite decodes the bodies of Prometheus remote write: a snappy block of a
// protobuf message, prometheus.WriteRequest of version 1.0 or
// io.prometheus.write.v2.Request of version 2.0. Their fields have different numbers, so
// that a message says by itself which one it is.
//
// Each sample is a point with one unnamed field. Its stream is the label __name__ with
// the other labels. Samples of a series that its metadata (2.0) or
// the end of its name (1.0: _total, _count, _sum, _bucket) calls a counter are Cumulative;
// the others are Instant. A native histogram is a point with
// the fields "count" and "mean". A stale marker counts for Event.Index, and is neither an
// event nor a Fault. Exemplars and the metadata of 1.0 are not read.
//
// A series with bad labels is one Fault and counts as one point.
type RemoteWrite struct {
	batch

	plain   []byte // uncompressed
	symbols [][]byte
	refs    []uint64
	labels  []label
	metric  []byte // the name of the series
	stream  []byte
}

// NewRemoteWrite returns a decoder.
func NewRemoteWrite() *RemoteWrite { return &RemoteWrite{} }

// Tags of a request's fields. Version 2.0 reserves those of 1.0.
const (
	tagSeries1 = 1<<3 | block // of prometheus.WriteRequest

	tagSymbols = 4<<3 | block // of io.prometheus.write.v2.Request
	tagSeries2 = 5<<3 | block
)

// Tags of a series' fields.
const (
	tagLabels      = 1<<3 | block // 1.0: messages Label
	tagLabelRefs   = 1<<3 | block // 2.0: packed pairs of references to symbols
	tagLabelRef    = 1<<3 | varint
	tagSamples     = 2<<3 | block
	tagHistograms1 = 4<<3 | block
	tagHistograms2 = 3<<3 | block
	tagMetadata2   = 5<<3 | block
	tagCreated2    = 6<<3 | varint // of drafts; now each sample has its own
)

// staleNaN is the value by which Prometheus says that a series has ended.
const staleNaN = 0x7ff0000000000002

// Decode appends the record's points to dst, and says what is wrong with the others. The
// faults are valid until the next Decode.
func (d *RemoteWrite) Decode(dst []operator.Event, r Record) ([]operator.Event, []Fault) {
	if d.begin(dst, r) && d.uncompress(r.Value) {
		d.request()
	}
	return d.end()
}

// uncompress checks the announced size before it takes memory for it.
func (d *RemoteWrite) uncompress(value []byte) bool {
	size, err := snappy.DecodedLen(value)
	if err != nil {
		d.refuse(ReasonMalformed, "the record is no snappy block: %v", err)
		return false
	}
	if size > MaxValueBytes {
		d.refuse(ReasonTooLarge, "the record has %d bytes uncompressed, more than %d", size, MaxValueBytes)
		return false
	}
	// A copy of 64 bytes takes three, so that a greater announcement is false.
	if size/32 > len(value) {
		d.refuse(ReasonMalformed, "the record announces %d bytes uncompressed, more than its %d can hold", size, len(value))
		return false
	}
	if cap(d.plain) > maxKept && size <= maxKept {
		d.plain = nil
	}
	if d.plain, err = snappy.Decode(d.plain[:cap(d.plain)], value); err != nil {
		d.refuse(ReasonMalformed, "the record is no snappy block: %v", err)
		return false
	}
	return true
}

// request reads the series, in 2.0 after all symbols, which may come behind them.
func (d *RemoteWrite) request() {
	d.symbols = d.symbols[:0]
	first, second := false, false
	w := wire{rest: d.plain}
	for w.next() {
		switch w.tag {
		case tagSeries1:
			first = true
		case tagSymbols:
			d.symbols = append(d.symbols, w.bytes)
			second = true
		case tagSeries2:
			second = true
		}
	}
	if w.bad || first && second {
		d.refuse(ReasonMalformed, "the record is no write request of version 1.0 or 2.0")
		return
	}
	w = wire{rest: d.plain}
	for w.next() {
		if w.tag != tagSeries1 && w.tag != tagSeries2 {
			continue
		}
		if d.full() || !d.series(w.bytes, w.tag == tagSeries2) {
			return
		}
	}
}

// series reads one series. It returns false where the record may have no more points.
func (d *RemoteWrite) series(value []byte, second bool) bool {
	c, ok := d.name(value, second)
	if !ok {
		return true
	}
	histograms := uint64(tagHistograms1)
	if second {
		histograms = tagHistograms2
	}
	w := wire{rest: value}
	for w.next() {
		if w.tag != tagSamples && w.tag != histograms {
			continue
		}
		if d.full() {
			return false
		}
		d.start()
		if w.tag == tagSamples {
			d.sample(w.bytes, c)
		} else {
			d.native(w.bytes, c)
		}
	}
	return true
}

// name makes the stream's name of the labels, and returns what the series says of all its
// samples.
func (d *RemoteWrite) name(value []byte, second bool) (c counting, ok bool) {
	d.start()
	d.labels, d.refs = d.labels[:0], d.refs[:0]
	w := wire{rest: value}
	ok = true
	for ok && w.next() {
		switch {
		case !second && w.tag == tagLabels:
			ok = d.label(w.bytes)
		case second && w.tag == tagLabelRefs:
			d.refs, ok = appendVarints(d.refs, w.bytes)
		case second && w.tag == tagLabelRef:
			d.refs = append(d.refs, w.scalar)
		case second && w.tag == tagMetadata2:
			c.cumulative, ok = isCounter(w.bytes)
		case second && w.tag == tagCreated2:
			c.start = int64(w.scalar)
		}
	}
	if !ok || w.bad || !d.resolve() {
		return c, d.fault(ReasonMalformed, "the series is no protobuf, or its labels refer to no symbol")
	}
	ok = d.join()
	if !second {
		c.cumulative = countsByName(d.metric)
	}
	return c, ok
}

func (d *RemoteWrite) label(value []byte) (ok bool) {
	key, text, ok := keyValue(value) // with the same tags as OTLP's
	d.labels = append(d.labels, label{key, text})
	return ok
}

// resolve turns references into labels.
func (d *RemoteWrite) resolve() (ok bool) {
	if len(d.refs)%2 != 0 {
		return false
	}
	n := uint64(len(d.symbols))
	for i := 0; i < len(d.refs); i += 2 {
		key, value := d.refs[i], d.refs[i+1]
		if key >= n || value >= n {
			return false
		}
		d.labels = append(d.labels, label{d.symbols[key], d.symbols[value]})
	}
	return true
}

// isCounter reads a message Metadata.
func isCounter(metadata []byte) (counter, ok bool) {
	w := wire{rest: metadata}
	for w.next() {
		if w.tag == 1<<3|varint {
			counter = w.scalar == 1
		}
	}
	return counter, !w.bad
}

// countsByName reports whether a metric is a counter by the conventions for names, which
// is all that version 1.0 tells of it.
func countsByName(metric []byte) bool {
	for _, suffix := range [...]string{"_total", "_count", "_sum", "_bucket"} {
		if bytes.HasSuffix(metric, []byte(suffix)) {
			return true
		}
	}
	return false
}

// join makes the stream's name.
func (d *RemoteWrite) join() bool {
	if twice := sortLabels(d.labels); twice != nil {
		return d.fault(ReasonDuplicateKey, "label %v is there twice", quoted(twice))
	}
	rest := d.labels
	d.stream = d.stream[:0]
	for i := range d.labels {
		if bytes.Equal(d.labels[i].key, metricName) {
			d.metric = d.labels[i].value
			d.stream = appendEscaped(d.stream, d.metric)
			rest = append(d.labels[:i], d.labels[i+1:]...)
			break
		}
	}
	if len(d.stream) == 0 {
		return d.fault(ReasonNoStream, "the series has no label %s", metricName)
	}
	d.stream = appendLabels(d.stream, rest)
	// The names of series are repeated for each sample: too long ones end here.
	return d.checkStream(d.stream)
}

var metricName = []byte("__name__")

// sample reads a message Sample.
func (d *RemoteWrite) sample(value []byte, c counting) {
	var bits uint64
	var at int64
	w := wire{rest: value}
	for w.next() {
		switch w.tag {
		case 1<<3 | fixed64:
			bits = w.scalar
		case 2<<3 | varint:
			at = int64(w.scalar)
		case 3<<3 | varint:
			c.start = int64(w.scalar)
		}
	}
	switch {
	case w.bad:
		d.fault(ReasonMalformed, "the sample is no protobuf")
	case bits == staleNaN:
		d.skip()
	default:
		d.field(nil, math.Float64frombits(bits))
		d.add(d.stream, at, c)
	}
}

// native reads a message Histogram.
func (d *RemoteWrite) native(value []byte, c counting) {
	const gauge = 3 // the reset hint of a histogram that is no counter
	var count, sum float64
	var at int64
	c.cumulative = true
	w := wire{rest: value}
	for w.next() {
		switch w.tag {
		case 1<<3 | varint:
			count = float64(w.scalar)
		case 2<<3 | fixed64:
			count = w.float()
		case 3<<3 | fixed64:
			sum = w.float()
		case 14<<3 | varint:
			if w.scalar == gauge {
				c.cumulative = false
			}
		case 15<<3 | varint:
			at = int64(w.scalar)
		case 17<<3 | varint:
			c.start = int64(w.scalar)
		}
	}
	switch {
	case w.bad:
		d.fault(ReasonMalformed, "the histogram is no protobuf")
	case math.Float64bits(sum) == staleNaN:
		d.skip()
	default:
		d.field(fieldCount, count)
		if count > 0 {
			d.field(fieldMean, sum/count)
		}
		d.add(d.stream, at, c)
	}
}
