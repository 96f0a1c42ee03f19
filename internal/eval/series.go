package eval

import (
	"fmt"
	"math"
	"slices"
)

// A Range is a labelled stretch of a series: the indices of its first and last event.
type Range struct{ First, Last int }

// A Series is one stream of events with what is known of its incidents.
type Series struct {
	// Name is the file's, or whatever names the series in a report.
	Name string
	// Times are Unix milliseconds, ascending; events of one time are allowed.
	Times []int64
	// Fields are the fields' names, sorted. A plain value is one field with an empty name.
	Fields []string
	// Values are (events, fields); NaN where an event lacks a field.
	Values [][]float64
	// Labels are the incidents, ascending and apart.
	Labels []Range
}

// minEvents is the least number of events of a series that is worth measuring.
const minEvents = 20

// Check returns an error that says why a series cannot be measured. A series without
// labels can: its false alarms count.
func (s *Series) Check() error {
	if len(s.Times) < minEvents {
		return fmt.Errorf("%s has %d events, at least %d are needed", s.Name, len(s.Times), minEvents)
	}
	for i := 1; i < len(s.Times); i++ {
		if s.Times[i] < s.Times[i-1] {
			return fmt.Errorf("%s: event %d is %d ms earlier than the one before: sort the file by time",
				s.Name, i+1, s.Times[i-1]-s.Times[i])
		}
	}
	for i, r := range s.Labels {
		if r.First < 0 || r.Last < r.First || r.Last >= len(s.Times) || i > 0 && r.First <= s.Labels[i-1].Last {
			return fmt.Errorf("%s: label %d covers events %d to %d of %d, after one that ends at %d",
				s.Name, i+1, r.First+1, r.Last+1, len(s.Times), s.Labels[max(i-1, 0)].Last+1)
		}
	}
	if s.present() == 0 {
		return fmt.Errorf("%s has no value: all its cells are empty", s.Name)
	}
	if count(s.labelled()) == len(s.Times) {
		return fmt.Errorf("%s: every event is labelled: there is nothing to tell an incident from", s.Name)
	}
	return nil
}

// Runs returns the labelled ranges of events of which each is labelled or not.
func Runs(labelled []bool) []Range {
	var ranges []Range
	for i, in := range labelled {
		switch {
		case !in:
		case i > 0 && labelled[i-1]:
			ranges[len(ranges)-1].Last = i
		default:
			ranges = append(ranges, Range{i, i})
		}
	}
	return ranges
}

// labelled says of each event whether a label covers it.
func (s *Series) labelled() []bool {
	in := make([]bool, len(s.Times))
	for _, r := range s.Labels {
		for i := r.First; i <= r.Last; i++ {
			in[i] = true
		}
	}
	return in
}

// gap is the median time between two events, in milliseconds.
func (s *Series) gap() float64 {
	gaps := make([]int64, len(s.Times)-1)
	for i := range gaps {
		gaps[i] = s.Times[i+1] - s.Times[i]
	}
	slices.Sort(gaps)
	return float64(gaps[len(gaps)/2])
}

// present counts the values that are there.
func (s *Series) present() int {
	n := 0
	for _, row := range s.Values {
		for _, v := range row {
			if !math.IsNaN(v) {
				n++
			}
		}
	}
	return n
}
