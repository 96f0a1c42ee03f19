package bench

import (
	"fmt"
	"image/color"
	"io"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// Draw writes a PNG of the steps' rates, each over its limit.
func (r *Report) Draw(w io.Writer) error {
	p := plot.New()
	p.Title.Text = fmt.Sprintf("Steps a second of one core: %s, %s kernels", r.Machine.CPU, r.Machine.Kernel)
	p.Y.Label.Text = "million steps/s (grey: the computed limit)"
	p.Y.Min = 0
	var rates, limits plotter.Values
	var names []string
	for _, s := range r.Steps {
		rates, limits = append(rates, s.Rate/1e6), append(limits, s.Limit/1e6)
		where := s.States
		if s.Batch == 1 {
			where = "one stream"
		}
		names = append(names, fmt.Sprintf("%s\n%s\n%.0f%%", s.Model, where, 100*s.OfLimit))
	}
	for _, series := range []struct {
		values plotter.Values
		color  color.Color
	}{{limits, color.Gray{200}}, {rates, color.RGBA{R: 31, G: 119, B: 180, A: 255}}} {
		bars, err := plotter.NewBarChart(series.values, vg.Points(48))
		if err != nil {
			return err
		}
		bars.Color, bars.LineStyle.Width = series.color, 0
		p.Add(bars)
	}
	p.NominalX(names...)
	png, err := p.WriterTo(vg.Points(620), vg.Points(340), "png")
	if err != nil {
		return err
	}
	_, err = png.WriteTo(w)
	return err
}
