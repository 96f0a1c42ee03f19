package eval

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// minutely returns a series of n events a minute apart.
func minutely(n int, labels ...Range) *Series {
	s := &Series{Name: "test", Fields: []string{""}, Labels: labels}
	for i := range n {
		s.Times = append(s.Times, int64(i)*60_000)
		s.Values = append(s.Values, []float64{float64(i % 7)})
	}
	return s
}

func at(n int, events ...int) []bool {
	set := make([]bool, n)
	for _, i := range events {
		set[i] = true
	}
	return set
}

func TestAlarmsByHand(t *testing.T) {
	s := minutely(100, Range{20, 29}, Range{50, 59}, Range{80, 80})
	// One at 5 alone, one from 18 into the first incident, two in the second, one of two events at 70.
	got := CountAlarms(s, at(100, 5, 18, 19, 20, 53, 57, 70, 71))
	want := Alarms{Incidents: 3, Found: 2, Right: 3, False: 2, Delays: []float64{0, 180}, Weeks: 79.0 / (7 * 24 * 60)}
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-12)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got.Precision() != 0.6 || got.Recall() != 2.0/3 || got.MedianDelay() != 90 {
		t.Errorf("precision %v, recall %v, delay %v", got.Precision(), got.Recall(), got.MedianDelay())
	}
	if math.Abs(got.FalseAWeek()-2*7*24*60/79.0) > 1e-9 {
		t.Errorf("%v false alarms a week", got.FalseAWeek())
	}
	got.Add(CountAlarms(s, at(100)))
	if got.Incidents != 6 || got.Found != 2 || got.Weeks != 2*want.Weeks {
		t.Errorf("two series: %+v", got)
	}
}

func TestOutageAddsNoTimeToFalseAlarms(t *testing.T) {
	s := minutely(100)
	for i := 50; i < 100; i++ {
		s.Times[i] += 3 * 52 * weekMilliseconds
	}
	if a := CountAlarms(s, at(100, 5)); a.Weeks > 0.01 {
		t.Errorf("%v weeks", a.Weeks)
	}
}

func TestNoAlarmsAndNoIncidentsAreNoNumbers(t *testing.T) {
	a := CountAlarms(minutely(100), at(100))
	for name, v := range map[string]float64{"precision": a.Precision(), "recall": a.Recall(), "delay": a.MedianDelay()} {
		if !math.IsNaN(v) {
			t.Errorf("%s is %v", name, v)
		}
	}
	if a.FalseAWeek() != 0 {
		t.Errorf("%v false alarms a week", a.FalseAWeek())
	}
}

func TestSkillByHand(t *testing.T) {
	var k Skill
	f := Forecast{0, 2, 4}
	k.Add([]float64{1, 3, math.NaN(), 5, 2, -1}, []Forecast{NoForecast, f, f, f, f, f})
	if k.N != 4 || k.Inside != 2 {
		t.Errorf("%+v", k)
	}
	// 3 lies above the median, 5 above all, 2 on the median, -1 below all.
	if diff := cmp.Diff([4]float64{0.25, 0.125, 0.375, 0.25}, k.PIT()); diff != "" {
		t.Errorf("PIT (-want +got)\n%s", diff)
	}
	// Pinball losses of 5%, 50%, 95%, times 3: 3: .15+.5+.05; 5: .25+1.5+.95; 2: .1+0+.1; -1: .95+1.5+.25
	// The last value's are 1.5 times the change: 2, 2, 3, 3.
	want := (0.7 + 2.7 + 0.2 + 2.7) / (1.5 * 10)
	if math.Abs(k.Relative()-want) > 1e-12 || k.Coverage() != 0.5 || k.Banded != 4 {
		t.Errorf("relative loss %v, want %v; coverage %v of %d bands", k.Relative(), want, k.Coverage(), k.Banded)
	}
	// Errors of 1, 3, 0 and 3, changes of 2, 2, 3 and 3, a spread of 6.
	if k.ByField() != 2/2.5 || math.Abs(k.MedianError()-2.0/6) > 1e-7 {
		t.Errorf("median error %v, by field %v", k.MedianError(), k.ByField())
	}
}

func TestSkillOfTheLastValueIsOne(t *testing.T) {
	values, forecasts := make([]float64, 50), make([]Forecast, 50)
	for i := range values {
		values[i] = float64(i * i % 11)
		if i > 0 {
			forecasts[i] = Forecast{values[i-1], values[i-1], values[i-1]}
		}
	}
	var k Skill
	k.Add(values, forecasts)
	k.Add(make([]float64, 50), make([]Forecast, 50)) // a field that never changes
	if k.Relative() != 1 || k.N != 98 || k.Scaled != 49 || k.Banded != 0 || k.ByField() != 1 || len(k.Medians) != 1 {
		t.Errorf("%v, by field %v, of %+v", k.Relative(), k.ByField(), k)
	}
}
