package cli

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/weirstream/weir/internal/eval"
)

func FuzzBacktestTable(f *testing.F) {
	f.Add("timestamp,value,label\n2026-01-01 00:00:00,1,0\n2026-01-01 00:01:00,,1\n", "2026-01-01 00:00:00", "2026-01-01 00:01:00.000000")
	f.Add("\ufeffts,b,a\n1767225600,1e308,-0\n", "1767225600", "x")
	f.Add("a,a\n", "", "")
	f.Add("\"", "0", "1e14")
	f.Fuzz(func(t *testing.T, table, from, to string) {
		s, labelled, err := readTable(strings.NewReader(table))
		if err != nil {
			return
		}
		if len(s.Values) != len(s.Times) || labelled != nil && len(labelled) != len(s.Times) {
			t.Fatalf("%d times, %d rows, %d labels", len(s.Times), len(s.Values), len(labelled))
		}
		for _, row := range s.Values {
			if len(row) != len(s.Fields) {
				t.Fatalf("row of %d values, %d fields", len(row), len(s.Fields))
			}
		}
		if len(s.Times) == 0 {
			return
		}
		windows, err := ranges(s.Times, []window{{from, to}})
		if err != nil {
			return
		}
		for _, w := range windows {
			if w.First < 0 || w.Last < w.First || w.Last >= len(s.Times) {
				t.Fatalf("window %v of %d events", w, len(s.Times))
			}
		}
		s.Labels = windows
		if s.Check() == nil && len(seriesEvents(s)) > len(s.Times) {
			t.Fatal("more events than rows")
		}
	})
}

func TestSampleIsItsMachines(t *testing.T) {
	all, err := sampleSeries()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 3 {
		t.Fatalf("%d machines", len(all))
	}
	for _, s := range all {
		if err := s.Check(); err != nil {
			t.Error(err)
		}
		if len(s.Fields) < 20 || len(s.Values[0]) != len(s.Fields) || len(s.Labels) < 4 {
			t.Errorf("%s: %d fields, %d values in a row, %d incidents", s.Name, len(s.Fields), len(s.Values[0]), len(s.Labels))
		}
	}
}

func TestOperatorScoresASeriesAsScoreDoes(t *testing.T) {
	model, err := openModel("builtin:telemetry-s")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := (&backtestCmd{}).load()
	if err != nil {
		t.Fatal(err)
	}
	all, err := sampleSeries()
	if err != nil {
		t.Fatal(err)
	}
	s := *all[0]
	n := 700 // more than two batches
	s.Times, s.Values = s.Times[:n], s.Values[:n]
	s.Labels = []eval.Range{{First: 300, Last: 320}}
	run, err := scoreSeries(t.Context(), model, operatorConfig(cfg), &s)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range scoredBy(t, &s) {
		var want struct {
			Score  float64            `json:"anomaly_score"`
			Median map[string]float64 `json:"yhat"`
		}
		if err := json.Unmarshal([]byte(line), &want); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		// The median is printed in fewer digits.
		if got := run.Forecasts[i][0].Median; run.Scores[i] != want.Score || math.Abs(got-want.Median["f00"]) > 1e-6 {
			t.Fatalf("event %d: score %v and median %v, weir score says %s", i, run.Scores[i], got, line)
		}
	}
}

// scoredBy returns what weir score prints for a series.
func scoredBy(t *testing.T, s *eval.Series) []string {
	t.Helper()
	var in, out, errs bytes.Buffer
	for i, at := range s.Times {
		values := make(map[string]float64)
		for f, name := range s.Fields {
			values[name] = s.Values[i][f]
		}
		if err := json.NewEncoder(&in).Encode(map[string]any{"stream": s.Name, "ts": at, "values": values}); err != nil {
			t.Fatal(err)
		}
	}
	if code := Main(t.Context(), []string{"score"}, &in, &out, &errs); code != exitOK {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != len(s.Times) {
		t.Fatalf("%d lines for %d events", len(lines), len(s.Times))
	}
	return lines
}
