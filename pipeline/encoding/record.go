package encoding

import (
	"bytes"
	"fmt"

	"github.com/weirstream/weir/operator"
)

// A Record is one message of a log.
type Record struct {
	// Key names the stream of an event in JSON that does not name it itself.
	Key []byte
	// Value is nil for a tombstone.
	Value []byte
	// Time is the record's timestamp in Unix milliseconds, the time of events that have
	// none of their own. Negative where there is none.
	Time    int64
	Headers []Header
}

// A Header is one of a record's headers.
type Header struct {
	Key   string
	Value []byte
}

// counting is what a record says of how its numbers have come about.
type counting struct {
	// cumulative numbers have counted since start, delta numbers from start to their
	// time; other numbers are as observed.
	cumulative, delta bool
	start             int64 // Unix ms; 0 where the record does not say
}

// counted makes of a point's numbers what an event holds: a count becomes a rate. What has
// been counted from start to time becomes a rate here. What has been counted since start is
// marked, and becomes one where the stream's last count is known, in the operator.
func (c counting) counted(ev *operator.Event) {
	seconds := (float64(ev.Time) - float64(c.start)) / 1000
	for i := range ev.Fields {
		f := &ev.Fields[i]
		isCount := len(f.Name) == 0 || bytes.Equal(f.Name, fieldCount)
		switch {
		case c.cumulative && isCount:
			f.Kind = operator.Cumulative
		case c.cumulative && bytes.Equal(f.Name, fieldMean):
			f.Kind = operator.CumulativeMean
		case c.delta && isCount && c.start != 0 && seconds > 0:
			f.Value /= seconds
		}
	}
	if c.cumulative {
		ev.Start = c.start
	}
}

// A Fault says why a point, or a whole record, cannot be used.
type Fault struct {
	// Point is the point's Index, or WholeRecord.
	Point int
	// Reason is the kind of fault, a word of the fixed vocabulary.
	Reason string
	// Detail is for people. It quotes at most 64 bytes of the record.
	Detail string
}

// faultf returns a fault of a whole record.
func faultf(reason, format string, args ...any) *Fault {
	return &Fault{WholeRecord, reason, fmt.Sprintf(format, args...)}
}

// WholeRecord is the Point of a Fault that leaves no point of its record.
const WholeRecord = -1

// Error returns reason and detail in one line.
func (f *Fault) Error() string { return f.Reason + ": " + f.Detail }

// The reasons why a record, or a part of it, cannot be used: a small fixed vocabulary,
// which labels a metric and can be searched for in a dead-letter topic. Where an event in
// JSON has several faults, the first one is named, but ReasonNotJSON and too deep a nesting
// come before all others: what a text means is only asked once it is known to be one.
const (
	// ReasonTombstone: the record has no value at all.
	ReasonTombstone = "tombstone"
	// ReasonEmptyValue: the record's value has no bytes.
	ReasonEmptyValue = "empty_value"
	// ReasonNotJSON: the value breaks RFC 8259, including invalid UTF-8 and lone
	// surrogates, or is not the JSON that its encoding asks for.
	ReasonNotJSON = "not_json"
	// ReasonNotObject: the value is JSON, but no object.
	ReasonNotObject = "not_object"
	// ReasonMalformed: bytes that should be protobuf, snappy or line protocol are not.
	ReasonMalformed = "malformed"
	// ReasonUnknownSchema: the registry has no such schema, or none that can be read.
	ReasonUnknownSchema = "unknown_schema"
	// ReasonNoStream: the point has no name.
	ReasonNoStream = "no_stream"
	// ReasonBadStream: the stream's name is no UTF-8, or what makes it up is no text.
	ReasonBadStream = "bad_stream"
	// ReasonNoValue: the point holds no number.
	ReasonNoValue = "no_value"
	// ReasonBadValue: a value is of the wrong kind, is not finite or out of range, or
	// contradicts another one.
	ReasonBadValue = "bad_value"
	// ReasonBadTime: the time is no time, or outside of the years 1 to 9999.
	ReasonBadTime = "bad_time"
	// ReasonDuplicateKey: a tag, an attribute, a label or a field is there twice.
	ReasonDuplicateKey = "duplicate_key"
	// ReasonTooLarge: something is beyond its limit.
	ReasonTooLarge = "too_large"
)

// Limits of one event, whatever its encoding.
const (
	// MaxStreamBytes is the greatest length of a stream's name.
	MaxStreamBytes = 1024
	// MaxFields is the greatest number of fields.
	MaxFields = 256
	// MaxFieldNameBytes is the greatest length of a field's name.
	MaxFieldNameBytes = 1024
)

// Limits of one record.
const (
	// MaxPoints is the greatest number of points, good and bad. Those beyond it are one
	// Fault.
	MaxPoints = 100_000
	// MaxNameBytes is how long the names of a record's streams and fields may be together,
	// where they are not parts of the record itself. It bounds what a few bytes of shared
	// attributes, repeated for each point, can grow to.
	MaxNameBytes = 32 << 20
	// MaxValueBytes is the greatest size of a value, once uncompressed.
	MaxValueBytes = 32 << 20
)

// IsReason reports whether a reason is one of a decoder's.
func IsReason(reason string) bool {
	switch reason {
	case ReasonTombstone, ReasonEmptyValue, ReasonNotJSON, ReasonNotObject, ReasonMalformed, ReasonUnknownSchema, ReasonNoStream, ReasonBadStream,
		ReasonNoValue, ReasonBadValue, ReasonBadTime, ReasonDuplicateKey, ReasonTooLarge:
		return true
	}
	return false
}
