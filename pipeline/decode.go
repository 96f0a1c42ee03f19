package pipeline

import "strconv"

// The reasons why a record cannot be used: a small fixed vocabulary, which labels
// a metric and can be searched for in a dead-letter topic. Where a record has
// several faults, the first one is named, but ReasonNotJSON and too deep a nesting
// come before all others: what a text means is only asked once it is known to be one.
const (
	// ReasonTombstone: the record has no value at all.
	ReasonTombstone = "tombstone"
	// ReasonEmptyValue: the record's value has no bytes.
	ReasonEmptyValue = "empty_value"
	// ReasonNotJSON: the value breaks RFC 8259, including invalid UTF-8 and lone
	// surrogates.
	ReasonNotJSON = "not_json"
	// ReasonNotObject: the value is JSON, but no object.
	ReasonNotObject = "not_object"
	// ReasonNoStream: neither the value nor the record's key names a stream.
	ReasonNoStream = "no_stream"
	// ReasonBadStream: the stream is no string.
	ReasonBadStream = "bad_stream"
	// ReasonNoValue: the record holds no number.
	ReasonNoValue = "no_value"
	// ReasonBadValue: a value is of the wrong kind, is not finite, or contradicts
	// another one.
	ReasonBadValue = "bad_value"
	// ReasonBadTime: the time is no time, or outside of the years 1 to 9999.
	ReasonBadTime = "bad_time"
	// ReasonDuplicateKey: a member that Weir reads, or a field, is there twice.
	ReasonDuplicateKey = "duplicate_key"
	// ReasonTooLarge: the record, its stream's name, a field's name, the number of
	// fields or the nesting is beyond its limit.
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

// A DecodeError says why a record cannot be used as an event. The record is at
// fault, not the process: it belongs to the dead-letter topic.
type DecodeError struct {
	// Reason is the kind of fault, a word of the fixed vocabulary.
	Reason string
	// Detail is for people. It quotes at most 64 bytes of the record.
	Detail string
}

// Error returns reason and detail in one line.
func (e *DecodeError) Error() string {
	return e.Reason + ": " + e.Detail
}

// quoted is a piece of a record as a Go string literal, which is printable
// whatever the record holds, cut after 64 bytes.
type quoted []byte

// String returns the literal.
func (q quoted) String() string {
	const maxQuoted = 64
	if len(q) > maxQuoted {
		return strconv.Quote(string(q[:maxQuoted])) + "…"
	}
	return strconv.Quote(string(q))
}
