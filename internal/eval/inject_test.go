package eval

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

func TestInjectedAnomaliesAreFoundInTheirWindowOnly(t *testing.T) {
	s := minutely(100, Range{50, 59})
	var j Injected
	for _, alarms := range [][]int{{49, 53, 55}, {20, 60}, {}, {59}} {
		r := &Run{Scores: make([]float64, 100)}
		for _, i := range alarms {
			r.Scores[i] = 2
		}
		j.AddRun(s, r, 1.0/3600)
	}
	if j.Series != 4 || j.Found != 2 || j.Share() != 0.5 || median(j.Delays) != 6 {
		t.Errorf("%+v", j)
	}
	if want := 1 - math.Exp(-1.0/6); math.Abs(j.Chance-want) > 1e-12 {
		t.Errorf("chance %v, want %v", j.Chance, want)
	}
}

func TestInjectedTablesHaveARowAKindAndAColumnADetector(t *testing.T) {
	var all []Injected
	for _, group := range []string{"a", "b"} {
		for _, kind := range []string{"value", "level"} {
			for _, d := range []string{"weir", "other"} {
				j := Injected{Group: group, Kind: kind, Detector: d, Series: 4, Chance: 0.05}
				if d == "weir" {
					j.Found, j.Delays = 3, []float64{1, 7, 2}
				}
				all = append(all, j)
			}
		}
	}
	var b bytes.Buffer
	if err := WriteInjected(&b, all); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "| kind  | streams | by chance |   weir | other |"); n != 2 {
		t.Errorf("%d headers in\n%s", n, b.String())
	}
	if n := strings.Count(b.String(), "| level |       4 |        5% | 75%, 2 |    0% |"); n != 2 {
		t.Errorf("%d rows in\n%s", n, b.String())
	}
}
