package eval

import (
	"bufio"
	"fmt"
	"image/color"
	"math"
	"os"
	"slices"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

const (
	plotWidth, plotHeight = 14 * vg.Inch, 6 * vg.Inch
	plotDPI               = 80
	// plotColumns is how many stretches a long series is drawn in, each from its least
	// to its greatest value.
	plotColumns = 1400
)

var (
	labelColor = color.RGBA{R: 250, G: 205, B: 205, A: 255}
	bandColor  = color.RGBA{R: 170, G: 200, B: 240, A: 255}
	valueColor = color.RGBA{R: 30, G: 60, B: 130, A: 255}
	scoreColor = color.RGBA{R: 70, G: 70, B: 70, A: 255}
	alarmColor = color.RGBA{R: 200, G: 0, B: 0, A: 255}
)

// WritePlot draws a series and a run over it as a PNG file: a field's values over the
// band that was forecast, the scores with the alarms, and the labels behind both. Of
// several fields it draws the one whose values lie farthest outside of their bands.
func WritePlot(path string, s *Series, r *Run) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	field := mostSurprising(s, r)
	values := newPanel(s, s.Name)
	if s.Fields[field] != "" {
		values.Title.Text += ", field " + s.Fields[field]
	}
	column, lower, upper := make([]float64, len(s.Times)), make([]float64, len(s.Times)), make([]float64, len(s.Times))
	for i := range s.Times {
		column[i], lower[i], upper[i] = s.Values[i][field], math.NaN(), math.NaN()
		if r.Forecasts != nil {
			lower[i], upper[i] = r.Forecasts[i][field].Lower, r.Forecasts[i][field].Upper
		}
	}
	values.Y.Min, values.Y.Max = extremes(column)
	scores := newPanel(s, "")
	scores.Y.Label.Text = "anomaly score"
	_, top := extremes(r.Scores)
	scores.Y.Min, scores.Y.Max = 0, max(top, 1.5)
	if err := addLabels(s, values, scores); err != nil {
		return err
	}
	if err := addBand(values, s, lower, upper); err != nil {
		return err
	}
	if err := addLine(values, s, column, valueColor); err != nil {
		return err
	}
	if err := addScores(scores, s, r); err != nil {
		return err
	}
	if err := encode(f, values, scores); err != nil {
		return fmt.Errorf("plot %s: %w", s.Name, err)
	}
	return f.Close()
}

// encode draws panels below each other.
func encode(f *os.File, panels ...*plot.Plot) error {
	img := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(plotWidth, plotHeight), vgimg.UseDPI(plotDPI))}
	tiles := draw.Tiles{Rows: len(panels), Cols: 1, PadY: vg.Points(6), PadRight: vg.Points(12)}
	grid := make([][]*plot.Plot, len(panels))
	for i, p := range panels {
		grid[i] = []*plot.Plot{p}
	}
	canvases := plot.Align(grid, tiles, draw.New(img))
	for i, p := range panels {
		p.Draw(canvases[i][0])
	}
	w := bufio.NewWriter(f)
	if _, err := img.WriteTo(w); err != nil {
		return err
	}
	return w.Flush()
}

func newPanel(s *Series, title string) *plot.Plot {
	p := plot.New()
	p.Title.Text = title
	p.X.Tick.Marker = plot.TickerFunc(roundTimes)
	p.X.Min, p.X.Max = seconds(s.Times[0]), seconds(s.Times[len(s.Times)-1])
	return p
}

func seconds(ms int64) float64 { return float64(ms) / 1000 }

// roundTimes returns ticks at round times of day or days, in UTC.
func roundTimes(from, to float64) []plot.Tick {
	const hour, day = 3600, 24 * 3600
	step, format := 60.0, "15:04"
	for _, next := range []float64{600, hour, 3 * hour, 6 * hour, 12 * hour, day, 2 * day, 7 * day, 28 * day, 91 * day, 365 * day} {
		if (to-from)/step <= 12 {
			break
		}
		step = next
	}
	switch {
	case step >= day:
		format = "2006-01-02"
	case step >= hour:
		format = "01-02 15:04"
	}
	var ticks []plot.Tick
	for at := math.Ceil(from/step) * step; at <= to && len(ticks) < 1000; at += step {
		ticks = append(ticks, plot.Tick{Value: at, Label: time.Unix(int64(at), 0).UTC().Format(format)})
	}
	return ticks
}

// extremes are the least and the greatest of values, a little apart.
func extremes(values []float64) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if !math.IsNaN(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	if low > high {
		return 0, 1
	}
	margin := (high-low)*0.05 + math.Abs(high)*1e-9 + 1e-300
	return low - margin, high + margin
}

