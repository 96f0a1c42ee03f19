package operator

import (
	"math"

	"github.com/weirstream/weir/ssm/fmath"
)

// score holds an event against the forecast that its rows' step has given.
func (o *Operator) score(p *pending) {
	s, ev := p.stream, p.event
	s.waiting = false
	forecasts := o.forecast(p)
	surprise := combine(o.known)
	pr := Prediction{Event: *ev, Forecasts: forecasts, PValue: 1, Phase: p.phase, N: p.n, GapSeconds: p.gapSeconds}
	if len(ev.Fields) > 1 || len(ev.Fields[0].Name) > 0 {
		at := len(o.result.shares)
		o.result.shares = attribute(o.result.shares, o.surprises)
		pr.Attribution = o.result.shares[at:len(o.result.shares):len(o.result.shares)]
	}
	if len(o.known) > 0 {
		pr.PValue = s.calibrator.pvalue(surprise, o.model.prior)
		if !p.late() {
			s.calibrator.observe(surprise)
		}
	}
	o.decide(&pr, p.typicalGap)
	o.result.Predictions = append(o.result.Predictions, pr)
}

// forecast returns the forecasts of the event's fields. It leaves each field's surprise in
// o.surprises, and in o.known those of fields with a past. Of a field without one nothing is known, not even its scale: its forecast
// is 0 ± 1, which means nothing, and whatever comes is no surprise.
func (o *Operator) forecast(p *pending) []Forecast {
	o.surprises, o.known = o.surprises[:0], o.known[:0]
	at := len(o.result.forecasts)
	for i := range p.event.Fields {
		row := o.rows.of[p.firstField+i]
		if row == noRow {
			o.result.forecasts = append(o.result.forecasts, Forecast{Lower: -1, Upper: 1})
			o.surprises = append(o.surprises, 0)
			continue
		}
		f, surprise := o.forecastRow(row, p.event.Fields[i].Value, !p.late())
		o.result.forecasts = append(o.result.forecasts, f)
		o.surprises = append(o.surprises, surprise)
		o.known = append(o.known, surprise)
	}
	return o.result.forecasts[at:len(o.result.forecasts):len(o.result.forecasts)]
}

// forecastRow reads one row's model outputs, of which the row's field keeps those of values
// to come where it learns. Outputs that are no numbers, which only a broken model gives,
// must not stay in the field's state: it begins anew, and the event passes for ordinary.
func (o *Operator) forecastRow(row int, value float64, learns bool) (Forecast, float64) {
	a := o.rows.axes[row]
	d, err := newDistribution(o.rows.out[row*nOutputs:(row+1)*nOutputs], a)
	if err != nil {
		clear(o.rows.states[row])
		*o.rows.ahead[row] = foresight{}
		last := a.value(0)
		return Forecast{YHat: last, Lower: last, Upper: last}, 0
	}
	f, n := o.rows.ahead[row], o.rows.number[row]
	f.recall(&d, n)
	if learns {
		f.learn(&d, value, n)
	}
	return d.forecast(), d.surprise(value, o.cfg.Direction)
}

// scoreGrain is the step in which anomaly scores are reported, so that the score and the
// decision that outputs show are the same number.
const scoreGrain = 1e-4

// decide turns the p-value into a score. The threshold is the p-value that a stream of
// this rate reaches as often as the budget allows: typical gap × alarms per second. A
// warming or late event raises no alarm, so its score ends at 1.
func (o *Operator) decide(pr *Prediction, typicalGap float64) {
	threshold := min(max(typicalGap*o.cfg.FalseAlarms, 1e-15), 0.5)
	score := max(fmath.Log(pr.PValue)/fmath.Log(threshold), 0) // of 1 the logarithm is 0, and 0 / -7 is -0
	score = math.Round(score/scoreGrain) * scoreGrain
	// The division above leaves 0.30000000000000004 where 0.3 is meant.
	score = math.Round(score*1e4) / 1e4
	if pr.N <= warmEvents || pr.Phase == Late {
		score = min(score, 1)
	}
	pr.AnomalyScore = score
	pr.IsAnomaly = score > 1
}
