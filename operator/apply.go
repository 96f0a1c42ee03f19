package operator

import (
	"fmt"

	"github.com/weirstream/weir/ssm"
)

const (
	// warmEvents is how many events a stream learns before it may raise an alarm.
	warmEvents = 64
	// lateRunLimit is how many late events in a row mean that the stream's clock was set
	// back, or that one event was dated into the future: the clock then starts over.
	lateRunLimit = 16
	// defaultGap stands in for a typical gap that is not yet known, in seconds.
	defaultGap = 60
)

// pending is an event between its rows' preparation and their step.
type pending struct {
	event      *Event
	stream     *stream
	late       bool
	gapSeconds float64 // since the stream's last learnt event
	firstRow   int
	nRows      int // fields with a past
}

// rows are the fields that one step advances, row by row: as many events as fit into
// batchRows, or one event of up to maxFields.
type rows struct {
	n      int
	x      []float32   // (maxFields, nFeatures)
	gap    []float32   // (maxFields), in typical gaps
	out    []float32   // (maxFields, nLevels)
	states []ssm.State // of the row's field, or one of spare
	spare  []ssm.State // copies, for events that must not change their field; nil until used
}

func newRows() rows {
	return rows{
		x: make([]float32, maxFields*nFeatures), gap: make([]float32, maxFields), out: make([]float32, maxFields*nLevels),
		states: make([]ssm.State, maxFields), spare: make([]ssm.State, maxFields),
	}
}

// admit takes one event in: skips it, rejects it, or prepares its step. Rows of other
// streams wait in the same batch; a second event of a stream waits for the first.
func (o *Operator) admit(ev *Event) {
	s := o.cache.live[string(ev.Stream)]
	if s.waiting || o.rows.n > 0 && o.rows.n+len(ev.Fields) > batchRows {
		o.flush()
	}
	if ev.Offset <= s.lsn {
		o.result.Skipped++
		return
	}
	if n := s.missing(ev.Fields); len(s.fields)+n > maxFields {
		o.result.Rejected = append(o.result.Rejected, Rejection{
			Offset: ev.Offset, Reason: "too_many_fields",
			Detail: fmt.Sprintf("stream %.64q would have %d fields, at most %d are kept", ev.Stream, len(s.fields)+n, maxFields),
		})
		return
	}
	o.cache.touch(s)
	p := pending{event: ev, stream: s, firstRow: o.rows.n}
	p.place()
	o.prepare(&p)
	s.waiting = true
	o.pending = append(o.pending, p)
}

// missing counts the event's fields that the stream does not have yet.
func (s *stream) missing(fields []Field) (n int) {
	for i := range fields {
		if _, ok := s.find(fields[i].Name); !ok {
			n++
		}
	}
	return n
}

// place sets the event in the stream's time.
func (p *pending) place() {
	s := p.stream
	if s.n == 0 {
		return
	}
	p.gapSeconds = float64(p.event.Time-s.time) / 1000
	p.late = p.gapSeconds < 0 && int(s.lateRun)+1 < lateRunLimit
}

// elapsed is the time in seconds since the field's last learnt value, at least 0. Where
// the stream's clock starts over, it is taken for the usual.
func (p *pending) elapsed(f *field) float64 {
	if p.gapSeconds < 0 {
		return p.stream.typicalGap()
	}
	return max(float64(p.event.Time-f.time)/1000, 0)
}

// prepare adds a row for each of the event's fields that has a past to forecast from.
func (o *Operator) prepare(p *pending) {
	for i := range p.event.Fields {
		f := p.stream.field(p.event.Fields[i].Name)
		if f == nil || f.normalizer.n == 0 {
			continue
		}
		r := o.rows.n
		o.rows.n++
		p.nRows++
		ratio := f.normalizer.gapRatio(p.elapsed(f))
		f.normalizer.features(o.rows.x[r*nFeatures:(r+1)*nFeatures], ratio)
		o.rows.gap[r] = float32(ratio)
		o.rows.states[r] = f.state
		if p.late {
			o.rows.spare[r] = append(o.rows.spare[r][:0], f.state...)
			o.rows.states[r] = o.rows.spare[r]
		}
	}
}

// flush steps the waiting rows and finishes their events, in the order they came in.
func (o *Operator) flush() {
	if n := o.rows.n; n > 0 {
		o.stepper.Step(o.rows.out[:n*nLevels], o.rows.x[:n*nFeatures], o.rows.gap[:n], o.rows.states[:n])
	}
	for i := range o.pending {
		o.finish(&o.pending[i])
	}
	o.pending = o.pending[:0]
	o.rows.n = 0
}
