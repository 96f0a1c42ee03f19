package eval

import (
	"fmt"
	"io"
	"math"
	"slices"
)

// An Injected is what one detector found of the anomalies of one kind that were put into
// streams of one group. Each series has one label, the window in which an alarm counts.
type Injected struct {
	Group, Kind, Detector string
	Series, Found         int
	// Delays are the events from the onset to the first alarm, of each that was found.
	Delays []float64
	// Chance is the share that alarms at just the budget's rate, at random, would find.
	Chance float64
}

// AddRun counts a run over a series under a budget of false alarms a second.
func (j *Injected) AddRun(s *Series, r *Run, falseAlarms float64) {
	window := s.Labels[0]
	seconds := float64(window.Last-window.First+1) * s.gap() / 1000
	j.Chance = (j.Chance*float64(j.Series) - math.Expm1(-seconds*falseAlarms)) / float64(j.Series+1)
	j.Series++
	if i := slices.Index(r.alarms()[window.First:window.Last+1], true); i >= 0 {
		j.Found++
		j.Delays = append(j.Delays, float64(i))
	}
}

// Share is the share found.
func (j *Injected) Share() float64 { return float64(j.Found) / float64(j.Series) }

// WriteInjected writes a Markdown table for each group: rows by kind, columns by detector,
// in the order in which they come; a cell is the share found and the median delay.
func WriteInjected(w io.Writer, all []Injected) error {
	for from := 0; from < len(all); {
		to := from
		for to < len(all) && all[to].Group == all[from].Group {
			to++
		}
		if _, err := fmt.Fprintf(w, "\nAnomalies put into %s: share found, median events to the alarm\n\n", all[from].Group); err != nil {
			return err
		}
		if err := writeRows(w, injectedRows(all[from:to])); err != nil {
			return err
		}
		from = to
	}
	return nil
}

func injectedRows(group []Injected) [][]string {
	rows := [][]string{{"kind", "streams", "by chance"}}
	for _, j := range group {
		if j.Kind == group[0].Kind {
			rows[0] = append(rows[0], j.Detector)
		}
		last := len(rows) - 1
		if rows[last][0] != j.Kind {
			rows = append(rows, []string{j.Kind, fmt.Sprint(j.Series), number("%.0f%%", 100*j.Chance)})
			last++
		}
		cell := number("%.0f%%", 100*j.Share())
		if j.Found > 0 {
			cell += number(", %.0f", median(j.Delays))
		}
		rows[last] = append(rows[last], cell)
	}
	return rows
}
