package operator

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/weirstream/weir/operator/operatortest"
	"github.com/weirstream/weir/statestore"
)

var testPartition = statestore.Partition{Group: "weir", Topic: "events", Number: 3}

// testConfig has a budget that random models' scores exceed now and then.
var testConfig = Config{FalseAlarms: 1.0 / 3600, MaxStreams: 1000}

// start is the event time, in Unix milliseconds, of the tests' first events.
const start int64 = 1_780_000_000_000

func tinyModel(tb testing.TB, seed uint64) *Model {
	tb.Helper()
	m, err := LoadModel(operatortest.Tiny(tb, seed), "tiny")
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// open claims the test partition for a new operator and returns it with the cursor.
func open(tb testing.TB, m *Model, store statestore.Store, generation int64, cfg Config) (*Operator, int64) {
	tb.Helper()
	o := New(m, store, testPartition, statestore.Token{Generation: generation}, cfg)
	meta, err := o.Claim(tb.Context(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	return o, meta.Cursor
}

// apply processes events and fails where the store does.
func apply(tb testing.TB, o *Operator, events ...Event) Result {
	tb.Helper()
	r, err := o.Apply(tb.Context(), events)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// checkpoint saves everything and moves the cursor behind the given event.
func checkpoint(tb testing.TB, o *Operator, last int64) {
	tb.Helper()
	if _, err := o.Checkpoint(tb.Context(), last+1, uint64(last)); err != nil {
		tb.Fatal(err)
	}
}

// plain is an event of one unnamed field, t seconds after start.
func plain(stream string, offset int64, t, value float64) Event {
	return Event{Stream: []byte(stream), Offset: offset, Time: start + int64(1000*t), Fields: []Field{{Value: value}}}
}

// named is an event whose fields are named by letters, in order, with values that
// depend on the name and the offset.
func named(stream string, offset int64, t float64, letters string) Event {
	ev := Event{Stream: []byte(stream), Offset: offset, Time: start + int64(1000*t)}
	for _, c := range []byte(letters) {
		ev.Fields = append(ev.Fields, Field{Name: []byte{c}, Value: wave(offset + int64(c))})
	}
	return ev
}

// wide is an event of n fields, the first of them numbered from.
func wide(stream string, offset int64, t float64, from, n int) Event {
	ev := Event{Stream: []byte(stream), Offset: offset, Time: start + int64(1000*t)}
	for i := from; i < from+n; i++ {
		ev.Fields = append(ev.Fields, Field{Name: fmt.Appendf(nil, "f%03d", i), Value: wave(offset * int64(i+1))})
	}
	return ev
}

// wave is a number that looks like telemetry: a slow wave with a spike now and then.
func wave(i int64) float64 {
	v := 10 + 3*math.Sin(float64(i)/9) + float64(i*i%7)/7
	if i%53 == 0 {
		v += 400
	}
	return v
}

// minutely are n events of one stream, one a minute, with offsets from first on.
func minutely(stream string, first int64, n int) []Event {
	events := make([]Event, n)
	for i := range events {
		at := first + int64(i)
		events[i] = plain(stream, at, 60*float64(at), wave(at))
	}
	return events
}

// randomLog is a log of n events of a few streams: plain ones and such whose fields come
// and go, late ones, some from the far future, with offsets left out.
func randomLog(rng *rand.Rand, n int) []Event {
	events := make([]Event, 0, n)
	offset, t := int64(rng.IntN(100)), 0.0
	for range n {
		offset += 1 + int64(rng.IntN(3))
		t += 20 * rng.ExpFloat64()
		at := t
		switch rng.IntN(40) {
		case 0:
			at += 1e9
		case 1, 2, 3:
			at -= 400 * rng.Float64()
		}
		switch s := rng.IntN(6); s {
		case 0:
			fields := []string{"a", "ab", "b", "bcd", "abcdefgh"}
			events = append(events, named("named", offset, at, fields[rng.IntN(len(fields))]))
		case 1:
			events = append(events, wide("wide", offset, at, rng.IntN(3), 1+rng.IntN(90)))
		default:
			events = append(events, plain(fmt.Sprintf("host-%d", s), offset, at, wave(offset)*math.Pow(10, float64(s))))
		}
	}
	return events
}

// bits spells a prediction out, down to the last bit of its numbers.
func bits(p *Prediction) string {
	s := fmt.Sprintf("%s at %d %d:", p.Stream, p.Offset, p.Time)
	for _, f := range p.Fields {
		s += fmt.Sprintf(" %s=%x", f.Name, math.Float64bits(f.Value))
	}
	for _, f := range p.Forecasts {
		s += fmt.Sprintf(" [%x %x %x]", math.Float64bits(f.Lower), math.Float64bits(f.YHat), math.Float64bits(f.Upper))
	}
	for _, a := range p.Attribution {
		s += fmt.Sprintf(" %x", math.Float64bits(a))
	}
	return s + fmt.Sprintf(" p %x score %x %v %s n %d gap %x", math.Float64bits(p.PValue),
		math.Float64bits(p.AnomalyScore), p.IsAnomaly, p.Phase, p.N, math.Float64bits(p.GapSeconds))
}

// bitsOf spells all of a result's predictions out.
func bitsOf(r Result) []string {
	all := make([]string, len(r.Predictions))
	for i := range r.Predictions {
		all[i] = bits(&r.Predictions[i])
	}
	return all
}

// play applies events in batches of the given size and spells the predictions out.
func play(tb testing.TB, o *Operator, events []Event, size int) []string {
	tb.Helper()
	var all []string
	for batch := range slices.Chunk(events, size) {
		all = append(all, bitsOf(apply(tb, o, batch...))...)
	}
	return all
}

// records returns what the store holds of the events' streams, by name: the offset and
// the bytes.
func records(tb testing.TB, store statestore.Store, events []Event) map[string]string {
	tb.Helper()
	var keys []string
	for i := range events {
		keys = append(keys, string(events[i].Stream))
	}
	slices.Sort(keys)
	snaps, err := store.Load(tb.Context(), testPartition, slices.Compact(keys))
	if err != nil {
		tb.Fatal(err)
	}
	byKey := make(map[string]string, len(snaps))
	for _, s := range snaps {
		byKey[s.Key] = fmt.Sprintf("as of %d: %x", s.Offset, s.State)
	}
	return byKey
}

// record is one stream's bytes in the operator's memory.
func (o *Operator) record(stream string) []byte {
	return o.cache.live[stream].appendBinary(nil, o.model.lineage)
}
