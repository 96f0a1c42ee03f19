package operator

import (
	"fmt"

	"github.com/weirstream/weir/ssm"
	"github.com/weirstream/weir/statestore"
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

// pending is an event that its stream has learnt, up to what needs the model: its score.
type pending struct {
	event      *Event
	stream     *stream
	phase      Phase
	n          int64   // the event's number in its stream, from 1
	gapSeconds float64 // since the stream's last learnt event
	typicalGap float64 // the stream's, before this event
	firstField int     // of its fields in rows.of
}

// late says that the event is older than its stream's last one.
func (p *pending) late() bool { return p.phase == Late }

// rows are the fields that one step advances, row by row: as many events as fit into
// batchRows, or one event of up to maxFields. Events of one stream are rows of the same
// state, the earlier first.
type rows struct {
	n      int
	x      []float32 // (maxFields, nFeatures)
	gap    []float32 // (maxFields), in typical gaps
	out    []float32 // (maxFields, nOutputs)
	axes   []axis    // what the row's forecast is measured on
	number []uint64  // which of its field's values the row forecasts, the first being 0
	ahead  []*foresight
	states []ssm.State // of the row's field, or one of spare
	spare  []ssm.State // copies, for events that must not change their field; nil until used
	of     []int       // for each field of each pending event its row; noRow without a past
}

// noRow is the row of a field without a past to forecast from.
const noRow = -1

func newRows() rows {
	return rows{
		x: make([]float32, maxFields*nFeatures), gap: make([]float32, maxFields), out: make([]float32, maxFields*nOutputs),
		axes: make([]axis, maxFields), number: make([]uint64, maxFields), ahead: make([]*foresight, maxFields), states: make([]ssm.State, maxFields), spare: make([]ssm.State, maxFields),
	}
}

// admit takes one event in: skips it, rejects it, or lets its stream learn it and queues
// its score. What a stream learns does not depend on what the model says, so many events,
// of one stream or of many, are stepped together, to the bits of one by one.
func (o *Operator) admit(ev *Event) {
	s := o.cache.live[string(ev.Stream)]
	if ev.Offset < s.lsn || ev.Offset == s.lsn && ev.Index <= s.index {
		o.result.Skipped++
		return
	}
	if o.idle(s, ev) {
		o.flush() // what waits of its events belongs to what is forgotten
		before := s.size()
		s.forget()
		o.cache.further += s.size() - before
	}
	if n := s.missing(ev.Fields); len(s.fields)+n > maxFields {
		o.reject(ev, "too_many_fields", fmt.Sprintf("stream %.64q would have %d fields, at most %d are kept", ev.Stream, len(s.fields)+n, maxFields))
		return
	}
	o.cache.touch(s)
	p := o.place(s, ev)
	if ev.counts() && !o.count(&p) {
		return
	}
	// A late event is stepped on a copy of the state that its stream has come to.
	if p.late() && s.waiting || o.rows.n > 0 && o.rows.n+len(ev.Fields) > batchRows {
		o.flush()
	}
	o.prepare(&p)
	s.waiting = true
	o.pending = append(o.pending, p)
	o.learn(&p)
}

// idle reports whether the stream was without events for so long that it begins anew.
func (o *Operator) idle(s *stream, ev *Event) bool {
	return o.cfg.IdleTTL > 0 && s.logged > 0 && ev.Logged-s.logged > o.cfg.IdleTTL.Milliseconds()
}

// reject notes an event that its stream cannot take.
func (o *Operator) reject(ev *Event, reason, detail string) {
	o.result.Rejected = append(o.result.Rejected, Rejection{Offset: ev.Offset, Index: ev.Index, Reason: reason, Detail: detail})
}

// count turns the event's counts into rates. It returns false where nothing is left to
// score: before a second count there is no rate, and a late count says nothing of the time
// that has been counted since.
func (o *Operator) count(p *pending) bool {
	s, ev := p.stream, p.event
	if p.late() {
		o.reject(ev, "late_count", fmt.Sprintf("stream %.64q has counted on since %d ms", ev.Stream, ev.Time))
		o.pass(p)
		return false
	}
	before := s.size()
	s.rates(ev, o.model)
	o.cache.further += s.size() - before
	if len(ev.Fields) == 0 {
		o.pass(p)
		return false
	}
	return true
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

// place sets the event in its stream's time.
func (o *Operator) place(s *stream, ev *Event) pending {
	p := pending{event: ev, stream: s, n: s.n + 1, typicalGap: s.typicalGap(), phase: Ready}
	if s.n > 0 {
		p.gapSeconds = float64(ev.Time-s.time) / 1000
	}
	switch {
	case p.gapSeconds < 0 && int(s.lateRun)+1 < lateRunLimit:
		p.phase = Late
	case s.cut, s.lsn != statestore.NoOffset && s.lsn < o.gapAt:
		p.phase = Gap
	case s.n < warmEvents:
		p.phase = Warming
	}
	return p
}

// elapsed is the time in seconds since the field's last learnt value, at least 0. Where
// the stream's clock starts over, it is taken for the usual.
func (p *pending) elapsed(f *field) float64 {
	if p.gapSeconds < 0 {
		return p.typicalGap
	}
	return max(float64(p.event.Time-f.time)/1000, 0)
}

// prepare adds a row for each of the event's fields that has a past to forecast from.
func (o *Operator) prepare(p *pending) {
	p.firstField = len(o.rows.of)
	for i := range p.event.Fields {
		f := p.stream.field(p.event.Fields[i].Name)
		if f == nil || f.normalizer.n == 0 {
			o.rows.of = append(o.rows.of, noRow)
			continue
		}
		r := o.rows.n
		o.rows.n++
		o.rows.of = append(o.rows.of, r)
		ratio := f.normalizer.gapRatio(p.elapsed(f))
		f.normalizer.features(o.rows.x[r*nFeatures:(r+1)*nFeatures], ratio)
		o.rows.gap[r] = float32(ratio)
		o.rows.axes[r] = f.normalizer.axis()
		o.rows.number[r], o.rows.ahead[r] = f.normalizer.n, f.foresight
		o.rows.states[r] = f.state
		if p.late() {
			o.rows.spare[r] = append(o.rows.spare[r][:0], f.state...)
			o.rows.states[r] = o.rows.spare[r]
		}
	}
}

// learn moves the stream past the event. A late event leaves everything but its offset
// as it was.
func (o *Operator) learn(p *pending) {
	s := p.stream
	o.pass(p)
	if p.late() {
		return
	}
	s.time = p.event.Time
	s.n++
	before := s.size()
	for i := range p.event.Fields {
		p.learnField(&p.event.Fields[i], o.model)
	}
	o.cache.further += s.size() - before
}

// pass notes that the stream has processed the event.
func (o *Operator) pass(p *pending) {
	s := p.stream
	s.lsn, s.index = p.event.Offset, p.event.Index
	s.logged = max(s.logged, p.event.Logged)
	s.cut = false
	if !s.dirty {
		s.dirty = true
		o.dirty = append(o.dirty, s)
	}
	if p.late() {
		s.lateRun++
	} else {
		s.lateRun = 0
	}
}

// learnField lets one field learn its value; a new field begins with it.
func (p *pending) learnField(v *Field, m *Model) {
	f := p.stream.grow(v.Name, m)
	f.normalizer.observe(v.Value, p.elapsed(f))
	f.time = p.event.Time
}

// flush steps the waiting rows and scores their events, in the order they came in.
func (o *Operator) flush() {
	if n := o.rows.n; n > 0 {
		o.stepper.Step(o.rows.out[:n*nOutputs], o.rows.x[:n*nFeatures], o.rows.gap[:n], o.rows.states[:n])
	}
	for i := range o.pending {
		o.score(&o.pending[i])
	}
	o.pending = o.pending[:0]
	o.rows.n = 0
	o.rows.of = o.rows.of[:0]
}
