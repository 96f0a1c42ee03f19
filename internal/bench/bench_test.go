package bench

import (
	"bytes"
	"context"
	"errors"
	"image/png"
	"io"
	"testing"

	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/operator/builtin"
	"github.com/weirstream/weir/ssm"
)

func options(t *testing.T) Options {
	t.Helper()
	fsys, err := builtin.Open("telemetry-s")
	if err != nil {
		t.Fatal(err)
	}
	core, err := ssm.Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	model, err := operator.LoadModel(fsys, "telemetry-s")
	if err != nil {
		t.Fatal(err)
	}
	return Options{For: 1, Builtin: model, Core: core, Progress: io.Discard}
}

func TestRunMeasuresEverythingAndDrawsIt(t *testing.T) {
	r, err := Run(t.Context(), options(t))
	if err != nil {
		t.Fatal(err)
	}
	if r.Rounds < minRounds || len(r.Steps) != 6 || len(r.Operator) != 3 {
		t.Fatalf("%d rounds, %d step rates, %d operator rates", r.Rounds, len(r.Steps), len(r.Operator))
	}
	if m := r.Machine; m.GFLOPS <= 0 || m.Gexp <= 0 || m.GBs <= 0 {
		t.Errorf("peaks are missing: %+v", m)
	}
	for _, s := range r.Steps {
		if s.Rate <= 0 || s.Limit <= 0 || s.OfLimit != s.Rate/s.Limit {
			t.Errorf("no rate, or not beside its limit: %+v", s)
		}
	}
	for _, o := range r.Operator {
		if o.Rate <= 0 {
			t.Errorf("no rate: %+v", o)
		}
	}
	var image bytes.Buffer
	if err := r.Draw(&image); err != nil {
		t.Fatal(err)
	}
	if _, err := png.Decode(&image); err != nil {
		t.Error(err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, options(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("Run returned %v", err)
	}
}
