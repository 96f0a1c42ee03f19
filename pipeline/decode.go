package pipeline

import "strconv"

// A Reason says in one word why a record cannot be used. The vocabulary is small
// and fixed, so a Reason can label a metric and be searched for in a dead-letter
// topic.
type Reason string

// The reasons. Where a record has several faults, the first of them is named,
// but NotJSON and TooLarge (nesting) come before all others: what a text means is
// only asked once it is known to be one.
const (
	// Tombstone: the record has no value at all.
	Tombstone Reason = "tombstone"
	// EmptyValue: the record's value has no bytes.
	EmptyValue Reason = "empty_value"
	// NotJSON: the value breaks RFC 8259, including invalid UTF-8 and lone
	// surrogates.
	NotJSON Reason = "not_json"
	// NotObject: the value is JSON, but no object.
	NotObject Reason = "not_object"
	// NoStream: neither the value nor the record's key names a stream.
	NoStream Reason = "no_stream"
	// BadStream: the stream is no string.
	BadStream Reason = "bad_stream"
	// NoValue: the record holds no number.
	NoValue Reason = "no_value"
	// BadValue: a value is of the wrong kind, is not finite, or contradicts
	// another one.
	BadValue Reason = "bad_value"
	// BadTime: the time is no time, or outside of the years 1 to 9999.
	BadTime Reason = "bad_time"
	// DuplicateKey: a member Weir reads, or a field, is there twice.
	DuplicateKey Reason = "duplicate_key"
	// TooLarge: the stream's name, a field's name, the number of fields or the
	// nesting is beyond its limit.
	TooLarge Reason = "too_large"
)

// Reasons returns the whole vocabulary.
func Reasons() []Reason {
	return []Reason{
		Tombstone, EmptyValue, NotJSON, NotObject, NoStream, BadStream,
		NoValue, BadValue, BadTime, DuplicateKey, TooLarge,
	}
}

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
	// Reason is the kind of fault.
	Reason Reason
	// Detail is for people. It quotes at most 64 bytes of the record.
	Detail string
}

// Error returns reason and detail in one line.
func (e *DecodeError) Error() string {
	return string(e.Reason) + ": " + e.Detail
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
