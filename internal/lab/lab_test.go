package lab

import (
	"bytes"
	"context"
	"errors"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirstream/weir/ssm/train"
)

func TestSelectiveCopyingAsksForTheValuesInOrder(t *testing.T) {
	k := selectiveCopying(4, 20, nil)
	places := map[int]bool{}
	for _, w := range k.batch(1, 2, 20, 50) {
		var kept, asked []int32
		for i, id := range w.Tokens {
			switch {
			case id < values:
				kept = append(kept, id)
				places[i] = true
			case id == ask:
				asked = append(asked, w.Labels[i])
			}
			if (id == ask) != (w.Labels[i] >= 0) || (id == ask) != (i >= 20) {
				t.Fatalf("token %d at %d has label %d", id, i, w.Labels[i])
			}
		}
		if len(kept) != 4 || !slices.Equal(kept, asked) {
			t.Fatalf("the values are %v, asked for are %v", kept, asked)
		}
	}
	if len(places) != 20 {
		t.Errorf("values stood at %d places of 20", len(places))
	}
}

func TestInductionAsksForWhatFollowedTheMarker(t *testing.T) {
	k := inductionHeads(12, nil)
	places := map[int]bool{}
	for _, w := range k.batch(1, 2, 12, 100) {
		at := slices.Index(w.Tokens, ask)
		places[at] = true
		if last := len(w.Tokens) - 1; w.Tokens[last] != ask || at == last || w.Labels[last] != w.Tokens[at+1] {
			t.Fatalf("tokens %v with labels %v", w.Tokens, w.Labels)
		}
		if slices.ContainsFunc(w.Labels[:len(w.Labels)-1], func(l int32) bool { return l >= 0 }) {
			t.Fatalf("labels %v before the end", w.Labels)
		}
	}
	if len(places) != 10 {
		t.Errorf("the marker stood at %d places of 10", len(places))
	}
}

func TestBatchesDifferByStepAndSeedOnly(t *testing.T) {
	k := selectiveCopying(4, 20, nil)
	first := k.batch(1, 2, 20, 3)
	if !cmp.Equal(first, k.batch(1, 2, 20, 3)) {
		t.Error("the same step drew other sequences")
	}
	if cmp.Equal(first, k.batch(1, 3, 20, 3)) || cmp.Equal(first, k.batch(2, 2, 20, 3)) {
		t.Error("another step or seed drew the same sequences")
	}
}

func TestContendersHaveAboutAsManyParameters(t *testing.T) {
	all, err := contenders(vocab, train.Options{Rate: 1e-3, Clip: 1, Steps: 1}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 4 {
		t.Fatalf("%d contenders, want 4", len(all))
	}
	for _, c := range all {
		if ratio := float64(c.params) / float64(all[0].params); ratio < 0.95 || ratio > 1.07 {
			t.Errorf("%s has %d parameters, Mamba %d", c.name, c.params, all[0].params)
		}
		if grows := c.stateBytes(1000) > c.stateBytes(1); grows != (c.name == "attention") {
			t.Errorf("%s: %d bytes after one event, %d after a thousand", c.name, c.stateBytes(1), c.stateBytes(1000))
		}
	}
}

// tinyPlan takes a second even with the race detector.
func tinyPlan() plan {
	p := planFor(true)
	p.train.Steps, p.batch, p.examples, p.lengths = 2, 2, 1, []int{16, 32}
	for i := range p.tasks {
		p.tasks[i].length, p.tasks[i].lengths = 12, []int{12, 24}
	}
	return p
}

func TestRunGivesTheSameScoresAndAWholeReport(t *testing.T) {
	run := func() *Result {
		r, err := run(context.Background(), Options{Quick: true, Seed: 3, Progress: io.Discard}, tinyPlan())
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := run()
	if diff := cmp.Diff(r.scores, run().scores, cmp.AllowUnexported(score{})); diff != "" {
		t.Errorf("a second run with the same seed differs:\n%s", diff)
	}
	out := filepath.Join(t.TempDir(), "a", "b")
	path, err := r.Write(out)
	if err != nil {
		t.Fatal(err)
	}
	report, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{accuracyFile, costFile, trainingFile} {
		if !strings.Contains(string(report), "]("+file+")") {
			t.Errorf("the report does not show %s", file)
		}
		data, err := os.ReadFile(filepath.Join(out, file))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := png.Decode(bytes.NewReader(data)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	for _, model := range []string{"Mamba", "S4D", "GRU", "attention"} {
		if n := strings.Count(string(report), "\n| "+model); n != 6 { // sizes, two tasks, bytes and µs, training
			t.Errorf("%s has %d rows in the report, want 6:\n%s", model, n, report)
		}
	}
}

func TestRunStopsWhenAsked(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, Options{Quick: true, Seed: 1, Progress: io.Discard}); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want that of the context", err)
	}
}
