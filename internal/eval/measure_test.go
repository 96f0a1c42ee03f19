package eval

import (
	"bytes"
	"encoding/json"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirstream/weir/internal/eval/detector"
)

// withSpikes is a series of noise whose labels begin with a spike.
func withSpikes(name string) *Series {
	s := minutely(2000, Range{900, 910}, Range{1500, 1519})
	s.Name = name
	for i := range s.Values {
		s.Values[i] = []float64{math.Sin(float64(i)) + 0.3*math.Sin(1.7*float64(i))}
	}
	s.Values[900][0], s.Values[1500][0] = 30, -30
	return s
}

// gaussian is a baseline that finds such spikes.
func gaussian(t *testing.T) detector.Baseline {
	for _, b := range detector.Baselines {
		if b.Name == "Gaussian z" {
			return b
		}
	}
	t.Fatal("no such baseline")
	return detector.Baseline{}
}

const aDay = 1.0 / (24 * 3600)

func TestTallyMeasuresWhatADetectorFinds(t *testing.T) {
	tally := NewTally("gaussian")
	quiet := minutely(400)
	for _, s := range []*Series{withSpikes("a"), withSpikes("b"), quiet} {
		run := Baseline(gaussian(t), aDay, s)
		if err := tally.Add(s, run); err != nil {
			t.Fatal(err)
		}
	}
	r := tally.Result()
	if r.NAB[0].Score < 99 || r.NAB[0].Windows != 4 || r.NAB[0].Found != 4 {
		t.Errorf("NAB %+v", r.NAB[0])
	}
	if r.Alarms.Incidents != 4 || r.Alarms.Found != 4 || r.Alarms.MedianDelay() != 0 || r.Alarms.Precision() != 1 {
		t.Errorf("alarms %+v", r.Alarms)
	}
	if len(r.Series) != 3 || !math.IsNaN(r.Series[2].VUSPR) || r.VUSPR != r.Series[0].VUSPR || r.VUSPR < 0.05 {
		t.Errorf("VUS-PR %v of series %+v", r.VUSPR, r.Series)
	}
}

func TestExtremeValuesHaveScores(t *testing.T) {
	for _, fields := range []int{1, 3} {
		s := minutely(600, Range{300, 310})
		s.Fields = []string{"a", "b", "c"}[:fields]
		for i := range s.Values {
			s.Values[i] = []float64{math.MaxFloat64 * float64(i%3-1), 5e-324 * float64(i%2), 0}[:fields]
		}
		for _, b := range detector.Baselines {
			if err := NewTally(b.Name).Add(s, Baseline(b, aDay, s)); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestTallyRefusesScoresThatAreNone(t *testing.T) {
	s := withSpikes("a")
	if err := NewTally("x").Add(s, &Run{Scores: make([]float64, 3)}); err == nil || !strings.Contains(err.Error(), "3 scores for 2000 events") {
		t.Error(err)
	}
	run := NewForecastRun(s)
	run.Scores[7] = math.NaN()
	if err := NewTally("x").Add(s, run); err == nil || !strings.Contains(err.Error(), "event 8 of a") {
		t.Error(err)
	}
}

func TestReportsHaveANumberOrADash(t *testing.T) {
	var results []Result
	for _, name := range []string{"finds", "has nothing to find"} {
		tally := NewTally(name)
		s := withSpikes("a")
		if len(results) > 0 {
			s = minutely(100)
		}
		run := NewForecastRun(s)
		run.Scores = Baseline(gaussian(t), aDay, s).Scores
		for i := range run.Forecasts {
			run.Forecasts[i][0] = Forecast{-1, 0, 1}
		}
		if err := tally.Add(s, run); err != nil {
			t.Fatal(err)
		}
		results = append(results, tally.Result())
	}
	var table, series bytes.Buffer
	if err := WriteTable(&table, results); err != nil {
		t.Fatal(err)
	}
	if err := WriteSeriesTable(&series, results[:1]); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(table.String(), "\n")
	if !strings.Contains(lines[2], "| finds ") || !strings.Contains(lines[2], " 100.0 |") || !strings.Contains(lines[3], " – |") {
		t.Errorf("table:\n%s", table.String())
	}
	if strings.Contains(table.String()+series.String(), "NaN") || !strings.Contains(table.String(), "median error is ") {
		t.Errorf("table:\n%s%s", table.String(), series.String())
	}
	text, err := json.Marshal(results)
	if err != nil {
		t.Fatal(err)
	}
	var back []struct {
		Detector string
		NAB      map[string]struct{ Score *float64 }
		Forecast struct {
			Coverage float64 `json:"coverage_90"`
			Moving   int     `json:"moving_fields"`
		}
	}
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if back[0].NAB["standard"].Score == nil || back[1].NAB["standard"].Score != nil || !(back[0].Forecast.Coverage > 0.5) || back[0].Forecast.Moving != 1 {
		t.Errorf("%s", text)
	}
}

func TestPlotIsAPicture(t *testing.T) {
	two := withSpikes("two fields, one missing at times")
	two.Fields = []string{"a", "b"}
	for i := range two.Values {
		two.Values[i] = append(two.Values[i], math.NaN())
	}
	constant := minutely(50, Range{10, 10})
	for i := range constant.Values {
		constant.Values[i][0] = 5
	}
	for _, s := range []*Series{withSpikes("one"), two, constant} {
		run := NewForecastRun(s)
		run.Scores[20] = 3
		for i := 5; i < len(run.Forecasts); i++ {
			run.Forecasts[i][0] = Forecast{-1, 0, 1}
		}
		path := filepath.Join(t.TempDir(), "plot.png")
		if err := WritePlot(path, s, run); err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(f)
		if err != nil || img.Bounds().Dx() < 1000 {
			t.Errorf("%s: %v", s.Name, err)
		}
		_ = f.Close()
	}
}
