package cli

import (
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirstream/weir/config"
	"github.com/weirstream/weir/internal/eval/synthetic"
)

// testBacktest is a backtest with the built-in model and the default settings.
func testBacktest(t *testing.T) *backtest {
	t.Helper()
	model, err := openModel("builtin:telemetry-s")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := (&backtestCmd{}).load()
	if err != nil {
		t.Fatal(err)
	}
	return &backtest{model: model, cfg: operatorConfig(cfg), std: &streams{out: io.Discard, err: io.Discard}}
}

func TestFalseAlarmsAreCountedAgainstTheBudgetOfTheirTime(t *testing.T) {
	b := testBacktest(t)
	hourly := config.Budget{Alarms: 1, Per: hour}
	counts, err := b.scoreNulls(t.Context(), hourly, 5*time.Minute, 1000, 1)
	if err != nil {
		t.Fatal(err)
	}
	alarms := 0
	for i, c := range counts {
		null := synthetic.Nulls[i/nullSeeds]
		alarms += c.Alarms
		if want := 5 * float64(1000-settled-1) / 60; c.Kind != null.Name || !null.Irregular && math.Abs(c.Expected-want) > 1e-9 {
			t.Errorf("stream %d: %+v, want %v alarms expected of %s", i, c, want, null.Name)
		}
	}
	if len(counts) != nullSeeds*len(synthetic.Nulls) || alarms == 0 {
		t.Errorf("%d streams, %d alarms", len(counts), alarms)
	}
	again, err := b.scoreNulls(t.Context(), hourly, 5*time.Minute, 1000, 1)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(counts, again); diff != "" {
		t.Errorf("a second time (-first +second)\n%s", diff)
	}
}

func TestWithoutLabelsNothingHasHappenedWhereFalseAlarmsAreMeasured(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cpu.csv")
	if err := os.WriteFile(path, []byte("cpu\n"+strings.Repeat("1\n2\n", 10)), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := readSeries(path, nil, true); err != nil || len(s.Times) != 20 || len(s.Labels) != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := readSeries(path, nil, false); err == nil {
		t.Error("a file without labels passes where incidents are to be found")
	}
}
