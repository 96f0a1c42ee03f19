package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"

	"github.com/weirstream/weir/ssm/train"
)

// writeCard writes CARD.md and loss.png beside the model. Neither holds a time or a
// host, so the same training gives the same bytes.
func (c *trainCmd) writeCard(run *train.Run, data *telemetryFiles, tag string) error {
	var b strings.Builder
	before, best := run.Points()[0], run.Best()
	fmt.Fprintf(&b, "# %s\n\nAn event model for Weir, trained from %s.\n\n", tag, c.From)
	fmt.Fprintf(&b, "| held-out loss | |\n|---|---|\n| before | %.6f |\n| after | %.6f, at step %d of %d |\n\n",
		before.HeldOut, best.HeldOut, best.Step, run.Steps())
	b.WriteString("The loss is that of the forecasts 1, 8 and 64 events ahead, in typical changes of the stream, on the last fifth of\n" +
		"each stream in time, which was not trained on, but chose the step. ![loss by step](loss.png)\n\n")
	fmt.Fprintf(&b, "Made with\n\n    %s\n\nof %d streams in these files:\n\n| file | events or rows | skipped | sha256 |\n|---|---|---|---|\n",
		c.command(run.Planned()), len(data.streams))
	for _, f := range data.files {
		fmt.Fprintf(&b, "| %s | %d | %d | %s |\n", f.path, f.rows, f.bad, f.sha256)
	}
	b.WriteString("\n| step | training loss | held-out loss |\n|---|---|---|\n")
	for _, p := range run.Points() {
		loss := "–"
		if p.Step > 0 {
			loss = fmt.Sprintf("%.6f", p.Loss)
		}
		fmt.Fprintf(&b, "| %d | %s | %.6f |\n", p.Step, loss, p.HeldOut)
	}
	err := writeWhole(filepath.Join(c.Out, "CARD.md"), func(w io.Writer) error {
		_, err := io.WriteString(w, b.String())
		return err
	})
	if err != nil {
		return fmt.Errorf("write card: %w", err)
	}
	return drawLoss(filepath.Join(c.Out, "loss.png"), run.Points())
}

// command is what makes this model again. The time that --minutes gave is spelled
// in steps.
func (c *trainCmd) command(steps int) string {
	words := []string{
		"weir", "train", "--from", c.From, "--steps", fmt.Sprint(steps), "--batch", fmt.Sprint(c.Batch),
		"--window", fmt.Sprint(c.Window), "--seed", fmt.Sprint(c.Seed), "--out", c.Out,
	}
	if c.Config != "" {
		words = append(words, "--config", c.Config)
	}
	for _, set := range c.Set {
		if key, _, _ := strings.Cut(set, "="); strings.Contains(key, "password") || strings.Contains(key, "url") {
			set = key + "=***" // a card is passed on
		}
		words = append(words, "--set", set)
	}
	words = append(words, c.Files...)
	for i := range words {
		words[i] = quoteWord(words[i])
	}
	return strings.Join(words, " ")
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:=@%+,-]+$`)

// quoteWord is a word as a shell reads it back.
func quoteWord(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func drawLoss(path string, points []train.Point) error {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = "Quantile loss", "step", "loss, in typical changes"
	p.Legend.Top = true
	var training, heldOut plotter.XYs
	for _, point := range points {
		if point.Step > 0 {
			training = append(training, plotter.XY{X: float64(point.Step), Y: point.Loss})
		}
		heldOut = append(heldOut, plotter.XY{X: float64(point.Step), Y: point.HeldOut})
	}
	if err := plotutil.AddLinePoints(p, "training", training, "held out", heldOut); err != nil {
		return fmt.Errorf("draw the loss: %w", err)
	}
	image, err := p.WriterTo(16*vg.Centimeter, 9*vg.Centimeter, "png")
	if err != nil {
		return fmt.Errorf("draw the loss: %w", err)
	}
	return writeWhole(path, func(w io.Writer) error { _, err := image.WriteTo(w); return err })
}

// writeWhole writes a file under another name, makes it durable, and renames it: it
// is there whole or not at all, whenever the process ends.
func writeWhole(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()           // the first error is the one to report
			_ = os.Remove(f.Name()) // likewise
		}
	}()
	if err = write(f); err != nil {
		return err
	}
	if err = f.Chmod(0o644); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
