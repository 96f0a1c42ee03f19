package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/ssm/train"
)

// trainFiles writes a small CSV and an NDJSON file, each with rows that are no events,
// and returns the folder.
func trainFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var table, events strings.Builder
	table.WriteString("timestamp,cpu,mem\n")
	for i := range 150 {
		at := time.Date(2026, 3, 2, 0, i, 0, 0, time.UTC)
		cpu := math.Sin(float64(i)/5) + math.Mod(float64(i)*0.618, 0.1)
		fmt.Fprintf(&table, "%s,%.3f,%d\n", at.Format(time.DateTime), cpu, 100+i%7)
		fmt.Fprintf(&events, `{"stream":"db","ts":%d,"value":%.3f}`+"\n", at.UnixMilli(), cpu*cpu)
	}
	table.WriteString("2026-03-02 03:00:00,oops,1\nyesterday,1,1\n2026-03-02 03:01:00,1\n2026-03-02 03:02:00,,7\n")
	events.WriteString("not json\n\n" + `{"stream":"db","ts":"2026-03-03T00:00:00Z","value":1}` + "\n")
	for name, text := range map[string]string{"web.csv": table.String(), "db.ndjson": events.String(), "README.md": "no telemetry"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// weir runs a command in this process.
func weir(stdin string, args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = Main(context.Background(), args, strings.NewReader(stdin), &out, &err)
	return code, out.String(), err.String()
}

func readFile(t *testing.T, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestTrainedModelIsServedAndMadeAgainByTheCommandOnItsCard(t *testing.T) {
	data, out := trainFiles(t), filepath.Join(t.TempDir(), "own")
	code, stdout, stderr := weir("", "train", "--steps", "3", "--batch", "2", "--window", "64", "--out", out, data)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	for _, want := range []string{
		`web.csv:152: web/cpu: "oops" is no finite number`, `web.csv:153: "yesterday" is no time`, "web.csv:154: 2 cells, the header has 3",
		"3 rows of 154 were skipped", "db.ndjson:151: ", "1 rows of 152 were skipped", "step 3 of 3: held-out loss",
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("stderr does not say %q:\n%s", want, stderr)
		}
	}
	if strings.Contains(stderr, "README") {
		t.Errorf("a file that is no telemetry was read:\n%s", stderr)
	}
	tag, _, _ := strings.Cut(strings.TrimPrefix(stdout, out+": "), ";")
	_, scores, stderr := weir(`{"stream":"a","ts":1,"value":1}`, "score", "--model", out)
	if !strings.Contains(scores, `"model":"`+tag+`"`) {
		t.Errorf("weir score --model answers %s%s, want the model %s", scores, stderr, tag)
	}
	card := readFile(t, out, "CARD.md")
	_, after, _ := strings.Cut(card, "    weir ")
	command, _, _ := strings.Cut(after, "\n")
	again := filepath.Join(t.TempDir(), "own")
	// The words as a shell reads them.
	words, err := exec.Command("sh", "-c", "printf '%s\\n' "+strings.Replace(command, out, again, 1)).Output()
	if err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := weir("", strings.Split(strings.TrimSpace(string(words)), "\n")...); code != 0 {
		t.Fatalf("%s: exit code %d: %s", command, code, stderr)
	}
	for _, name := range []string{"config.json", "model.safetensors", "loss.png", "CARD.md"} {
		want, got := strings.ReplaceAll(readFile(t, out, name), out, again), readFile(t, again, name)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s differs the second time:\n%.2000s", name, diff)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(out, "*checkpoint*")); left != nil {
		t.Errorf("%v is left", left)
	}
}

func TestKilledTrainingGoesOnToTheSameModel(t *testing.T) {
	data, dir := trainFiles(t), t.TempDir()
	args := []string{"train", "--from", "scratch", "--steps", "100", "--batch", "2", "--window", "64", "--out"}
	whole, killed := filepath.Join(dir, "whole"), filepath.Join(dir, "killed")
	if code, _, stderr := weir("", append(args, whole, data)...); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	checkpoint := filepath.Join(killed, checkpointName)
	resumed := false
	for kills := range 4 {
		cmd := &exec.Cmd{Path: self, Args: append([]string{"weir"}, append(args, killed, data)...)}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		before, _ := os.Stat(checkpoint)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if kills < 3 {
			awaitOther(t, checkpoint, before)
			kill(t, cmd)
		} else if err := cmd.Wait(); err != nil {
			t.Fatalf("%v: %s", err, stderr.String())
		}
		resumed = strings.Contains(stderr.String(), "going on at step")
	}
	if !resumed {
		t.Error("the last process began anew")
	}
	if readFile(t, whole, "model.safetensors") != readFile(t, killed, "model.safetensors") {
		t.Error("the model of the killed training is another")
	}
}

func TestMinutesBecomeStepsOnTheCard(t *testing.T) {
	data, out := trainFiles(t), filepath.Join(t.TempDir(), "own")
	code, _, stderr := weir("", "train", "--minutes", "0.0001", "--batch", "1", "--window", "32", "--out", out, data)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	if !strings.Contains(stderr, "step 0 of 25: ") { // the least: one for each measurement
		t.Errorf("stderr is %q", stderr)
	}
	if card := readFile(t, out, "CARD.md"); !strings.Contains(card, "--steps 25 ") {
		t.Errorf("the card's command does not say how many steps:\n%s", card)
	}
}

func TestProgressOnATerminalIsOneLine(t *testing.T) {
	data, err := readTelemetry(t.Context(), []string{trainFiles(t)}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	series, err := data.series()
	if err != nil {
		t.Fatal(err)
	}
	start, q, err := (&trainCmd{From: "builtin:telemetry-s"}).start()
	if err != nil {
		t.Fatal(err)
	}
	options := train.RunOptions{Options: train.Options{Rate: 1e-3, Clip: 1, Steps: 3}, Batch: 1}
	run, err := train.NewRun(start, q, train.NewData(start.Dims().NInput, 32, operator.Horizons(), series), options)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	p := newProgress(&out, run)
	p.tty, p.every = true, 0
	p.begin()
	for !run.Done() {
		loss, rows, err := run.Step()
		if err != nil {
			t.Fatal(err)
		}
		p.step(loss, rows)
	}
	p.end()
	lines := strings.Split(out.String(), "\n")
	if len(lines) != 3 || strings.Count(lines[1], "\r\x1b[K") != 4 || !strings.Contains(lines[1], "step 2 of 3: loss ") {
		t.Errorf("the terminal gets %q", out.String())
	}
}

// awaitOther returns when path is another file than before, or there at last.
func awaitOther(t *testing.T, path string, before os.FileInfo) {
	t.Helper()
	deadline, tick := time.After(time.Minute), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if now, err := os.Stat(path); err == nil && (before == nil || !os.SameFile(before, now)) {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%s is not written", path)
		case <-tick.C:
		}
	}
}

func TestInterruptedTrainingLeavesACheckpoint(t *testing.T) {
	data, out := trainFiles(t), filepath.Join(t.TempDir(), "own")
	ctx, stop := context.WithCancel(t.Context())
	var stderr stopAt
	stderr.stop, stderr.at = stop, "step 0 of"
	code := Main(ctx, []string{"train", "--batch", "1", "--window", "32", "--out", out, data}, strings.NewReader(""), &bytes.Buffer{}, &stderr)
	if code != exitRuntime || !strings.Contains(stderr.String(), "interrupted at step 1; the same command goes on") {
		t.Errorf("exit code %d: %s", code, stderr.String())
	}
	if _, err := os.Stat(filepath.Join(out, checkpointName)); err != nil {
		t.Error(err)
	}
	// Another command does not go on from it.
	code, _, text := weir("", "train", "--seed", "2", "--batch", "1", "--window", "32", "--out", out, data)
	if code != exitRuntime || !strings.Contains(text, "checkpoint of another run") {
		t.Errorf("with another seed: exit code %d: %s", code, text)
	}
	code, _, text = weir("", "train", "--steps", "7", "--batch", "1", "--window", "32", "--out", out, data)
	if code != exitRuntime || !strings.Contains(text, "checkpoint of another run, of 400 steps") {
		t.Errorf("with other steps: exit code %d: %s", code, text)
	}
}

// stopAt cancels a context when a text is written.
type stopAt struct {
	bytes.Buffer
	at   string
	stop context.CancelFunc
}

func (s *stopAt) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(s.at)) {
		s.stop()
	}
	return s.Buffer.Write(p)
}

