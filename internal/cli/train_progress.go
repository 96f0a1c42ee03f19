package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/weirstream/weir/ssm/train"
)

// progress shows how far a training run is: one line that is written over on a
// terminal, a line every few seconds elsewhere.
type progress struct {
	w     io.Writer
	run   *train.Run
	tty   bool
	every time.Duration

	began, shown time.Time
	first        int // step at which this process began
	rows         int
}

func newProgress(w io.Writer, run *train.Run) *progress {
	p := &progress{w: w, run: run, every: 5 * time.Second}
	if f, ok := w.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			p.tty, p.every = true, 200*time.Millisecond
		}
	}
	return p
}

// begin starts the clock.
func (p *progress) begin() {
	p.began, p.first = time.Now(), p.run.Steps()
	p.shown = p.began
	p.printf("step %d of %d: held-out loss %.4f\n", p.first, p.run.Planned(), p.last().HeldOut)
}

// step shows the state after a step, if it is time to.
func (p *progress) step(loss float64, rows int) {
	p.rows += rows
	if time.Since(p.shown) < p.every {
		return
	}
	p.shown = time.Now()
	elapsed := time.Since(p.began)
	perStep := elapsed / time.Duration(p.run.Steps()-p.first)
	left := perStep * time.Duration(p.run.Planned()-p.run.Steps())
	line := fmt.Sprintf("step %d of %d: loss %.4f, held-out loss %.4f, %.0f events/s, %v left",
		p.run.Steps(), p.run.Planned(), loss, p.last().HeldOut, float64(p.rows)/elapsed.Seconds(), left.Round(time.Second))
	if p.tty {
		p.printf("\r\x1b[K%s", line)
		return
	}
	p.printf("%s\n", line)
}

// end says why the run is done.
func (p *progress) end() {
	if p.tty {
		p.printf("\r\x1b[K")
	}
	why := "all steps done"
	if p.run.Steps() < p.run.Planned() {
		why = "the held-out loss has stopped to fall"
	}
	p.printf("step %d of %d: held-out loss %.4f, best %.4f at step %d; %s after %v\n", p.run.Steps(), p.run.Planned(),
		p.last().HeldOut, p.run.Best().HeldOut, p.run.Best().Step, why, time.Since(p.began).Round(time.Second))
}

func (p *progress) last() train.Point {
	points := p.run.Points()
	return points[len(points)-1]
}

func (p *progress) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(p.w, format, args...) // nowhere is left to report a failure to
}
