package lti

import (
	"bytes"
	"flag"
	"image"
	"image/color"
	"image/png"
	"os"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

var update = flag.Bool("update", false, "write docs/ssm/hippo.png")

const figurePath = "../../docs/ssm/hippo.png"

// The figure in the documentation shows what the code computes today. With
// -update it is drawn anew.
func TestFigureIsCurrent(t *testing.T) {
	drawn := drawFigure(t)
	if *update {
		if err := os.WriteFile(figurePath, drawn, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(figurePath)
	if err != nil {
		t.Fatalf("%v; draw it with: go test ./ssm/lti -run Figure -update", err)
	}
	// Not byte by byte: fused arithmetic may move an edge by a shade.
	if d := difference(t, drawn, kept); d > 0.002 {
		t.Errorf("%s differs by %.4f of full contrast; draw it with: go test ./ssm/lti -run Figure -update", figurePath, d)
	}
}

// difference returns the mean difference of two PNG images, 1 being black to white.
func difference(t *testing.T, a, b []byte) float64 {
	t.Helper()
	decode := func(raw []byte) image.Image {
		img, err := png.Decode(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		return img
	}
	x, y := decode(a), decode(b)
	if x.Bounds() != y.Bounds() {
		return 1
	}
	var sum, n float64
	for j := range x.Bounds().Dy() {
		for i := range x.Bounds().Dx() {
			p, q := color.Gray16Model.Convert(x.At(i, j)), color.Gray16Model.Convert(y.At(i, j))
			d := float64(p.(color.Gray16).Y) - float64(q.(color.Gray16).Y)
			sum += max(d, -d) / 65535
			n++
		}
	}
	return sum / n
}

// A curve is one kind of memory in both panels.
type curve struct {
	name   string
	colour color.RGBA // Okabe and Ito's, which colour-blind readers can tell apart
	dashes []vg.Length
	recall func(n int) *mat.Dense
}

func curves(t *testing.T, past ensemble) []curve {
	return []curve{
		{"leaky integrators", color.RGBA{213, 94, 0, 255}, []vg.Length{5, 3}, func(n int) *mat.Dense { return past.leaky(t, n) }},
		{"random stable A", color.RGBA{0, 158, 115, 255}, []vg.Length{2, 2}, func(n int) *mat.Dense { return past.randomSystem(t, n) }},
		{"HiPPO-LegS", color.RGBA{0, 114, 178, 255}, nil, past.hippo},
	}
}

func drawFigure(t *testing.T) []byte {
	t.Helper()
	past := newEnsemble()
	img := vgimg.New(11*vg.Inch, 4.2*vg.Inch)
	canvas := draw.New(img)
	tiles := draw.Tiles{
		Rows: 1, Cols: 2, PadX: 24, PadTop: 8, PadBottom: 8, PadLeft: 8, PadRight: 12,
	}
	panels := [][]*plot.Plot{{recallPanel(t, past), errorPanel(t, past)}}
	for i, c := range plot.Align(panels, tiles, canvas)[0] {
		panels[0][i].Draw(c)
	}
	var buf bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: img}).WriteTo(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// recallPanel draws one past of the ensemble and what 32 states recall of it.
func recallPanel(t *testing.T, past ensemble) *plot.Plot {
	p := plot.New()
	p.Title.Padding = 6
	p.Title.Text = "One past of 512 events, recalled from 32 numbers"
	p.X.Label.Text = "place in the past (0 first event, 1 now)"
	p.Y.Label.Text = "value"
	_, cols := past.Dims()
	weights := mat.NewVecDense(cols, normal(newRand(6), cols))
	addCurve := func(name string, m *mat.Dense, width vg.Length, c color.RGBA, dashes []vg.Length) {
		var v mat.VecDense
		v.MulVec(m, weights)
		pts := make(plotter.XYs, pastLen)
		for k := range pts {
			pts[k].X, pts[k].Y = (float64(k)+0.5)/pastLen, v.AtVec(k)
		}
		line := newLine(t, pts, width, c, dashes)
		p.Add(line)
		p.Legend.Add(name, line)
	}
	addCurve("the past", past.Dense, 3.5, color.RGBA{200, 200, 200, 255}, nil)
	for _, c := range curves(t, past) {
		addCurve(c.name, c.recall(32), 1.2, c.colour, c.dashes)
	}
	p.X.Tick.Marker = plot.ConstantTicks{{Value: 0, Label: "0"}, {Value: 0.5, Label: "0.5"}, {Value: 1, Label: "1"}}
	p.Y.Tick.Marker = plot.ConstantTicks{
		{Value: -2, Label: "-2"}, {Value: -1, Label: "-1"}, {Value: 0, Label: "0"}, {Value: 1, Label: "1"}, {Value: 2, Label: "2"},
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, -2, 2
	p.Legend.Padding = 3
	return p
}

// errorPanel draws the error over the ensemble against the number of states.
func errorPanel(t *testing.T, past ensemble) *plot.Plot {
	p := plot.New()
	p.Title.Padding = 6
	p.Title.Text = "Error of recall over the whole past"
	p.X.Label.Text = "numbers in the state"
	p.Y.Label.Text = "relative RMS error"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	sizes := []int{2, 4, 8, 16, 32, 64}
	p.X.Tick.Marker = plot.ConstantTicks(ticks("2", "4", "8", "16", "32", "64"))
	p.Y.Tick.Marker = plot.LogTicks{Prec: -1}
	add := func(name string, width vg.Length, c color.RGBA, dashes []vg.Length, at func(n int) float64) {
		pts := make(plotter.XYs, len(sizes))
		for i, n := range sizes {
			pts[i].X, pts[i].Y = float64(n), at(n)
		}
		line := newLine(t, pts, width, c, dashes)
		p.Add(line)
		p.Legend.Add(name, line)
	}
	for _, c := range curves(t, past) {
		add(c.name, 1.5, c.colour, c.dashes, func(n int) float64 { return past.error(c.recall(n)) })
	}
	add("best possible (principal components)", 1.5, color.RGBA{90, 90, 90, 255}, []vg.Length{1, 3}, past.best)
	p.Legend.Left, p.Legend.Padding = true, 3
	p.Y.Min, p.Y.Max = 0.005, 1
	return p
}

func ticks(labels ...string) []plot.Tick {
	out := make([]plot.Tick, len(labels))
	for i, l := range labels {
		out[i] = plot.Tick{Value: float64(int(2) << i), Label: l}
	}
	return out
}

func newLine(t *testing.T, pts plotter.XYs, width vg.Length, c color.RGBA, dashes []vg.Length) *plotter.Line {
	t.Helper()
	line, err := plotter.NewLine(pts)
	if err != nil {
		t.Fatal(err)
	}
	line.Width, line.Color, line.Dashes = width, c, dashes
	return line
}