// mostSurprising is the field with the greatest distance of a value from its band, in
// widths of the band or, where that is greater, of a hundredth of the field's range.
func mostSurprising(s *Series, r *Run) int {
	best, greatest := 0, -1.0
	for f := range s.Fields {
		column := make([]float64, len(s.Times))
		for i := range column {
			column[i] = s.Values[i][f]
		}
		low, high := extremes(column)
		for i, x := range column {
			if r.Forecasts == nil || math.IsNaN(x) {
				continue
			}
			q := r.Forecasts[i][f]
			outside := max(q.Lower-x, x-q.Upper, 0) / max(q.Upper-q.Lower, (high-low)/100)
			if outside*r.Scores[i] > greatest {
				best, greatest = f, outside*r.Scores[i]
			}
		}
	}
	return best
}

// addLabels shades the labels in each panel.
func addLabels(s *Series, panels ...*plot.Plot) error {
	for _, p := range panels {
		for _, l := range s.Labels {
			from, to := seconds(s.Times[l.First]), seconds(s.Times[l.Last])
			if least := (p.X.Max - p.X.Min) / plotColumns; to-from < least {
				to = from + least // a label of one event shall be seen
			}
			err := addArea(p, plotter.XYs{{X: from, Y: p.Y.Min}, {X: to, Y: p.Y.Min}, {X: to, Y: p.Y.Max}, {X: from, Y: p.Y.Max}}, labelColor)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func addArea(p *plot.Plot, corners plotter.XYs, c color.Color) error {
	area, err := plotter.NewPolygon(corners)
	if err != nil {
		return err
	}
	area.Color, area.LineStyle.Width = c, 0
	p.Add(area)
	return nil
}

// addBand shades the space between two lines, as far as the panel reaches.
func addBand(p *plot.Plot, s *Series, lower, upper []float64) error {
	var floor, roof plotter.XYs
	stretches(len(s.Times), func(from, to int) {
		low, high := math.Inf(1), math.Inf(-1)
		for i := from; i < to; i++ {
			if !math.IsNaN(lower[i]) {
				low, high = min(low, lower[i]), max(high, upper[i])
			}
		}
		if low > high {
			return
		}
		x := seconds(s.Times[from])
		floor = append(floor, plotter.XY{X: x, Y: min(max(low, p.Y.Min), p.Y.Max)})
		roof = append(roof, plotter.XY{X: x, Y: min(max(high, p.Y.Min), p.Y.Max)})
	})
	if len(floor) < 2 {
		return nil
	}
	for _, corner := range slices.Backward(roof) {
		floor = append(floor, corner)
	}
	return addArea(p, floor, bandColor)
}

// addLine draws values, each stretch from its least to its greatest.
func addLine(p *plot.Plot, s *Series, values []float64, c color.Color) error {
	var points plotter.XYs
	stretches(len(s.Times), func(from, to int) {
		low, high := -1, -1
		for i := from; i < to; i++ {
			if math.IsNaN(values[i]) {
				continue
			}
			if low < 0 || values[i] < values[low] {
				low = i
			}
			if high < 0 || values[i] > values[high] {
				high = i
			}
		}
		for _, i := range []int{min(low, high), max(low, high)} {
			if i >= 0 && (len(points) == 0 || i == low || i == high) {
				points = append(points, plotter.XY{X: seconds(s.Times[i]), Y: values[i]})
			}
		}
	})
	line, err := plotter.NewLine(points)
	if err != nil {
		return err
	}
	line.Color, line.Width = c, vg.Points(0.7)
	p.Add(line)
	return nil
}

// addScores draws scores, the threshold and the alarms.
func addScores(p *plot.Plot, s *Series, r *Run) error {
	if err := addLine(p, s, r.Scores, scoreColor); err != nil {
		return err
	}
	threshold, err := plotter.NewLine(plotter.XYs{{X: p.X.Min, Y: 1}, {X: p.X.Max, Y: 1}})
	if err != nil {
		return err
	}
	threshold.Color, threshold.Dashes = alarmColor, []vg.Length{vg.Points(4), vg.Points(4)}
	p.Add(threshold)
	var alarms plotter.XYs
	for _, a := range Runs(r.alarms()) {
		alarms = append(alarms, plotter.XY{X: seconds(s.Times[a.First]), Y: r.Scores[a.First]})
	}
	if len(alarms) == 0 {
		return nil
	}
	dots, err := plotter.NewScatter(alarms)
	if err != nil {
		return err
	}
	dots.Color, dots.Shape, dots.Radius = alarmColor, draw.CircleGlyph{}, vg.Points(2)
	p.Add(dots)
	return nil
}

// stretches divides n events into at most plotColumns runs of events.
func stretches(n int, f func(from, to int)) {
	columns := min(n, plotColumns)
	for c := range columns {
		f(c*n/columns, (c+1)*n/columns)
	}
}
