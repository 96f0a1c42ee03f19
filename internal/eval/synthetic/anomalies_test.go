package synthetic

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirstream/weir/internal/eval"
)

// differences returns the events at which a field of two series differs.
func differences(a, b *eval.Series, field int) (at []int) {
	for i := range a.Values {
		if a.Values[i][field] != b.Values[i][field] {
			at = append(at, i)
		}
	}
	return at
}

func TestAnomaliesBeginAtTheirOnset(t *testing.T) {
	for _, h := range Hosts() {
		for _, a := range Anomalies {
			if a.Daily && !h.Daily {
				continue
			}
			s := a.Inject(h.Series, h.Affected, h.Onset, 1)
			if err := s.Check(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]eval.Range{{First: h.Onset, Last: h.Onset + a.Window - 1}}, s.Labels); diff != "" || len(s.Times) != h.Onset+a.Window {
				t.Fatalf("%s: %d events, label (-want +got)\n%s", s.Name, len(s.Times), diff)
			}
			affected := map[int]bool{}
			for _, f := range h.Affected {
				affected[f] = true
			}
			for f := range s.Fields {
				changed := differences(s, h.Series, f)
				if len(changed) > 0 && (changed[0] < h.Onset || !affected[f]) || len(changed) == 0 && affected[f] && a.change != nil {
					t.Errorf("%s: field %d differs at %v, the onset is %d", s.Name, f, changed, h.Onset)
				}
			}
			if silence := s.Times[h.Onset] - s.Times[h.Onset-1]; silence != int64(a.silence+1)*hostGap.Milliseconds() {
				t.Errorf("%s: %d ms before the onset", s.Name, silence)
			}
		}
	}
}

func TestAnomaliesHaveTheirSize(t *testing.T) {
	h := Hosts()[0] // white noise
	size := Size(h.Series, 0, h.Onset)
	at := h.Onset
	x := func(a Anomaly) []float64 { return column(a.Inject(h.Series, h.Affected, at, 1), 0) }
	clean := column(h.Series, 0)
	for _, a := range Anomalies {
		got := x(a)
		step := math.Abs(got[at]-clean[at]) / size
		switch a.Kind {
		case "value, 10 sd":
			if math.Abs(step-10) > 1e-9 || got[at+1] != clean[at+1] {
				t.Errorf("%s: %v sd, then %v instead of %v", a.Kind, step, got[at+1], clean[at+1])
			}
		case "level shift, 5 sd":
			if last := len(got) - 1; math.Abs(step-5) > 1e-9 || math.Abs(math.Abs(got[last]-clean[last])/size-5) > 1e-9 {
				t.Errorf("%s: %v sd", a.Kind, step)
			}
		case "variance, sd × 4":
			if ratio := deviation(got[at:]) / deviation(clean[at:at+100]); ratio < 3.5 || ratio > 4.1 {
				t.Errorf("%s: %v times the deviation", a.Kind, ratio)
			}
		case "stuck for 30 events":
			if slices.Min(got[at-1:at+30]) != slices.Max(got[at-1:at+30]) || got[at+30] != clean[at+30] {
				t.Errorf("%s: %v", a.Kind, got[at-1:at+31])
			}
		}
	}
}

func TestADayWithoutItsPatternIsFlat(t *testing.T) {
	a := Anomalies[len(Anomalies)-1]
	if !a.Daily {
		t.Fatal("the last kind is not the daily one")
	}
	for _, h := range Hosts() {
		if !h.Daily {
			continue
		}
		got, clean := column(a.Inject(h.Series, h.Affected, h.Onset, 1), 0), column(h.Series, 0)
		if day, usual := deviation(got[h.Onset:]), deviation(clean[h.Onset:h.Onset+Day]); day > usual/2 {
			t.Errorf("%s: a deviation of %v, %v on the day before", h.Name, day, usual)
		}
	}
}

func TestCleanPlacesAreFarFromLabels(t *testing.T) {
	s := series("machine", []Null{Nulls[1], Nulls[0], Nulls[3]}, 5)
	for i := range s.Values {
		s.Values[i][1] = 7 // does not move
		if i%100 == 3 {
			s.Values[i][2] = math.NaN()
		}
	}
	s.Labels = []eval.Range{{First: 900, Last: 950}, {First: 1500, Last: 1500}}
	hosts := Clean(s)
	if len(hosts) != 2*spots {
		t.Errorf("%d hosts", len(hosts))
	}
	for _, h := range hosts {
		if !free(s, h.Onset-clear, h.Onset+110+clear) || h.Onset < sized {
			t.Errorf("onset %d", h.Onset)
		}
		for _, f := range h.Affected {
			if Size(h.Series, f, h.Onset) == 0 {
				t.Errorf("%s: field %d of %v does not move", h.Name, f, h.Fields)
			}
		}
		for _, a := range Anomalies {
			if !a.Daily {
				if err := a.Inject(h.Series, h.Affected, h.Onset, 1).Check(); err != nil {
					t.Error(err)
				}
			}
		}
	}
	s.Labels = []eval.Range{{First: 0, Last: len(s.Times) - 60}}
	if hosts := Clean(s); len(hosts) != 0 {
		t.Errorf("%d hosts in a series that is labelled throughout", len(hosts))
	}
}

func deviation(x []float64) float64 {
	mean, square := 0.0, 0.0
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		square += (v - mean) * (v - mean) / float64(len(x))
	}
	return math.Sqrt(square)
}
