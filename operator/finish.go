package operator

import (
	"bytes"
	"math"
	"slices"

	"github.com/weirstream/weir/ssm/fmath"
	"github.com/weirstream/weir/statestore"
)

// finish scores an event under its forecast, then lets its stream learn it.
func (o *Operator) finish(p *pending) {
	s, ev := p.stream, p.event
	forecasts := o.forecast(p)
	surprise := combine(o.surprises[:p.nRows])
	pr := Prediction{
		Event: *ev, Forecasts: forecasts, PValue: 1, Phase: o.phase(p), N: s.n + 1, GapSeconds: p.gapSeconds,
	}
	if len(ev.Fields) > 1 || len(ev.Fields[0].Name) > 0 {
		pr.Attribution = o.attribution(p)
	}
	if p.nRows > 0 {
		pr.PValue = s.calibrator.pvalue(surprise, o.model.prior)
	}
	o.decide(&pr, s)
	o.result.Predictions = append(o.result.Predictions, pr)
	o.learn(p, surprise)
}

// forecast fills o.surprises, row by row, and returns the forecasts of the event's
// fields. Of a field without a past nothing is known, not even its scale: its forecast is
// 0 ± 1, which means nothing, and whatever comes is no surprise.
func (o *Operator) forecast(p *pending) []Forecast {
	o.surprises = o.surprises[:0]
	at := len(o.result.forecasts)
	row := p.firstRow
	for i := range p.event.Fields {
		f := p.stream.field(p.event.Fields[i].Name)
		if f == nil || f.normalizer.n == 0 {
			o.result.forecasts = append(o.result.forecasts, Forecast{Lower: -1, Upper: 1})
			continue
		}
		fc, surprise := o.forecastRow(row, f, p.event.Fields[i].Value)
		o.result.forecasts = append(o.result.forecasts, fc)
		o.surprises = append(o.surprises, surprise)
		row++
	}
	return o.result.forecasts[at:len(o.result.forecasts):len(o.result.forecasts)]
}

// forecastRow reads one row's model outputs. Outputs that are no numbers, which only a
// broken model gives, must not stay in the field's state: it begins anew, and the event
// passes for ordinary.
func (o *Operator) forecastRow(row int, f *field, value float64) (Forecast, float64) {
	d, err := newDistribution(o.rows.out[row*nLevels:(row+1)*nLevels], f.normalizer.axis())
	if err != nil {
		clear(f.state)
		return Forecast{YHat: f.normalizer.last, Lower: f.normalizer.last, Upper: f.normalizer.last}, 0
	}
	return d.forecast(), d.surprise(value, o.cfg.Direction)
}

// attribution is each field's share of the event's surprise; fields without a past have
// none.
func (o *Operator) attribution(p *pending) []float64 {
	at := len(o.result.shares)
	if p.nRows == len(p.event.Fields) {
		o.result.shares = attribute(o.result.shares, o.surprises)
		return o.result.shares[at:len(o.result.shares):len(o.result.shares)]
	}
	row := 0
	full := make([]float64, len(p.event.Fields))
	for i := range p.event.Fields {
		if f := p.stream.field(p.event.Fields[i].Name); f != nil && f.normalizer.n > 0 {
			full[i] = o.surprises[row]
			row++
		}
	}
	o.result.shares = attribute(o.result.shares, full)
	return o.result.shares[at:len(o.result.shares):len(o.result.shares)]
}

// phase says how far the event's score can be trusted.
func (o *Operator) phase(p *pending) Phase {
	s := p.stream
	switch {
	case p.late:
		return Late
	case s.lsn != statestore.NoOffset && s.lsn < o.gapAt:
		return Gap
	case s.n < warmEvents:
		return Warming
	}
	return Ready
}

// scoreGrain is the step in which anomaly scores are reported, so that the score and the
// decision that outputs show are the same number.
const scoreGrain = 1e-4

// decide turns the p-value into a score. The threshold is the p-value that a stream of
// this rate reaches as often as the budget allows: typical gap × alarms per second. A
// warming or late event raises no alarm, so its score ends at 1.
func (o *Operator) decide(pr *Prediction, s *stream) {
	threshold := min(max(s.typicalGap()*o.cfg.FalseAlarms, 1e-15), 0.5)
	score := max(fmath.Log(pr.PValue)/fmath.Log(threshold), 0) // of 1 the logarithm is 0, and 0 / -7 is -0
	score = math.Round(score/scoreGrain) * scoreGrain
	// The division above leaves 0.30000000000000004 where 0.3 is meant.
	score = math.Round(score*1e4) / 1e4
	if pr.Phase == Warming || pr.Phase == Late {
		score = min(score, 1)
	}
	pr.AnomalyScore = score
	pr.IsAnomaly = score > 1
}

// learn moves the stream past the event. A late event leaves everything but its offset
// as it was.
func (o *Operator) learn(p *pending, surprise float64) {
	s := p.stream
	s.waiting = false
	s.lsn = p.event.Offset
	if !s.dirty {
		s.dirty = true
		o.dirty = append(o.dirty, s)
	}
	if p.late {
		s.lateRun++
		return
	}
	s.lateRun = 0
	s.time = p.event.Time
	s.n++
	if p.nRows > 0 {
		s.calibrator.observe(surprise)
	}
	for i := range p.event.Fields {
		o.learnField(p, &p.event.Fields[i])
	}
}

// learnField lets one field learn its value; a new field begins with it.
func (o *Operator) learnField(p *pending, v *Field) {
	s := p.stream
	at, ok := s.find(v.Name)
	if !ok {
		s.fields = slices.Insert(s.fields, at, field{name: bytes.Clone(v.Name), state: o.model.ssm.NewState()})
	}
	f := &s.fields[at]
	f.normalizer.observe(v.Value, p.elapsed(f))
	f.time = p.event.Time
}
