package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// The files that Write makes.
const (
	reportFile   = "README.md"
	accuracyFile = "accuracy.png"
	costFile     = "cost.png"
	trainingFile = "training.png"
)

// Write draws the figures and writes the report into the directory out, which it makes
// where it is missing. It returns the path of the report.
func (r *Result) Write(out string) (string, error) {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return "", err
	}
	for _, f := range []struct {
		file   string
		panels []panel
	}{{accuracyFile, r.accuracyPanels()}, {costFile, r.costPanels()}, {trainingFile, r.trainingPanels()}} {
		if err := figure(filepath.Join(out, f.file), f.panels...); err != nil {
			return "", fmt.Errorf("draw %s: %w", f.file, err)
		}
	}
	path := filepath.Join(out, reportFile)
	return path, os.WriteFile(path, []byte(r.report()), 0o644)
}

func (r *Result) accuracyPanels() []panel {
	var panels []panel
	for _, k := range r.plan.tasks {
		p := panel{title: fmt.Sprintf("%s, trained on length %d", k.name, k.length), x: "tokens in the sequence", y: "answers right, %", at: k.lengths, percent: true}
		for _, s := range r.scores {
			if s.task == k.name {
				l := line{model: s.model}
				for _, a := range s.accuracy {
					l.y = append(l.y, 100*a)
				}
				p.lines = append(p.lines, l)
			}
		}
		panels = append(panels, p)
	}
	return panels
}

func (r *Result) costPanels() []panel {
	at := r.plan.histories
	memory := panel{title: "memory of one stream", x: "events so far", y: "bytes", at: at, logY: true}
	step := panel{title: "time of one step", x: "events so far", y: "microseconds", at: at, logY: true}
	for _, c := range r.steps {
		m, s := line{model: c.model}, line{model: c.model}
		for i := range at {
			m.y, s.y = append(m.y, float64(c.bytes[i])), append(s.y, micros(c.time[i]))
		}
		memory.lines, step.lines = append(memory.lines, m), append(step.lines, s)
	}
	return []panel{memory, step}
}

func (r *Result) trainingPanels() []panel {
	p := panel{title: "training on one sequence", x: "tokens in the sequence", y: "microseconds a token", at: r.plan.lengths, logY: true}
	for _, c := range r.trains {
		l := line{model: c.model}
		for _, t := range c.perToken {
			l.y = append(l.y, micros(t))
		}
		p.lines = append(p.lines, l)
	}
	return []panel{p}
}

func micros(t time.Duration) float64 { return max(t.Seconds()*1e6, 1e-3) }

// report returns the report in Markdown.
func (r *Result) report() string {
	var b strings.Builder
	quick := ""
	if r.options.Quick {
		quick = " --quick"
		b.WriteString("> A quick run: too short to learn anything. The accuracies mean nothing.\n\n")
	}
	fmt.Fprintf(&b, `# Why a selective state space model

`+"`weir lab%s --seed %d`"+` made this page, in %v on %d cores (%s/%s).
The same seed gives the same accuracies; times are this machine's.

Four models of about as many parameters, trained in the same way: AdamW, learning rate %g
falling along a cosine, batches of %d sequences of the same length, at most %d steps, fewer where
the mean loss of %d steps falls below %g. What differs is how they mix events.

`, quick, r.options.Seed, r.took.Round(time.Second), runtime.GOMAXPROCS(0), runtime.GOOS, runtime.GOARCH,
		r.plan.train.Rate, r.plan.batch, r.plan.train.Steps, window, solved)
	r.writeModels(&b)
	r.writeTasks(&b)
	r.writeCosts(&b)
	return b.String()
}

func (r *Result) writeModels(b *strings.Builder) {
	rows := [][]string{{"model", "memory", "size of the two layers", "parameters"}}
	for _, c := range r.models {
		rows = append(rows, []string{c.name, memories[c.name], c.size, fmt.Sprint(c.params)})
	}
	table(b, rows)
}

// memories says what each model keeps of the past.
var memories = map[string]string{
	"Mamba":     "a state of fixed size; what enters and what leaves depends on the input",
	"S4D":       "a state of fixed size; enters and leaves by the same rule at every event",
	"GRU":       "a state of fixed size, all of it rewritten at every event",
	"attention": "every event there was",
}

