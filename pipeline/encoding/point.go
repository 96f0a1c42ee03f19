package encoding

import "github.com/weirstream/weir/operator"

// A Record is one message of a log.
type Record struct {
	// Value is nil for a tombstone.
	Value []byte
	// Time is the record's timestamp in Unix milliseconds, the time of points that have
	// none of their own. Negative where there is none.
	Time    int64
	Headers []Header
}

// A Header is one of a record's headers.
type Header struct {
	Key   string
	Value []byte
}

// A Point is what was observed of one stream at one time.
type Point struct {
	// Index is the point's place in its record, counted from 0 over good and bad points
	// alike: it stays the same whatever a later version makes of the points before it.
	Index  int
	Stream []byte
	// Time is the point's time in Unix milliseconds; finer times are cut off towards the
	// past.
	Time int64
	// Fields are at least one finite number, sorted by name, no name twice. A point with a
	// single number has one field with an empty name.
	Fields []operator.Field
	// Kind says what the numbers have counted.
	Kind Kind
	// Monotonic says that the numbers of a Delta or Cumulative point only count upwards: a
	// smaller Cumulative one means that the counting began anew.
	Monotonic bool
	// Start is when a Delta or Cumulative point's counting began, in Unix milliseconds; 0
	// where the record does not say. A later Start than the last point's means that the
	// counting began anew.
	Start int64
}

// A Kind says what a point's number stands for. Decoders keep no state, so that a
// Cumulative number comes as it is; its rate is the difference to the stream's last
// number, which whoever keeps the stream's state can take.
//
// Of a histogram or a summary, the kind is that of its field "count". Its "mean" and
// its percentiles are of everything counted since Start; the mean of what came since the
// last point is the difference of count·mean over that of count.
type Kind uint8

const (
	// Instant numbers are as observed, or of a kind that the record does not tell.
	Instant Kind = iota
	// Delta numbers count from Start to Time.
	Delta
	// Cumulative numbers count since Start, which stays the same from point to point.
	Cumulative
)

// String returns the kind in lower case.
func (k Kind) String() string {
	return [...]string{"instant", "delta", "cumulative"}[k]
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

// WholeRecord is the Point of a Fault that leaves no point of its record.
const WholeRecord = -1

// Error returns reason and detail in one line.
func (f *Fault) Error() string { return f.Reason + ": " + f.Detail }

// The reasons of faults. All but ReasonMalformed are also those of package pipeline.
const (
	// ReasonTombstone: the record has no value at all.
	ReasonTombstone = "tombstone"
	// ReasonEmptyValue: the record's value has no bytes.
	ReasonEmptyValue = "empty_value"
	// ReasonNotJSON: the value is not the JSON that its encoding asks for.
	ReasonNotJSON = "not_json"
	// ReasonMalformed: bytes that should be protobuf, snappy or line protocol are not.
	ReasonMalformed = "malformed"
	// ReasonNoStream: the point has no name.
	ReasonNoStream = "no_stream"
	// ReasonBadStream: the stream's name is no UTF-8, or what makes it up is no text.
	ReasonBadStream = "bad_stream"
	// ReasonNoValue: the point holds no number.
	ReasonNoValue = "no_value"
	// ReasonBadValue: a number is not finite or out of range, or contradicts another one.
	ReasonBadValue = "bad_value"
	// ReasonBadTime: the time is no time, or outside of the years 1 to 9999.
	ReasonBadTime = "bad_time"
	// ReasonDuplicateKey: a tag, an attribute, a label or a field is there twice.
	ReasonDuplicateKey = "duplicate_key"
	// ReasonTooLarge: something is beyond its limit.
	ReasonTooLarge = "too_large"
)

// Limits of one point, the same as those of package pipeline.
const (
	MaxStreamBytes    = 1024
	MaxFields         = 256
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

// The first and the last millisecond of the years 1 to 9999, in Unix milliseconds.
const (
	minTime = -62135596800000
	maxTime = 253402300799999
)
