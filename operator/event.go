package operator

// An Event is one decoded observation of one stream.
//
// Its byte slices may alias the record it was decoded from; they are valid until
// the next call of whoever made the event.
type Event struct {
	// Stream is the key whose state the event advances.
	Stream []byte
	// Offset is the event's place in its partition's log (its line number where
	// the log is a file). Offsets of a partition ascend, with gaps allowed.
	Offset int64
	// Index is the event's place in a record that holds many, from 0; WholeRecord where
	// the record is the event. Indices of a record ascend.
	Index int
	// Time is the event time in Unix milliseconds.
	Time int64
	// Logged is the log's clock at the event's record in Unix milliseconds, by which idle
	// streams are known; not positive where the log has none.
	Logged int64
	// Start is when the counting of Cumulative fields began, in Unix milliseconds; 0 where
	// that is not known.
	Start int64
	// Fields are the observed values, at least one, sorted by name. A plain
	// "value" is the one field with an empty name.
	Fields []Field
}

// WholeRecord is the Index of an event that is all that its record holds.
const WholeRecord = -1

// A Field is one finite number of an Event.
type Field struct {
	Name  []byte
	Value float64
	Kind  Kind
}

// A Kind says what a field's number stands for.
type Kind uint8

const (
	// Instant numbers are what was observed.
	Instant Kind = iota
	// Cumulative numbers have counted upwards since the event's Start. What is scored
	// is its rate a second since the stream's last count.
	Cumulative
	// CumulativeMean numbers are averages over all that the event's Cumulative field
	// has counted since Start. What is scored is the average over what has come since the
	// stream's last count.
	CumulativeMean
)

// Phase says how far an Event's prediction can be trusted.
type Phase uint8

// The phases, in the words of the output's "state".
const (
	// Warming: the stream is too young for an alarm.
	Warming Phase = iota
	// Ready: the stream's own past calibrates its scores.
	Ready
	// Late: the event is older than the stream's last one; scored, not learnt.
	Late
	// Gap: events before this one are known to be missing from the log.
	Gap
)

// String returns the phase in the words of the output's "state".
func (p Phase) String() string {
	return [...]string{"warming", "ready", "late", "gap"}[p]
}

// A Prediction is what the operator says of one Event. Forecast and score were
// computed before the event changed the stream's state.
type Prediction struct {
	Event
	// Forecasts holds the forecast of each of the event's fields, in their order.
	Forecasts []Forecast
	// Attribution is each field's share of the surprise, in their order; it sums
	// to 1, and is empty for an event with one unnamed field.
	Attribution []float64
	// PValue is the calibrated probability, under the stream's own past, of an
	// event at least this surprising. 0 < PValue <= 1.
	PValue float64
	// AnomalyScore is above 1 exactly where IsAnomaly holds. Of an event rarer than those
	// of late it is log(PValue) over the log of the alarm threshold; else it says how much
	// the event is part of an incident, and is below 1.
	AnomalyScore float64
	IsAnomaly    bool
	Phase        Phase
	// N is the number of events of the stream before this one was learnt, plus one.
	N int64
	// GapSeconds is the time since the stream's previous event; 0 for the first,
	// negative for a late one.
	GapSeconds float64
}

// A Forecast is one field's value as expected before it was seen: the best point
// forecast and the bounds of its central 90% band. All three are finite, Lower <= YHat <= Upper.
type Forecast struct {
	YHat, Lower, Upper float64
}
