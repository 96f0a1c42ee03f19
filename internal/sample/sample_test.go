package sample

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestSampleHasLabelledIncidentsAndOrdinaryStretches(t *testing.T) {
	streams, err := Streams()
	if err != nil {
		t.Fatal(err)
	}
	machines := map[string]bool{}
	for _, s := range streams {
		machine, _, _ := strings.Cut(s.Name, "/")
		machines[machine] = true
		if len(s.Times) != 4000 || len(s.Values) != len(s.Times) || !slices.IsSorted(s.Times) {
			t.Errorf("%s: %d times, %d values", s.Name, len(s.Times), len(s.Values))
		}
		if slices.Min(s.Values) == slices.Max(s.Values) || math.IsNaN(slices.Min(s.Values)) {
			t.Errorf("%s never changes", s.Name)
		}
		inside := int64(0)
		for i, in := range s.Incidents {
			if in.End < in.Start || i > 0 && in.Start <= s.Incidents[i-1].End {
				t.Errorf("%s: incident %d is %v", s.Name, i, in)
			}
			inside += (in.End-in.Start)/60_000 + 1
		}
		if len(s.Incidents) < 4 || inside > int64(len(s.Times))/5 || s.Incidents[0].Start < s.Times[300] {
			t.Errorf("%s: %d incidents of %d minutes", s.Name, len(s.Incidents), inside)
		}
	}
	if len(machines) != 3 || len(streams) < 60 {
		t.Errorf("%d streams of %d machines", len(streams), len(machines))
	}
}

func TestEventsAreEveryValueInTimeOrder(t *testing.T) {
	streams, err := Streams()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{}
	for _, s := range streams {
		for _, v := range s.Values {
			want[s.Name] += v
		}
	}
	events, err := Events()
	if err != nil {
		t.Fatal(err)
	}
	var before Event
	for e := range events {
		if e.Time < before.Time || e.Time == before.Time && e.Stream <= before.Stream {
			t.Fatalf("%+v after %+v", e, before)
		}
		want[e.Stream] -= e.Value
		before = e
	}
	for name, rest := range want {
		if math.Abs(rest) > 1e-6 {
			t.Errorf("%s: values missing from the events, sum off by %v", name, rest)
		}
	}
	for range events { // a consumer may stop early
		break
	}
}
