package operator

import (
	"math"

	"github.com/weirstream/weir/ssm/fmath"
)

// score holds an event against the forecast that its rows' step has given, and against the
// stream's past.
func (o *Operator) score(p *pending) {
	s, ev := p.stream, p.event
	s.waiting = false
	pr := Prediction{Event: *ev, Forecasts: o.forecast(p), PValue: 1, Phase: p.phase, N: p.n, GapSeconds: p.gapSeconds}
	if len(ev.Fields) > 1 || len(ev.Fields[0].Name) > 0 {
		at := len(o.result.shares)
		o.result.shares = attribute(o.result.shares, o.surprises)
		pr.Attribution = o.result.shares[at:len(o.result.shares):len(o.result.shares)]
	}
	if len(o.signs) > 0 {
		o.decide(&pr, p)
	}
	o.result.Predictions = append(o.result.Predictions, pr)
}

// forecast returns the forecasts of the event's fields. It leaves each field's surprise in
// o.surprises, and in o.signs what fields with a past say. Of a field without one nothing is
// known, not even its scale: its forecast is 0 ± 1, which means nothing, and whatever comes
// is no surprise.
func (o *Operator) forecast(p *pending) []Forecast {
	o.surprises, o.signs = o.surprises[:0], o.signs[:0]
	at := len(o.result.forecasts)
	for i := range p.event.Fields {
		row := o.rows.of[p.firstField+i]
		f, median, surprise := Forecast{Lower: -1, Upper: 1}, 0.0, 0.0
		if row != noRow {
			f, median, surprise = o.forecastRow(row, p.event.Fields[i].Value, !p.late())
		}
		o.result.forecasts = append(o.result.forecasts, f)
		o.surprises = append(o.surprises, surprise)
		o.look(p, i, row, median)
	}
	return o.result.forecasts[at:len(o.result.forecasts):len(o.result.forecasts)]
}

// forecastRow reads one row's model outputs, of which the row's field keeps those of values
// to come where it learns. Outputs that are no numbers, which only a broken model gives,
// must not stay in the field's state: it begins anew, and the event passes for ordinary.
func (o *Operator) forecastRow(row int, value float64, learns bool) (f Forecast, median, surprise float64) {
	a := o.rows.axes[row]
	d, err := newDistribution(o.rows.out[row*nOutputs:(row+1)*nOutputs], a)
	if err != nil {
		clear(o.rows.states[row])
		*o.rows.ahead[row] = foresight{}
		last := a.value(0)
		return Forecast{YHat: last, Lower: last, Upper: last}, last, 0
	}
	ahead, n := o.rows.ahead[row], o.rows.number[row]
	ahead.recall(&d, n)
	if learns {
		ahead.learn(&d, value, n)
	}
	return d.forecast(), d.value(theMedian), d.surprise(value, o.cfg.Direction)
}

// look shows a field's value to its watch. A late event leaves no trace there.
func (o *Operator) look(p *pending, i, row int, forecast float64) {
	v := &p.event.Fields[i]
	f := p.stream.nth(i, v.Name)
	if row == noRow {
		if f != nil && !p.late() {
			f.watch.begin(v.Value, p)
		}
		return
	}
	w := &f.watch
	if p.late() {
		o.spareWatch = *w
		w = &o.spareWatch
	}
	o.signs = append(o.signs, w.see(v.Value, p, o.rows.axes[row], forecast, o.cfg.Direction))
}

const (
	// scoreGrain is the step in which anomaly scores are reported, so that the score and the
	// decision that outputs show are the same number.
	scoreGrain = 1e-4
	// ceiling bounds the score of an event that is no news.
	ceiling = 0.7
)

// decide turns the stream's evidence into a p-value and a score. Alarms may come once in
// 1 / (typical gap × alarms per second) events.
//
// An incident is one alarm: only an event that is rarer than all of late is scored by its
// evidence over that which the stream's peaks exceed as often as alarms may come, and may exceed 1. All else, the further events of an incident included, is scored
// by the extent, which stays high while an incident lasts, below the ceiling. A warming or
// late event raises no alarm, so its score ends at 1.
func (o *Operator) decide(pr *Prediction, p *pending) {
	j := &p.stream.judge
	if p.late() {
		o.spareJudge = *j
		j = &o.spareJudge
	}
	alarms := -fmath.Log(min(max(p.typicalGap*o.cfg.FalseAlarms, 1e-15), 0.5))
	v := j.weigh(o.signs, alarms, o.cfg.Without)
	pr.PValue = v.pvalue
	score := 0.0
	if v.news {
		score = v.reach
	}
	if score < ceiling {
		score = float64(ceiling * (1 - fmath.Exp(fmath.Log(v.extent)/alarms/ceiling)))
	}
	score = max(score, 0) // no -0
	score = math.Round(score/scoreGrain) * scoreGrain
	// The division above leaves 0.30000000000000004 where 0.3 is meant.
	score = math.Round(score*1e4) / 1e4
	if pr.N <= warmEvents || pr.Phase == Late {
		score = min(score, 1)
	}
	pr.AnomalyScore = score
	pr.IsAnomaly = score > 1
}
