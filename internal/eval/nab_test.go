package eval

import (
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"testing"

	"pgregory.net/rapid"
)

// golden is testdata/nab.json.gz, which nab.py there explains.
type golden struct {
	Threshold float64
	Files     []struct {
		Name      string
		Windows   [][2]int
		Scores    []float64
		Published float64
		Raw       map[string]float64
	}
	Best map[string]struct{ Raw, Normalised float64 }
}

func readGolden(t *testing.T) (g golden, all []Scored) {
	t.Helper()
	f, err := os.Open("testdata/nab.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(r).Decode(&g); err != nil {
		t.Fatal(err)
	}
	for _, file := range g.Files {
		s := Scored{Scores: file.Scores}
		for _, w := range file.Windows {
			s.Labels = append(s.Labels, Range{w[0], w[1]})
		}
		all = append(all, s)
	}
	if len(all) == 0 {
		t.Fatal("no files")
	}
	return g, all
}

func TestNABScoresAreThosePublished(t *testing.T) {
	g, all := readGolden(t)
	for i, file := range g.Files {
		if got := NABScore(all[i], g.Threshold, Profiles[0]); math.Abs(got-file.Published) > 1e-9 {
			t.Errorf("%s: %v, NAB published %v", file.Name, got, file.Published)
		}
		for _, p := range Profiles {
			if got := NABScore(all[i], g.Threshold, p); math.Abs(got-file.Raw[p.Name]) > 1e-9 {
				t.Errorf("%s, %s: %v, want %v", file.Name, p.Name, got, file.Raw[p.Name])
			}
		}
	}
}

func TestNABThresholdIsTheBestOfAll(t *testing.T) {
	g, all := readGolden(t)
	for _, p := range Profiles {
		got, want := SweepNAB(all, p), g.Best[p.Name]
		if math.Abs(got.Score-want.Normalised) > 1e-9 {
			t.Errorf("%s: %+v, want %v", p.Name, got, want)
		}
		raw := 0.0
		for _, s := range all {
			raw += NABScore(s, got.Threshold, p)
		}
		if math.Abs(raw-want.Raw) > 1e-9 {
			t.Errorf("%s: %v at the threshold %v, want %v", p.Name, raw, got.Threshold, want.Raw)
		}
	}
}

func TestNABByHand(t *testing.T) {
	s := Scored{Labels: []Range{{40, 49}}, Scores: make([]float64, 100)} // 15 events of probation
	for name, c := range map[string]struct {
		alarms []int
		want   float64
	}{
		"silent":                     {nil, -1},
		"left edge":                  {[]int{40}, 1},
		"right edge":                 {[]int{49}, position(-0.1) / position(-1)},
		"the first alarm counts":     {[]int{40, 45, 49}, 1},
		"before any window":          {[]int{20, 40}, 1 - 0.11},
		"just behind":                {[]int{40, 50}, 1 + 0.11*position(1.0/9)},
		"far behind":                 {[]int{40, 99}, 1 - 0.11},
		"in probation":               {[]int{3, 14, 40}, 1},
		"the first after probation":  {[]int{15, 40}, 1 - 0.11},
		"a false alarm, window lost": {[]int{30}, -1.11},
	} {
		clear(s.Scores)
		for _, i := range c.alarms {
			s.Scores[i] = 1
		}
		if got := NABScore(s, 0.5, Profiles[0]); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if got := position(-1); math.Abs(got-0.98661) > 1e-5 {
		t.Errorf("left edge is worth %v", got)
	}
}

func TestNABIsZeroForSilenceAndHundredForPerfection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Scored{Scores: make([]float64, rapid.IntRange(200, 800).Draw(t, "n"))}
		at := probation(len(s.Scores))
		for at < len(s.Scores)-20 && len(s.Labels) < 4 {
			first := at + rapid.IntRange(1, 30).Draw(t, "distance")
			last := first + rapid.IntRange(0, 40).Draw(t, "length")
			if last >= len(s.Scores) {
				break
			}
			s.Labels = append(s.Labels, Range{first, last})
			at = last + 1
		}
		if len(s.Labels) == 0 {
			return
		}
		p := rapid.SampledFrom(Profiles[:]).Draw(t, "profile")
		if got := SweepNAB([]Scored{s}, p); got.Score > 100 || got.Score < 0 {
			t.Errorf("constant scores: %+v", got)
		}
		for _, w := range s.Labels {
			s.Scores[w.First] = 1
		}
		if got := SweepNAB([]Scored{s}, p); math.Abs(got.Score-100) > 1e-9 || got.Found != len(s.Labels) || got.FalsePositives != 0 {
			t.Errorf("perfect scores: %+v", got)
		}
		if null := NABScore(s, 2, p); null != -p.FN*float64(len(s.Labels)) {
			t.Errorf("silence is worth %v", null)
		}
	})
}

func TestNABOfOneClassIsNoNumber(t *testing.T) {
	if got := SweepNAB([]Scored{{Scores: make([]float64, 50)}}, Profiles[0]); !math.IsNaN(got.Score) {
		t.Errorf("score without windows is %v", got.Score)
	}
}

func TestNABAtABestThresholdIsTheSweeps(t *testing.T) {
	_, all := readGolden(t)
	sweep := SweepNAB(all, Profiles[0])
	if got := NABAt(all, sweep.Threshold); math.Abs(got-sweep.Score) > 1e-9 {
		t.Errorf("%v, the sweep found %v", got, sweep.Score)
	}
	if got := NABAt(all, math.Inf(1)); got != 0 {
		t.Errorf("silence is worth %v", got)
	}
	if halves := NABHalves(all); halves >= sweep.Score {
		t.Errorf("thresholds of the other half give %v, the best of all %v", halves, sweep.Score)
	}
}

// The threshold that one half chooses misses the other's windows where their scores are
// on another scale.
func TestNABHalvesKnowOnlyTheOtherHalf(t *testing.T) {
	series := func(height float64) Scored {
		s := Scored{Labels: []Range{{40, 49}}, Scores: make([]float64, 100)}
		s.Scores[40] = height
		return s
	}
	for name, c := range map[string]struct {
		heights []float64
		want    float64
	}{
		"one scale":    {[]float64{2, 2, 2, 2}, 100},
		"two scales":   {[]float64{2, 3, 2, 3}, 50}, // at 3 nothing of the first half is an alarm
		"half unknown": {[]float64{2}, math.NaN()},
	} {
		var all []Scored
		for _, h := range c.heights {
			all = append(all, series(h))
		}
		if got := NABHalves(all); math.Abs(got-c.want) > 1e-9 || math.IsNaN(got) != math.IsNaN(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