func TestTimesOfTablesAreRead(t *testing.T) {
	want := time.Date(2014, 2, 14, 14, 30, 0, 0, time.UTC).UnixMilli()
	for _, text := range []string{
		"2014-02-14 14:30:00", "2014-02-14T14:30:00Z", "2014-02-14T15:30:00+01:00", "2014-02-14 14:30", "2014-02-14T14:30:00",
		"1392388200", "1392388200.0", "1392388200000", " 1.3923882e9 ",
	} {
		if got, err := parseTime(text); err != nil || got != want {
			t.Errorf("%q is %d (%v), want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "noon", "1e300", "NaN", "Inf", "2014-13-01"} {
		if got, err := parseTime(text); err == nil {
			t.Errorf("%q is %d, want an error", text, got)
		}
	}
}

// FuzzTable: whatever a table holds, what is kept of it is finite and counted.
func FuzzTable(f *testing.F) {
	f.Add("timestamp,value\n2014-02-14 14:30:00,1\n")
	f.Add("a,ts\n1,5\n\"x\n")
	f.Add("\ufefftime,b,b\n1,2,1e999\n1,,3\n")
	f.Fuzz(func(t *testing.T, text string) {
		var log bytes.Buffer
		data := &telemetryFiles{streams: map[string][]observation{}, log: &log}
		file := &telemetryFile{path: "web.csv"}
		if err := data.readCSV(file, strings.NewReader(text)); err != nil {
			return
		}
		if file.bad > 0 && log.Len() == 0 {
			t.Error("a bad row is not reported")
		}
		for name, events := range data.streams {
			for _, e := range events {
				if math.IsNaN(e.value) || math.IsInf(e.value, 0) {
					t.Errorf("%s holds %v", name, e.value)
				}
			}
		}
	})
}
