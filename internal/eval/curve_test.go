package eval

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCurvesAreThoseOfOtherImplementations(t *testing.T) {
	text, err := os.ReadFile("testdata/curves.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Versions []string
		Cases    []map[string]json.RawMessage
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	for _, c := range golden.Cases {
		var name string
		var ranges [][2]int
		var buffer int
		var scores []float64
		for key, into := range map[string]any{"name": &name, "labels": &ranges, "buffer": &buffer, "scores": &scores} {
			if err := json.Unmarshal(c[key], into); err != nil {
				t.Fatalf("%s: %v", key, err)
			}
		}
		s := Series{Times: make([]int64, len(scores))}
		for _, r := range ranges {
			s.Labels = append(s.Labels, Range{r[0], r[1]})
		}
		pr, roc := VUS(scores, s.Labels, buffer)
		got := map[string]float64{
			"vus_pr": pr, "vus_roc": roc,
			"ap": AveragePrecision(scores, s.labelled()), "f1": BestF1(scores, s.labelled()),
		}
		compared := 0
		for _, version := range golden.Versions {
			var want map[string]float64
			if c[version] == nil || json.Unmarshal(c[version], &want) != nil {
				continue
			}
			for metric, value := range want {
				compared++
				if !(math.Abs(got[metric]-value) < 1e-9) {
					t.Errorf("%s: %s is %v, %s says %v", name, metric, got[metric], version, value)
				}
			}
		}
		if compared != 6 {
			t.Errorf("%s: compared %d numbers: %s", name, compared, strings.Join(golden.Versions, ", "))
		}
	}
}

func TestCurvesOfOneClassAreNoNumber(t *testing.T) {
	scores := []float64{1, 2, 3}
	for name, labels := range map[string][]Range{"none": nil, "all": {{0, 2}}} {
		pr, roc := VUS(scores, labels, 10)
		s := Series{Times: make([]int64, 3), Labels: labels}
		for _, v := range []float64{pr, roc, AveragePrecision(scores, s.labelled()), BestF1(scores, s.labelled())} {
			if !math.IsNaN(v) {
				t.Errorf("%s labelled: %v", name, v)
			}
		}
	}
}

func TestCurvesDependOnlyOnTheOrderOfScores(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(20, 400).Draw(t, "n")
		scores := rapid.SliceOfN(rapid.Float64Range(0, 20), n, n).Draw(t, "scores")
		first := rapid.IntRange(1, n-1).Draw(t, "first")
		labels := []Range{{first, rapid.IntRange(first, n-1).Draw(t, "last")}}
		grown := make([]float64, n)
		for i, x := range scores {
			grown[i] = 1024 * x // exact: no two become one
		}
		pr, roc := VUS(scores, labels, 20)
		pr2, roc2 := VUS(grown, labels, 20)
		if pr != pr2 || roc != roc2 {
			t.Errorf("%v %v, scaled %v %v", pr, roc, pr2, roc2)
		}
		if !(pr >= 0 && pr <= 1+1e-9 && roc >= -1e-9 && roc <= 1+1e-9) {
			t.Errorf("VUS-PR %v, VUS-ROC %v", pr, roc)
		}
	})
}
