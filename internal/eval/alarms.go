package eval

import (
	"math"
	"slices"
)

// Alarms says what one would have seen of a series with alarms at the threshold that
// follows from the budget. Consecutive events with an alarm are one.
type Alarms struct {
	// Incidents is the number of labels, Found of those with an alarm inside.
	Incidents, Found int
	// Right and False count alarms that overlap a label, and those that do not.
	Right, False int
	// Delays are, of each incident found, the seconds from its first event to its
	// first alarm.
	Delays []float64
	// Weeks is the time outside of labels: its events times the median gap, so that
	// an outage of a year adds nothing.
	Weeks float64
}

const weekMilliseconds = 7 * 24 * 3600 * 1000

// CountAlarms compares alarms, one an event, with the labels of their series.
func CountAlarms(s *Series, alarms []bool) Alarms {
	a := Alarms{Incidents: len(s.Labels)}
	in := s.labelled()
	a.Weeks = float64(len(in)-count(in)) * s.gap() / weekMilliseconds
	for _, r := range Runs(alarms) {
		if slices.Contains(in[r.First:r.Last+1], true) {
			a.Right++
		} else {
			a.False++
		}
	}
	for _, r := range s.Labels {
		i := slices.Index(alarms[r.First:r.Last+1], true)
		if i < 0 {
			continue
		}
		a.Found++
		a.Delays = append(a.Delays, float64(s.Times[r.First+i]-s.Times[r.First])/1000)
	}
	return a
}

// Add adds what was seen of another series.
func (a *Alarms) Add(b Alarms) {
	a.Incidents += b.Incidents
	a.Found += b.Found
	a.Right += b.Right
	a.False += b.False
	a.Delays = append(a.Delays, b.Delays...)
	a.Weeks += b.Weeks
}

// Recall is the share of incidents that were found, NaN if there are none.
func (a *Alarms) Recall() float64 { return float64(a.Found) / float64(a.Incidents) }

// Precision is the share of alarms that overlap a label, NaN if there are none.
func (a *Alarms) Precision() float64 { return float64(a.Right) / float64(a.Right+a.False) }

// FalseAWeek is the number of false alarms a stream and week.
func (a *Alarms) FalseAWeek() float64 { return float64(a.False) / a.Weeks }

// MedianDelay is the median of Delays, NaN if there are none.
func (a *Alarms) MedianDelay() float64 { return median(a.Delays) }

// median is NaN of nothing.
func median(xs []float64) float64 {
	if len(xs) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(xs))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}
