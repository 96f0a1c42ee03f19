package lab

import (
	"image/color"
	"math"
	"os"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// A panel is one plot: lines over x on a logarithmic axis.
type panel struct {
	title, x, y string
	at          []int // x of each line's points
	lines       []line
	logY        bool
	percent     bool // y from 0 to 100
}

type line struct {
	model string
	y     []float64
}

// A look tells the models apart, also without colour: Okabe and Ito's colours, dashes
// and the shape of the points.
type look struct {
	colour color.RGBA
	dashes []vg.Length
	glyph  draw.GlyphDrawer
}

var looks = map[string]look{
	"Mamba":     {color.RGBA{0, 114, 178, 255}, nil, draw.CircleGlyph{}},
	"S4D":       {color.RGBA{213, 94, 0, 255}, []vg.Length{6, 3}, draw.SquareGlyph{}},
	"GRU":       {color.RGBA{0, 158, 115, 255}, []vg.Length{2, 2}, draw.TriangleGlyph{}},
	"attention": {color.RGBA{204, 121, 167, 255}, []vg.Length{8, 2, 2, 2}, draw.CrossGlyph{}},
}

// figure draws the panels side by side into a PNG file.
func figure(path string, panels ...panel) (err error) {
	img := vgimg.New(vg.Length(len(panels))*5.2*vg.Inch, 3.8*vg.Inch)
	tiles := draw.Tiles{Rows: 1, Cols: len(panels), PadX: 24, PadTop: 8, PadBottom: 8, PadLeft: 8, PadRight: 14}
	row := make([]*plot.Plot, len(panels))
	for i, p := range panels {
		if row[i], err = p.plot(); err != nil {
			return err
		}
	}
	for i, c := range plot.Align([][]*plot.Plot{row}, tiles, draw.New(img))[0] {
		row[i].Draw(c)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := (vgimg.PngCanvas{Canvas: img}).WriteTo(f); err != nil {
		_ = f.Close() // the first error says more
		return err
	}
	return f.Close()
}

func (p *panel) plot() (*plot.Plot, error) {
	pl := plot.New()
	pl.Title.Text, pl.Title.Padding = p.title, 6
	pl.X.Label.Text, pl.Y.Label.Text = p.x, p.y
	pl.X.Scale = plot.LogScale{}
	var ticks plot.ConstantTicks
	for _, x := range p.at {
		ticks = append(ticks, plot.Tick{Value: float64(x), Label: short(x)})
	}
	pl.X.Tick.Marker = ticks
	pl.Add(plotter.NewGrid())
	for _, l := range p.lines {
		if err := p.add(pl, l); err != nil {
			return nil, err
		}
	}
	p.scaleY(pl)
	pl.Legend.Top, pl.Legend.Padding = true, 2
	return pl, nil
}

func (p *panel) add(pl *plot.Plot, l line) error {
	points := make(plotter.XYs, len(l.y))
	for i, y := range l.y {
		points[i] = plotter.XY{X: float64(p.at[i]), Y: y}
	}
	curve, dots, err := plotter.NewLinePoints(points)
	if err != nil {
		return err
	}
	k := looks[l.model]
	curve.Color, curve.Width, curve.Dashes = k.colour, 1.5, k.dashes
	dots.Color, dots.Shape, dots.Radius = k.colour, k.glyph, 3
	pl.Add(curve, dots)
	pl.Legend.Add(l.model, curve, dots)
	return nil
}

func (p *panel) scaleY(pl *plot.Plot) {
	switch {
	case p.percent:
		pl.Y.Min, pl.Y.Max = 0, 135 // the legend stands above
		pl.Y.Tick.Marker = plot.ConstantTicks{
			{Value: 0, Label: "0"}, {Value: 25, Label: "25"}, {Value: 50, Label: "50"}, {Value: 75, Label: "75"}, {Value: 100, Label: "100"},
		}
	case p.logY:
		// Whole decades.
		pl.Y.Min = math.Pow(10, math.Floor(math.Log10(pl.Y.Min)))
		pl.Y.Max = math.Pow(10, math.Ceil(math.Log10(pl.Y.Max)))
		pl.Y.Scale, pl.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
		pl.Legend.Left = true
	}
}
