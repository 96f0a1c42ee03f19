package eval

import (
	_ "embed" // page.html
	"fmt"
	"html/template"
	"io"
	"math"
)

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// A Page is a report in one HTML file that needs nothing else: no script, no other file,
// no network.
type Page struct {
	// Model and Budget say what was measured.
	Model, Budget string

	plots []pagePlot
}

// pagePlot is one series as the page shows it.
type pagePlot struct {
	Name, Field      string
	Events           int
	Incidents, Found int
	False            int
	Delay            string
	SVG              template.HTML
}

// pageTile is one number.
type pageTile struct{ Name, Value, Note string }

// Add draws a series with what a detector with forecasts said of it.
func (p *Page) Add(s *Series, r *Run) {
	a := CountAlarms(s, r.alarms())
	field := mostSurprising(s, r)
	plot := pagePlot{
		Name: s.Name, Field: s.Fields[field], Events: len(s.Times), Incidents: a.Incidents, Found: a.Found, False: a.False,
		SVG: drawSeries(s, r, field),
	}
	if a.Found > 0 {
		plot.Delay = "after " + duration(a.MedianDelay()) + " · "
	}
	p.plots = append(p.plots, plot)
}

// Write writes the page with the results of all detectors, the first of which is the one
// that the page is about.
func (p *Page) Write(w io.Writer, results []Result) error {
	body := struct {
		*Page
		Plots       []pagePlot
		Tiles       []pageTile
		Columns     []string
		Rows        [][]string
		Calibration template.HTML
		Sentences   []string
	}{Page: p, Plots: p.plots}
	for _, c := range columns {
		body.Columns = append(body.Columns, c.title)
	}
	for i := range results {
		var row []string
		for _, c := range columns {
			row = append(row, c.cell(&results[i]))
		}
		body.Rows = append(body.Rows, row)
	}
	if len(p.plots) > 0 && len(results) > 0 {
		first := &results[0]
		body.Tiles = p.tiles(first)
		if first.Skill.N > 0 && first.Skill.Banded > 0 {
			body.Calibration, body.Sentences = drawCalibration(&first.Skill), calibrationWords(&first.Skill)
		}
	}
	return pageTemplate.Execute(w, body)
}

// tiles are the numbers that matter most.
func (p *Page) tiles(r *Result) []pageTile {
	a := &r.Alarms
	return []pageTile{
		{"incidents found", fmt.Sprintf("%d of %d", a.Found, a.Incidents), "recall " + number("%.2f", a.Recall())},
		{"precision by incident", number("%.2f", a.Precision()), fmt.Sprintf("%d right, %d false", a.Right, a.False)},
		{"time to detect", duration(a.MedianDelay()), "median, from the label's start"},
		{"false alarms a stream-week", number("%.2f", a.FalseAWeek()), "the budget: " + p.Budget},
		{"inside the 90 % band", number("%.1f %%", 100*r.Skill.Coverage()), "of the next values"},
		{"forecast error", number("%.3f", r.Skill.Relative()), "pinball loss, the last value's being 1"},
	}
}

// calibrationWords say in sentences what the histogram shows.
func calibrationWords(k *Skill) []string {
	pit := k.PIT()
	words := []string{fmt.Sprintf("%.1f %% of the values lie in the band that should hold 90 %% of them.", 100*k.Coverage())}
	if out := pit[0] + pit[3]; out > 0 {
		words = append(words, fmt.Sprintf("%.1f %% lie below it and %.1f %% above; 5 %% each are the aim.", 100*pit[0], 100*pit[3]))
	}
	if math.Abs(pit[1]-pit[2]) > 0.1 {
		words = append(words, "The median is off to one side: the two halves of the band should hold the same.")
	} else {
		words = append(words, "The median is in the middle: the two halves of the band hold about the same.")
	}
	return words
}