func (r *Result) writeTasks(b *strings.Builder) {
	fmt.Fprintf(b, "## Accuracy\n\n![accuracy by length](%s)\n\n", accuracyFile)
	for _, k := range r.plan.tasks {
		fmt.Fprintf(b, "### %s\n\n%s.\n%d different values, so %.1f %% are right by chance. Trained on length %d alone, then\nasked at others, %d new sequences each. Answers right, in %%, by length:\n\n",
			title(k.name), title(k.what), values, 100.0/values, k.length, r.plan.examples)
		head := []string{"model", "steps", "loss"}
		for _, n := range k.lengths {
			head = append(head, fmt.Sprint(n))
		}
		rows := [][]string{head}
		for _, s := range r.scores {
			if s.task != k.name {
				continue
			}
			row := []string{s.model, fmt.Sprint(s.steps), fmt.Sprintf("%.3f", s.loss)}
			for _, a := range s.accuracy {
				row = append(row, fmt.Sprintf("%.1f", 100*a))
			}
			rows = append(rows, row)
		}
		table(b, rows)
	}
}

func (r *Result) writeCosts(b *strings.Builder) {
	fmt.Fprintf(b, "## What a stream costs as it goes on\n\n![memory and time of a step](%s)\n\nMemory of one stream in bytes, and the median time of a step in microseconds, by events so far:\n\n", costFile)
	head := []string{"model"}
	for _, n := range r.plan.histories {
		head = append(head, short(n))
	}
	rows := [][]string{head}
	for _, c := range r.steps {
		bytes, times := []string{c.model + ", bytes"}, []string{c.model + ", µs"}
		for i := range c.bytes {
			bytes, times = append(bytes, fmt.Sprint(c.bytes[i])), append(times, fmt.Sprintf("%.1f", micros(c.time[i])))
		}
		rows = append(rows, bytes, times)
	}
	table(b, rows)

	fmt.Fprintf(b, "## What training costs\n\n![time of training](%s)\n\nMicroseconds a token, forward and backward over one sequence on one core and the optimizer's\nstep, by the sequence's length:\n\n", trainingFile)
	head = []string{"model"}
	for _, n := range r.plan.lengths {
		head = append(head, short(n))
	}
	rows = [][]string{head}
	for _, c := range r.trains {
		row := []string{c.model}
		for _, t := range c.perToken {
			row = append(row, fmt.Sprintf("%.2f", micros(t)))
		}
		rows = append(rows, row)
	}
	table(b, rows)
	b.WriteString(reading)
}

// reading says how to read the tables, whatever they hold.
const reading = `## How to read this

The three recurrent models keep a state of one size; attention keeps every event, and a step looks
at all of them. To train, attention does work that grows with the square of the length. GRU has to
go through a sequence step by step; the two state space models are linear in their state, so a
history may be cut into chunks that are scanned side by side. These times are of one core for each
sequence, where that is no advantage: the cores work on the sequences of a batch instead.

What is learnt depends on the sizes. A loss that is still high says that a model had not learnt the
task in so many steps, not that it cannot. Short sequences and few values are kind to every model:
in the paper, it is 16 values among 4096 tokens. The code is in internal/lab; the models that Mamba
is compared with are in ssm/baseline.
`

// table writes a Markdown table; columns that begin with a number are right-aligned.
func table(b *strings.Builder, rows [][]string) {
	for i, row := range rows {
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i > 0 {
			continue
		}
		for _, cell := range rows[min(1, len(rows)-1)] {
			if _, err := strconv.ParseFloat(cell, 64); err == nil {
				b.WriteString("|---:")
			} else {
				b.WriteString("|---")
			}
		}
		b.WriteString("|\n")
	}
	b.WriteString("\n")
}

// title begins with a capital letter.
func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// short is a number as an axis shows it: 16384 is 16k.
func short(n int) string {
	if n >= 1024 && n%1024 == 0 {
		return fmt.Sprintf("%dk", n/1024)
	}
	return fmt.Sprint(n)
}
