package pipeline

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/weirstream/weir/operator"
)

// JSONNames are the names of the members that a JSONDecoder reads.
type JSONNames struct {
	// Stream holds the stream's name, a string.
	Stream string
	// Time holds the event's time: RFC 3339, or Unix milliseconds.
	Time string
	// Value holds the number of an event with one unnamed field.
	Value string
	// Values holds an object of numbers by field name.
	Values string
}

// DefaultJSONNames are "stream", "ts", "value" and "values".
func DefaultJSONNames() JSONNames {
	return JSONNames{Stream: "stream", Time: "ts", Value: "value", Values: "values"}
}

// A JSONDecoder makes events of JSON objects such as
//
//	{"stream":"web-7/cpu","ts":"2026-11-23T10:28:00Z","value":0.93}
//	{"stream":"web-7","ts":1795429680000,"values":{"cpu":0.93,"mem":"0.41"}}
//
// It walks over the text once and checks all of it, also what it does not read.
// Strings without escapes are not copied; the others are written to memory of the
// decoder. So an event is valid as long as its record is, and until Reset.
// Decoding allocates nothing once that memory has grown to its size.
//
// A JSONDecoder belongs to one goroutine.
type JSONDecoder struct {
	names JSONNames
	block []byte // unescaped strings
	jsonScanner
	found jsonFound
}

// jsonFound is what was read of one record.
type jsonFound struct {
	fault    *DecodeError // the first fault of meaning
	seen     [4]bool      // members, in the order of JSONNames
	stream   []byte
	time     int64
	value    float64
	hasTime  bool
	hasValue bool
	values   bool // the values' object is there
}

// NewJSONDecoder returns a decoder that reads the named members. No two names
// may be equal, and none empty.
func NewJSONDecoder(names JSONNames) (*JSONDecoder, error) {
	all := []string{names.Stream, names.Time, names.Value, names.Values}
	for i, name := range all {
		if name == "" {
			return nil, fmt.Errorf("json names %q: a name is empty", all)
		}
		if slices.Contains(all[:i], name) {
			return nil, fmt.Errorf("json names %q: %q is used twice", all, name)
		}
	}
	return &JSONDecoder{names: names}, nil
}

// Reset takes back the memory of all events decoded so far.
func (d *JSONDecoder) Reset() {
	d.block = d.block[:0]
}

// Decode reads one record into ev: its Stream, Time and Fields, whose memory is
// used again; Offset is left alone. A record without a stream is of the stream
// that its key names. A record without a time has recordTime, in Unix
// milliseconds, which is negative where there is none.
//
// A member of values that is null is a field that this event lacks. An error is
// a *DecodeError, and leaves ev without meaning.
func (d *JSONDecoder) Decode(ev *operator.Event, key, value []byte, recordTime int64) error {
	if value == nil {
		return &DecodeError{ReasonTombstone, "the record has no value"}
	}
	if len(value) == 0 {
		return &DecodeError{ReasonEmptyValue, "the record's value is empty"}
	}
	ev.Fields = ev.Fields[:0]
	d.jsonScanner = jsonScanner{data: value}
	d.found = jsonFound{time: recordTime}
	if !d.document(ev) {
		return d.err
	}
	if d.found.fault == nil {
		d.complete(ev, key)
	}
	if d.found.fault != nil {
		return d.found.fault
	}
	ev.Stream, ev.Time = d.found.stream, d.found.time
	return nil
}

// reject notes a fault of meaning and goes on, so that the rest of the text is
// checked as well.
func (d *JSONDecoder) reject(reason string, format string, args ...any) {
	if d.found.fault == nil {
		d.found.fault = &DecodeError{reason, fmt.Sprintf(format, args...)}
	}
}

func (d *JSONDecoder) document(ev *operator.Event) bool {
	d.space()
	start := d.pos
	if d.peek() == '{' {
		if !d.object(ev) {
			return false
		}
	} else {
		if !d.skip() {
			return false
		}
		d.reject(ReasonNotObject, "the record is %v, not an object", quoted(d.data[start:d.pos]))
	}
	d.space()
	if d.pos < len(d.data) {
		return d.syntax("text behind the record's end")
	}
	return true
}

func (d *JSONDecoder) object(ev *operator.Event) bool {
	more, ok := d.open('}')
	for more {
		name, isMember := d.member()
		if !isMember || !d.readMember(ev, d.text(name)) {
			return false
		}
		if more, ok = d.next('}'); !ok {
			return false
		}
	}
	return ok
}

func (d *JSONDecoder) readMember(ev *operator.Event, name []byte) bool {
	switch string(name) {
	case d.names.Stream:
		d.once(0, name)
		return d.readStream()
	case d.names.Time:
		d.once(1, name)
		return d.readTime()
	case d.names.Value:
		d.once(2, name)
		v, kind, ok := d.readNumber(name)
		d.found.value, d.found.hasValue = v, kind == present
		return ok
	case d.names.Values:
		d.once(3, name)
		return d.readValues(ev)
	}
	return d.skip()
}

func (d *JSONDecoder) once(member int, name []byte) {
	if d.found.seen[member] {
		d.reject(ReasonDuplicateKey, "member %v is there twice", quoted(name))
	}
	d.found.seen[member] = true
}

// text returns a string without its escapes.
func (d *JSONDecoder) text(s jsonString) []byte {
	if !s.escaped {
		return s.raw
	}
	if cap(d.block)-len(d.block) < len(s.raw) {
		// Earlier events keep the old block, so it is replaced, never moved.
		const minBlock = 4 << 10
		d.block = make([]byte, 0, max(minBlock, 2*cap(d.block), len(s.raw)))
	}
	start := len(d.block)
	d.block = appendUnescaped(d.block, s.raw)
	return d.block[start:len(d.block):len(d.block)]
}

// complete checks what only the whole record can tell.
func (d *JSONDecoder) complete(ev *operator.Event, key []byte) {
	d.completeStream(key)
	if !d.found.hasTime && (d.found.time < 0 || d.found.time > maxTime) {
		d.reject(ReasonBadTime, "neither the value nor the record has a time")
	}
	slices.SortFunc(ev.Fields, func(a, b operator.Field) int { return bytes.Compare(a.Name, b.Name) })
	for i := 1; i < len(ev.Fields); i++ {
		if name := ev.Fields[i].Name; bytes.Equal(ev.Fields[i-1].Name, name) {
			d.reject(ReasonDuplicateKey, "field %v is there twice", quoted(name))
		}
	}
	if d.found.hasValue && d.found.values {
		d.reject(ReasonBadValue, "the record has both %q and %q", d.names.Value, d.names.Values)
	}
	if d.found.hasValue {
		ev.Fields = append(ev.Fields[:0], operator.Field{Value: d.found.value})
	}
	ev.Fields = slices.DeleteFunc(ev.Fields, func(f operator.Field) bool { return math.IsNaN(f.Value) })
	if len(ev.Fields) == 0 {
		d.reject(ReasonNoValue, "the record has no number in %q or %q", d.names.Value, d.names.Values)
	}
}

func (d *JSONDecoder) completeStream(key []byte) {
	if len(d.found.stream) == 0 {
		if len(key) == 0 || !utf8.Valid(key) {
			d.reject(ReasonNoStream, "no member %q, and the record's key %v is no text", d.names.Stream, quoted(key))
		}
		d.found.stream = key
	}
	if len(d.found.stream) > MaxStreamBytes {
		d.reject(ReasonTooLarge, "stream %v has more than %d bytes", quoted(d.found.stream), MaxStreamBytes)
	}
}
