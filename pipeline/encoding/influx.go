package encoding

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/weirstream/weir/operator"
)

// An Influx decodes records of InfluxDB line protocol, one point a line:
//
//	cpu,host=web-7,region=eu usage=0.93,cores=8i,ok=true 1795429680000000000
//
// A point's stream is its measurement with its tags sorted, its fields keep their names.
// Integers (8i, 8u) are rounded to float64, booleans are 1 and 0, and strings are left
// out, as they are no numbers. Lines end in \n or \r\n; empty lines and comments (#) are
// no points, so they do not count for Event.Index.
//
// Escapes are those of InfluxDB's documentation: a backslash before a comma or a space
// (and, outside of the measurement, an equals sign), and before a quotation mark or a
// backslash inside of a string. Any other backslash stands for itself. A string may hold
// line breaks. A bad line ends at its line break, and decoding goes on behind it.
type Influx struct {
	batch
	unit int64 // of timestamps, in nanoseconds

	data   []byte
	pos    int
	stream []byte
	word   []byte // an unescaped name
	words  []byte // unescaped names of the current line's tags
	tags   []label
}

// NewInflux returns a decoder of lines whose timestamps have the given precision:
// time.Nanosecond, which is the protocol's own, time.Microsecond, time.Millisecond or
// time.Second.
func NewInflux(precision time.Duration) (*Influx, error) {
	switch precision {
	case time.Nanosecond, time.Microsecond, time.Millisecond, time.Second:
		return &Influx{unit: int64(precision)}, nil
	}
	return nil, fmt.Errorf("influx precision %v: choose 1ns, 1µs, 1ms or 1s", precision)
}

// Decode appends the record's points to dst, and says what is wrong with the others. The
// faults are valid until the next Decode.
func (d *Influx) Decode(dst []operator.Event, r Record) ([]operator.Event, []Fault) {
	if !d.begin(dst, r) {
		return d.end()
	}
	d.data, d.pos = r.Value, 0
	for d.blank() && !d.full() {
		if !d.line() {
			d.nextLine()
		}
	}
	return d.end()
}

// blank skips what stands between points and reports whether there is another one.
func (d *Influx) blank() bool {
	for d.pos < len(d.data) {
		switch d.data[d.pos] {
		case ' ', '\t', '\r', '\n':
			d.pos++
		case '#':
			d.nextLine()
		default:
			return true
		}
	}
	return false
}

func (d *Influx) nextLine() {
	i := bytes.IndexByte(d.data[d.pos:], '\n')
	if i < 0 {
		d.pos = len(d.data)
		return
	}
	d.pos += i + 1
}

// peek returns the next byte, or a line break at the end of the record.
func (d *Influx) peek() byte {
	if d.pos < len(d.data) {
		return d.data[d.pos]
	}
	return '\n'
}

func (d *Influx) spaces() {
	for d.peek() == ' ' {
		d.pos++
	}
}

// broken ends the current line as one that is no line protocol.
func (d *Influx) broken(what string) bool {
	near := d.data[min(d.pos, len(d.data)):min(d.pos+16, len(d.data))]
	return d.fault(ReasonMalformed, "%s at byte %d, near %v", what, d.pos, quoted(near))
}

// line reads one point and its line break.
func (d *Influx) line() bool {
	d.start()
	if !d.series() || !d.fieldSet() {
		return false
	}
	d.spaces()
	at, ok := d.timestamp()
	if !ok {
		return false
	}
	d.spaces()
	if d.peek() == '\r' {
		d.pos++
	}
	if d.peek() != '\n' {
		return d.broken("text behind the point")
	}
	d.pos++
	// A fault in what follows is noted, but the line has been read to its end.
	d.add(d.stream, at, counting{})
	return true
}

// series reads the measurement and the tags into stream.
func (d *Influx) series() bool {
	measurement := d.name(", ")
	if len(measurement) == 0 {
		return d.fault(ReasonNoStream, "the line at byte %d has no measurement", d.pos)
	}
	d.stream = appendEscaped(d.stream[:0], measurement)
	d.tags, d.words = d.tags[:0], d.words[:0]
	for d.peek() == ',' {
		d.pos++
		key := d.tagWord("=, ")
		if d.peek() != '=' || len(key) == 0 {
			return d.broken("expected a tag's name and =")
		}
		d.pos++
		value := d.tagWord("=, ")
		if len(value) == 0 {
			return d.broken("expected a tag's value")
		}
		d.tags = append(d.tags, label{key, value})
	}
	if twice := sortLabels(d.tags); twice != nil {
		return d.fault(ReasonDuplicateKey, "tag %v is there twice", quoted(twice))
	}
	d.stream = appendLabels(d.stream, d.tags)
	if d.peek() != ' ' {
		return d.broken("expected a space and fields")
	}
	d.spaces()
	return true
}

// name reads up to one of the bytes in end, a line break or the record's end, and takes
// away the backslash before the bytes of end. The result is part of the record or, where
// it had escapes, valid until the next call.
func (d *Influx) name(end string) []byte {
	start, escapes := d.pos, 0
	for d.pos < len(d.data) {
		c := d.data[d.pos]
		if c == '\n' || c == '\r' || in(end, c) {
			break
		}
		d.pos++
		if c == '\\' && d.pos < len(d.data) && in(end, d.data[d.pos]) {
			d.pos++
			escapes++
		}
	}
	raw := d.data[start:d.pos:d.pos]
	if escapes == 0 {
		return raw
	}
	d.word = d.word[:0]
	for i := 0; i < len(raw); i++ {
		if raw[i] == '\\' && i+1 < len(raw) && in(end, raw[i+1]) {
			i++
		}
		d.word = append(d.word, raw[i])
	}
	return d.word
}

// tagWord is name, with a result that is valid until the end of the line.
func (d *Influx) tagWord(end string) []byte {
	start := d.pos
	word := d.name(end)
	if len(word) == d.pos-start {
		return word
	}
	from := len(d.words)
	d.words = append(d.words, word...)
	return d.words[from:len(d.words):len(d.words)]
}

// in reports whether c is one of the two or three bytes of set.
func in(set string, c byte) bool {
	for i := range len(set) {
		if set[i] == c {
			return true
		}
	}
	return false
}

// timestamp reads the optional time, in Unix milliseconds.
func (d *Influx) timestamp() (ms int64, ok bool) {
	start := d.pos
	for c := d.peek(); c == '-' || '0' <= c && c <= '9'; c = d.peek() {
		d.pos++
	}
	if d.pos == start {
		return d.recordTime()
	}
	text := d.data[start:d.pos]
	t, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return 0, d.fault(ReasonBadTime, "timestamp %v is no 64-bit integer", quoted(text))
	}
	return millis(t, d.unit), true
}

// millis returns the Unix milliseconds of t units of so many nanoseconds. What does not
// fit is beyond every limit.
func millis(t, unit int64) int64 {
	if unit <= int64(time.Millisecond) {
		per := int64(time.Millisecond) / unit
		ms := t / per
		if t%per < 0 {
			ms--
		}
		return ms
	}
	per := unit / int64(time.Millisecond)
	switch {
	case t > math.MaxInt64/per:
		return math.MaxInt64
	case t < math.MinInt64/per:
		return math.MinInt64
	}
	return t * per
}
