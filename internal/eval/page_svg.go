package eval

import (
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"
)

// The plots' sizes, in units of the drawing.
const (
	svgWidth, svgLeft       = 1100.0, 52.0
	svgValue, svgScore      = 190.0, 60.0 // heights
	svgScoreTop             = svgValue + 12
	svgHeight               = svgScoreTop + svgScore + 18
	svgColumns              = 1040 // of the drawing: more values than these are drawn as ranges
	svgScoreMost            = 3.0  // higher scores are drawn at the top
	calibWidth, calibHeight = 460.0, 190.0
)

// A drawing turns one field of a series into SVG.
type drawing struct {
	strings.Builder
	s        *Series
	r        *Run
	field    int
	low, top float64 // of the value axis
}

// drawSeries draws one field's value with its forecast, and the score below.
func drawSeries(s *Series, r *Run, field int) template.HTML {
	d := &drawing{s: s, r: r, field: field}
	var values []float64
	for _, row := range s.Values {
		values = append(values, row[field])
	}
	d.low, d.top = extremes(values)
	room := max((d.top-d.low)*0.08, math.SmallestNonzeroFloat64)
	if d.top == d.low {
		room = max(math.Abs(d.top)*0.1, 1)
	}
	d.low, d.top = d.low-room, d.top+room
	d.put(`<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, svgWidth, svgHeight, template.HTMLEscapeString(s.Name))
	d.axes()
	d.labels()
	d.band()
	d.line("e", func(i int) float64 { return r.Forecasts[i][field].Median }, d.y)
	d.line("v", func(i int) float64 { return s.Values[i][field] }, d.y)
	d.line("s", func(i int) float64 { return r.Scores[i] }, d.scoreY)
	d.alarms()
	d.WriteString(`</svg>`)
	return template.HTML(d.String()) //nolint:gosec // built from numbers, and one escaped name
}

// put adds to the drawing.
func (d *drawing) put(format string, args ...any) { fmt.Fprintf(&d.Builder, format, args...) }

func (d *drawing) x(i int) float64 {
	first, last := d.s.Times[0], d.s.Times[len(d.s.Times)-1]
	return svgLeft + (svgWidth-svgLeft)*float64(d.s.Times[i]-first)/max(float64(last-first), 1)
}

func (d *drawing) y(v float64) float64 {
	v = min(max(v, d.low), d.top)
	return svgValue * (1 - (v/2-d.low/2)/(d.top/2-d.low/2))
}

func (d *drawing) scoreY(v float64) float64 {
	return svgScoreTop + svgScore*(1-min(v, svgScoreMost)/svgScoreMost)
}

// axes draws the ends of the value axis, the threshold of the score, and some times.
func (d *drawing) axes() {
	for _, v := range []float64{d.low, (d.low + d.top) / 2, d.top} {
		y := d.y(v)
		d.put(`<path class="g" d="M%g %.1fH%g"/><text x="%g" y="%.1f" text-anchor="end">%.3g</text>`, svgLeft, y, svgWidth, svgLeft-6, min(max(y+4, 10), svgValue), v)
	}
	d.put(`<path class="t" d="M%g %.1fH%g"/><text x="%g" y="%.1f" text-anchor="end">1</text>`, svgLeft, d.scoreY(1), svgWidth, svgLeft-6, d.scoreY(1)+4)
	first, last := d.s.Times[0], d.s.Times[len(d.s.Times)-1]
	const marks = 6
	for k := range marks {
		at := first + (last-first)*int64(k)/(marks-1)
		anchor := [...]string{"start", "middle", "middle", "middle", "middle", "end"}[k]
		d.put(`<text x="%.1f" y="%g" text-anchor="%s">%s</text>`,
			svgLeft+(svgWidth-svgLeft)*float64(k)/(marks-1), svgHeight-4, anchor, time.UnixMilli(at).UTC().Format("2006-01-02 15:04"))
	}
}

// labels shades the labelled incidents.
func (d *drawing) labels() {
	for _, l := range d.s.Labels {
		x := d.x(l.First)
		width := max(d.x(l.Last)-x, 2)
		d.put(`<rect class="l" x="%.1f" y="0" width="%.1f" height="%g"/><rect class="lf" x="%.1f" y="%g" width="%.1f" height="4"/>`,
			x, width, svgScoreTop+svgScore, x, svgValue-4, width)
	}
}

// alarms marks the alarms, on the value and over the score.
func (d *drawing) alarms() {
	for _, a := range Runs(d.r.alarms()) {
		x := d.x(a.First)
		d.put(`<rect class="a" x="%.1f" y="%g" width="%.1f" height="%g"/>`, x, svgScoreTop, max(d.x(a.Last)-x, 2), svgScore)
		if v := d.s.Values[a.First][d.field]; !math.IsNaN(v) {
			d.put(`<circle class="d" cx="%.1f" cy="%.1f" r="3.4"/>`, x, d.y(v))
		}
	}
}

// buckets calls f with the events that share a column of the drawing.
func (d *drawing) buckets(f func(from, to int)) {
	from, column := 0, -1
	for i := range d.s.Times {
		if c := int(d.x(i) * svgColumns / svgWidth); c != column {
			if i > 0 {
				f(from, i)
			}
			from, column = i, c
		}
	}
	f(from, len(d.s.Times))
}

// line draws a course: of the events that share a column, the lowest and the highest.
func (d *drawing) line(class string, at func(i int) float64, y func(float64) float64) {
	d.put(`<path class="%s" d="`, class)
	pen := "M"
	d.buckets(func(from, to int) {
		low, high := math.Inf(1), math.Inf(-1)
		for i := from; i < to; i++ {
			if v := at(i); !math.IsNaN(v) {
				low, high = min(low, v), max(high, v)
			}
		}
		if low > high {
			pen = "M"
			return
		}
		d.put("%s%.1f %.1f", pen, d.x(from), y(low))
		if high > low {
			d.put("V%.1f", y(high))
		}
		pen = "L"
	})
	d.WriteString(`"/>`)
}

// band draws the forecast's, as wide as the widest of a column.
func (d *drawing) band() {
	var upper, lower []string
	d.buckets(func(from, to int) {
		low, high := math.Inf(1), math.Inf(-1)
		for i := from; i < to; i++ {
			if f := d.r.Forecasts[i][d.field]; !math.IsNaN(f.Lower) && !math.IsNaN(f.Upper) {
				low, high = min(low, f.Lower), max(high, f.Upper)
			}
		}
		if low <= high {
			upper = append(upper, fmt.Sprintf("%.1f %.1f", d.x(from), d.y(high)))
			lower = append(lower, fmt.Sprintf("%.1f %.1f", d.x(from), d.y(low)))
		}
	})
	if len(upper) == 0 {
		return
	}
	d.WriteString(`<path class="b" d="M` + strings.Join(upper, "L"))
	for i := range lower {
		d.WriteString("L" + lower[len(lower)-1-i])
	}
	d.WriteString(`Z"/>`)
}

// drawCalibration draws the shares of values below the band, in its halves, and above.
func drawCalibration(k *Skill) template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %g %g" role="img" aria-label="probability integral transform of the values">`, calibWidth, calibHeight)
	names, aims := [4]string{"below", "lower half", "upper half", "above"}, [4]float64{0.05, 0.45, 0.45, 0.05}
	const floor, wide = calibHeight - 22, calibWidth / 4
	y := func(share float64) float64 { return floor - share/0.75*(floor-14) }
	for i, share := range k.PIT() {
		x := float64(i) * wide
		fmt.Fprintf(&b, `<rect class="bar" x="%g" y="%.1f" width="%g" height="%.1f"/><path class="aim" d="M%g %.1fh%g"/>`,
			x+14, y(share), wide-28, floor-y(share), x+6, y(aims[i]), wide-12)
		fmt.Fprintf(&b, `<text x="%g" y="%g" text-anchor="middle">%s</text><text x="%g" y="%.1f" text-anchor="middle">%.1f %%</text>`,
			x+wide/2, calibHeight-5, names[i], x+wide/2, y(max(share, aims[i]))-5, 100*share)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // built from numbers
}
