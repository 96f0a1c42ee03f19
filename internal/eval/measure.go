package eval

import (
	"fmt"
	"math"
	"time"

	"github.com/weirstream/weir/internal/eval/detector"
)

// A Run is what a detector said of a series, one entry an event. A score above 1 is an
// alarm.
type Run struct {
	Scores []float64
	// Forecasts are (events, fields); nil where the detector makes none.
	Forecasts [][]Forecast
	// Took is how long it was at work.
	Took time.Duration
}

// NewForecastRun returns a run over a series, all scores 0 and without any forecast yet.
func NewForecastRun(s *Series) *Run {
	return &Run{Scores: make([]float64, len(s.Times)), Forecasts: newForecasts(s)}
}

// newForecasts returns (events, fields) without any forecast.
func newForecasts(s *Series) [][]Forecast {
	rows, all := make([][]Forecast, len(s.Times)), make([]Forecast, len(s.Times)*len(s.Fields))
	for i := range all {
		all[i] = NoForecast
	}
	for i := range rows {
		rows[i] = all[i*len(s.Fields) : (i+1)*len(s.Fields)]
	}
	return rows
}

// alarms says of each event whether it raises an alarm.
func (r *Run) alarms() []bool {
	alarms := make([]bool, len(r.Scores))
	for i, score := range r.Scores {
		alarms[i] = score > 1
	}
	return alarms
}

// greatest bounds the values that baselines are given, so that squares stay finite.
const greatest = 1e100

// Baseline runs a baseline over a series, under a budget of false alarms a second.
func Baseline(b detector.Baseline, falseAlarms float64, s *Series) *Run {
	r := &Run{Scores: make([]float64, len(s.Times))}
	began := time.Now()
	d, judge := b.New(len(s.Fields)), detector.NewJudge(falseAlarms)
	row := make([]float64, len(s.Fields))
	for i, t := range s.Times {
		for f, v := range s.Values[i] {
			row[f] = min(max(v, -greatest), greatest)
		}
		r.Scores[i] = judge.Score(t, d(t, row))
	}
	r.Took = time.Since(began)
	return r
}

// PointForecasts adds to a run what a baseline that makes forecasts expected of a series.
func PointForecasts(b detector.Baseline, s *Series, r *Run) {
	if b.Forecast == nil {
		return
	}
	r.Forecasts = newForecasts(s)
	for f := range s.Fields {
		next := b.Forecast()
		for i, t := range s.Times {
			if x := s.Values[i][f]; !math.IsNaN(x) {
				expected := next(t, min(max(x, -greatest), greatest))
				r.Forecasts[i][f] = Forecast{expected, expected, expected}
			}
		}
	}
}

// A SeriesResult is what was measured of one series. The areas and F1 are NaN where there
// are no labels.
type SeriesResult struct {
	Name                     string
	VUSPR, VUSROC, AUCPR, F1 float64
	Alarms                   Alarms
}

// A Result is what was measured of one detector over all series.
type Result struct {
	Detector string
	// NAB holds the sweeps of the Profiles.
	NAB [3]Sweep
	// NABHalves and NABBudget are the standard profile's score with thresholds chosen on
	// the other half of the series, and with the budget's.
	NABHalves, NABBudget float64
	// VUSPR, VUSROC, AUCPR and F1 are means over the series with labels.
	VUSPR, VUSROC, AUCPR, F1 float64
	Alarms                   Alarms
	// Skill is of no values where the detector makes no forecasts.
	Skill Skill
	// ValuesPerSecond is the speed over one series after another on one core.
	ValuesPerSecond float64
	Series          []SeriesResult
}

// A Tally collects the runs of one detector.
type Tally struct {
	result Result
	scored []Scored
	values int
	took   time.Duration
}

// NewTally returns a tally of the detector of the given name.
func NewTally(name string) *Tally { return &Tally{result: Result{Detector: name}} }

// Add measures a run over a series that has passed its Check.
func (t *Tally) Add(s *Series, r *Run) error {
	if len(r.Scores) != len(s.Times) {
		return fmt.Errorf("%s gave %s %d scores for %d events", t.result.Detector, s.Name, len(r.Scores), len(s.Times))
	}
	for i, score := range r.Scores {
		if math.IsNaN(score) {
			return fmt.Errorf("%s gave event %d of %s no score", t.result.Detector, i+1, s.Name)
		}
	}
	one := SeriesResult{Name: s.Name, Alarms: CountAlarms(s, r.alarms())}
	labelled := s.labelled()
	one.VUSPR, one.VUSROC = VUS(r.Scores, s.Labels, Buffer)
	one.AUCPR, one.F1 = AveragePrecision(r.Scores, labelled), BestF1(r.Scores, labelled)
	t.result.Series = append(t.result.Series, one)
	t.scored = append(t.scored, Scored{Labels: s.Labels, Scores: r.Scores})
	t.values += s.present()
	t.took += r.Took
	if r.Forecasts != nil {
		t.addForecasts(s, r.Forecasts)
	}
	return nil
}

// addForecasts measures each field's forecasts.
func (t *Tally) addForecasts(s *Series, forecasts [][]Forecast) {
	values, column := make([]float64, len(s.Times)), make([]Forecast, len(s.Times))
	for f := range s.Fields {
		for i := range values {
			values[i], column[i] = s.Values[i][f], forecasts[i][f]
		}
		t.result.Skill.Add(values, column)
	}
}

// Result sums up.
func (t *Tally) Result() Result {
	r := t.result
	for i, p := range Profiles {
		r.NAB[i] = SweepNAB(t.scored, p)
	}
	r.NABHalves, r.NABBudget = NABHalves(t.scored), NABAt(t.scored, math.Nextafter(1, 2))
	n := 0
	for _, one := range r.Series {
		r.Alarms.Add(one.Alarms)
		if math.IsNaN(one.VUSPR) {
			continue
		}
		n++
		r.VUSPR += one.VUSPR
		r.VUSROC += one.VUSROC
		r.AUCPR += one.AUCPR
		r.F1 += one.F1
	}
	for _, sum := range []*float64{&r.VUSPR, &r.VUSROC, &r.AUCPR, &r.F1} {
		*sum /= float64(n) // NaN where there are no labels at all
	}
	r.ValuesPerSecond = float64(t.values) / t.took.Seconds()
	return r
}
