package encoding

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/weirstream/weir/operator"
)

// JSONNames are the names of the members that a JSON reads.
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

// A JSON makes events of JSON objects such as
//
//	{"stream":"web-7/cpu","ts":"2026-11-23T10:28:00Z","value":0.93}
//	{"stream":"web-7","ts":1795429680000,"values":{"cpu":0.93,"mem":"0.41"}}
//
// It walks over the text once and checks all of it, also what it does not read.
// Strings without escapes are not copied; the others are written to memory of the
// decoder. So an event is valid as long as its record is, and until Reset.
// Decoding allocates nothing once that memory has grown to its size.
//
// A JSON belongs to one goroutine.
type JSON struct {
	names JSONNames
	batch batch // its text are unescaped strings
	jsonScanner
	found jsonFound
}

// jsonFound is what was read of one record.
type jsonFound struct {
	fault    *Fault  // the first fault of meaning
	key      []byte  // the record's
	seen     [4]bool // members, in the order of JSONNames
	stream   []byte
	time     int64
	value    float64
	hasTime  bool
	hasValue bool
	values   bool // the values' object is there
}

// NewJSON returns a decoder that reads the named members. No two names
// may be equal, and none empty.
func NewJSON(names JSONNames) (*JSON, error) {
	all := []string{names.Stream, names.Time, names.Value, names.Values}
	for i, name := range all {
		if name == "" {
			return nil, fmt.Errorf("json names %q: a name is empty", all)
		}
		if slices.Contains(all[:i], name) {
			return nil, fmt.Errorf("json names %q: %q is used twice", all, name)
		}
	}
	return &JSON{names: names}, nil
}

// Reset takes back the memory of all events decoded so far.
func (d *JSON) Reset() {
	d.batch.Reset()
}

// Decode appends the record's one event to dst, or says what is wrong with it. A record
// that names no stream is of the stream that its key names. One without a time has the
// record's. A member of values that is null is a field that this event lacks. The faults
// are valid until the next Decode.
func (d *JSON) Decode(dst []operator.Event, r Record) ([]operator.Event, []Fault) {
	if d.batch.begin(dst, r) {
		if fault := d.read(r); fault != nil {
			d.batch.faults = append(d.batch.faults, *fault)
		}
	}
	return d.batch.end()
}

func (d *JSON) read(r Record) *Fault {
	d.batch.start()
	d.jsonScanner = jsonScanner{data: r.Value}
	d.found = jsonFound{time: r.Time, key: r.Key}
	if !d.document() {
		return d.err
	}
	fields := d.complete()
	if d.found.fault == nil {
		d.batch.events = append(d.batch.events, operator.Event{
			Index: operator.WholeRecord, Stream: d.found.stream, Time: d.found.time, Fields: fields,
		})
	}
	return d.found.fault
}

// reject notes a fault of meaning and goes on, so that the rest of the text is
// checked as well.
func (d *JSON) reject(reason string, format string, args ...any) {
	if d.found.fault == nil {
		d.found.fault = &Fault{WholeRecord, reason, fmt.Sprintf(format, args...)}
	}
}

func (d *JSON) document() bool {
	d.space()
	start := d.pos
	if d.peek() == '{' {
		if !d.object() {
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

func (d *JSON) object() bool {
	more, ok := d.open('}')
	for more {
		name, isMember := d.member()
		if !isMember || !d.readMember(d.text(name)) {
			return false
		}
		if more, ok = d.next('}'); !ok {
			return false
		}
	}
	return ok
}

func (d *JSON) readMember(name []byte) bool {
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
		return d.readValues()
	}
	return d.skip()
}

func (d *JSON) once(member int, name []byte) {
	if d.found.seen[member] {
		d.reject(ReasonDuplicateKey, "member %v is there twice", quoted(name))
	}
	d.found.seen[member] = true
}

// text returns a string without its escapes.
func (d *JSON) text(s jsonString) []byte {
	if !s.escaped {
		return s.raw
	}
	text := d.batch.room(len(s.raw))
	return d.batch.took(appendUnescaped(text, s.raw))
}

// complete checks what only the whole record can tell, and returns its fields.
func (d *JSON) complete() []operator.Field {
	if d.found.fault != nil {
		return nil
	}
	d.completeStream(d.found.key)
	if !d.found.hasTime && (d.found.time < 0 || d.found.time > maxTime) {
		d.reject(ReasonBadTime, "neither the value nor the record has a time")
	}
	if d.found.hasValue && d.found.values {
		d.reject(ReasonBadValue, "the record has both %q and %q", d.names.Value, d.names.Values)
	}
	fields := d.batch.current()
	slices.SortFunc(fields, func(a, b operator.Field) int { return bytes.Compare(a.Name, b.Name) })
	for i := 1; i < len(fields); i++ {
		if name := fields[i].Name; bytes.Equal(fields[i-1].Name, name) {
			d.reject(ReasonDuplicateKey, "field %v is there twice", quoted(name))
		}
	}
	fields = slices.DeleteFunc(fields, func(f operator.Field) bool { return math.IsNaN(f.Value) })
	if d.found.hasValue {
		d.batch.start()
		d.batch.field(nil, d.found.value)
		fields = d.batch.current()
	}
	if len(fields) == 0 {
		d.reject(ReasonNoValue, "the record has no number in %q or %q", d.names.Value, d.names.Values)
	}
	return fields
}

func (d *JSON) completeStream(key []byte) {
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
