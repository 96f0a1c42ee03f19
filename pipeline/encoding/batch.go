package encoding

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/weirstream/weir/operator"
)

// A batch collects the points of one record. Its memory outlives the record: earlier
// points keep the blocks they are in, so a full block is replaced, never moved.
type batch struct {
	events []operator.Event
	faults []Fault
	index  int   // of the next point
	named  int   // bytes written to text for this record
	time   int64 // the record's

	text   []byte
	fields []operator.Field
	open   int // the current point's first field in fields
}

const (
	minText   = 4 << 10
	minFields = 256
	// maxKept is the largest block, in elements, that is kept after a Reset.
	maxKept = 1 << 20
)

// Reset takes back the memory of all points decoded so far.
func (b *batch) Reset() {
	b.text, b.fields = b.text[:0], b.fields[:0]
	if cap(b.text) > maxKept {
		b.text = nil
	}
	if cap(b.fields) > maxKept {
		b.fields = nil
	}
}

// begin starts a record, and reports whether it has a value at all.
func (b *batch) begin(dst []operator.Event, r Record) bool {
	b.events, b.faults, b.index, b.named, b.time = dst, b.faults[:0], 0, 0, r.Time
	if r.Value == nil {
		b.refuse(ReasonTombstone, "the record has no value")
	} else if len(r.Value) == 0 {
		b.refuse(ReasonEmptyValue, "the record's value is empty")
	} else if len(r.Value) > MaxValueBytes {
		b.refuse(ReasonTooLarge, "the record's value has more than %d bytes", MaxValueBytes)
	}
	return len(b.faults) == 0
}

// end returns what begin began.
func (b *batch) end() ([]operator.Event, []Fault) {
	events := b.events
	b.events = nil
	return events, b.faults
}

// refuse notes what is wrong with the whole record.
func (b *batch) refuse(reason, format string, args ...any) {
	b.faults = append(b.faults, Fault{WholeRecord, reason, fmt.Sprintf(format, args...)})
}

// full reports whether the record may have no more points, and says so once.
func (b *batch) full() bool {
	switch {
	case b.index >= MaxPoints:
		b.fault(ReasonTooLarge, "the record has more than %d points", MaxPoints)
	case b.named > MaxNameBytes:
		b.fault(ReasonTooLarge, "the names of the record's streams are longer than %d bytes together", MaxNameBytes)
	default:
		return false
	}
	return true
}

// fault ends the current point as one that cannot be used. It returns false, which its
// callers return.
func (b *batch) fault(reason, format string, args ...any) bool {
	b.faults = append(b.faults, Fault{b.index, reason, fmt.Sprintf(format, args...)})
	b.skip()
	return false
}

// skip ends the current point without one.
func (b *batch) skip() {
	b.fields = b.fields[:b.open]
	b.index++
}

// start begins a point's fields.
func (b *batch) start() { b.open = len(b.fields) }

// field adds a number to the current point.
func (b *batch) field(name []byte, v float64) {
	if cap(b.fields) == len(b.fields) {
		now := b.fields[b.open:]
		b.fields = make([]operator.Field, 0, max(minFields, 2*len(now), min(2*cap(b.fields), maxKept)))
		b.fields = append(b.fields, now...)
		b.open = 0
	}
	if v == 0 {
		v = 0 // not -0
	}
	b.fields = append(b.fields, operator.Field{Name: name, Value: v})
}

// current is the current point's fields so far.
func (b *batch) current() []operator.Field { return b.fields[b.open:len(b.fields):len(b.fields)] }

// keep copies a name that is no part of the record.
func (b *batch) keep(name []byte) []byte { return b.took(append(b.room(len(name)), name...)) }

// room returns an empty slice with room for n bytes, to append to and hand to took.
func (b *batch) room(n int) []byte {
	if cap(b.text)-len(b.text) < n {
		b.text = make([]byte, 0, max(minText, min(2*cap(b.text), maxKept), n))
	}
	return b.text[len(b.text):]
}

// took keeps what was appended to a room.
func (b *batch) took(text []byte) []byte {
	b.text = b.text[:len(b.text)+len(text)]
	b.named += len(text)
	return slices.Clip(text)
}

// add ends the current point, with the fields since start and a copy of stream.
func (b *batch) add(stream []byte, at int64, c counting) bool {
	fields := b.current()
	ev := operator.Event{Index: b.index, Time: at, Fields: fields}
	c.counted(&ev)
	if !b.checkStream(stream) || !b.checkFields(fields) {
		return false
	}
	if at < minTime || at > maxTime {
		return b.fault(ReasonBadTime, "%d ms since 1970 is outside of the years 1 to 9999", at)
	}
	ev.Stream = b.keep(stream)
	b.events = append(b.events, ev)
	b.index++
	return true
}

func (b *batch) checkStream(stream []byte) bool {
	switch {
	case len(stream) > MaxStreamBytes:
		return b.fault(ReasonTooLarge, "stream %v has more than %d bytes", quoted(stream), MaxStreamBytes)
	case !utf8.Valid(stream):
		return b.fault(ReasonBadStream, "stream %v is no UTF-8", quoted(stream))
	}
	return true
}

// checkFields sorts the fields and checks what Point promises of them.
func (b *batch) checkFields(fields []operator.Field) bool {
	if len(fields) == 0 {
		return b.fault(ReasonNoValue, "the point has no number")
	}
	if len(fields) > MaxFields {
		return b.fault(ReasonTooLarge, "the point has more than %d fields", MaxFields)
	}
	slices.SortFunc(fields, func(a, b operator.Field) int { return bytes.Compare(a.Name, b.Name) })
	for i := range fields {
		f := &fields[i]
		switch {
		case math.IsNaN(f.Value) || math.IsInf(f.Value, 0):
			return b.fault(ReasonBadValue, "field %v is %v", quoted(f.Name), f.Value)
		case len(f.Name) > MaxFieldNameBytes:
			return b.fault(ReasonTooLarge, "field %v has a name of more than %d bytes", quoted(f.Name), MaxFieldNameBytes)
		case !utf8.Valid(f.Name):
			return b.fault(ReasonBadValue, "the name of field %v is no UTF-8", quoted(f.Name))
		case i > 0 && bytes.Equal(fields[i-1].Name, f.Name):
			return b.fault(ReasonDuplicateKey, "field %v is there twice", quoted(f.Name))
		}
	}
	return true
}

// recordTime returns the record's time for a point without its own.
func (b *batch) recordTime() (ms int64, ok bool) {
	if b.time < 0 {
		return 0, b.fault(ReasonBadTime, "neither the point nor its record has a time")
	}
	return b.time, true
}

// quoted is a piece of a record as a Go string literal, which is printable whatever the
// record holds, cut after 64 bytes.
type quoted []byte

// String returns the literal.
func (q quoted) String() string {
	const maxQuoted = 64
	if len(q) > maxQuoted {
		return strconv.Quote(string(q[:maxQuoted])) + "…"
	}
	return strconv.Quote(string(q))
}
