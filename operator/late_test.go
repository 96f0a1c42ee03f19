package operator

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirstream/weir/statestore"
)

func TestLateEventIsScoredNotLearnt(t *testing.T) {
	m := tinyModel(t, 1)
	o, _ := open(t, m, statestore.NewMemory(), 1, testConfig)
	without, _ := open(t, m, statestore.NewMemory(), 1, testConfig)
	past := make([]Event, 200)
	for i := range past {
		past[i] = named("s", int64(i), 60*float64(i), "abc")
	}
	apply(t, o, past...)
	apply(t, without, past...)

	late := named("s", 300, 60*199-0.001, "abz")
	late.Fields[0].Value = 1e12
	p := apply(t, o, late).Predictions[0]
	if p.Phase != Late || p.IsAnomaly || p.N != 201 || p.GapSeconds != -0.001 {
		t.Errorf("late event: %s, anomaly %v, n %d, gap %v s", p.Phase, p.IsAnomaly, p.N, p.GapSeconds)
	}
	if !(p.PValue < 0.05) || !(p.AnomalyScore > 0.5) {
		t.Errorf("a late event of 1e12 scored p %v, %v", p.PValue, p.AnomalyScore)
	}
	wantShares(t, &p)
	next := named("s", 301, 60*200, "abc")
	if diff := cmp.Diff(bitsOf(apply(t, without, next)), bitsOf(apply(t, o, next))); diff != "" {
		t.Errorf("the event after (-without the late one +with it):\n%s", diff)
	}
	if !bytes.Equal(o.record("s"), without.record("s")) {
		t.Error("a late event left a trace in its stream's record")
	}
}

// phases plays events one by one and returns their phases.
func phases(t *testing.T, o *Operator, events []Event) (all []Phase) {
	t.Helper()
	for _, ev := range events {
		all = append(all, apply(t, o, ev).Predictions[0].Phase)
	}
	return all
}

// wantClockFollowed fails unless all but the last of a run of late events were late,
// and those after it are not.
func wantClockFollowed(t *testing.T, got []Phase) {
	t.Helper()
	for i, p := range got {
		want := Ready
		if i < lateRunLimit-1 {
			want = Late
		}
		if p != want {
			t.Errorf("event %d after the clock moved is %s, want %s", i+1, p, want)
		}
	}
}

func TestClockSetBackIsFollowedAfterSixteenLateEvents(t *testing.T) {
	o, _ := open(t, tinyModel(t, 2), statestore.NewMemory(), 1, testConfig)
	apply(t, o, minutely("s", 0, 200)...)
	const hoursBack = 48
	set := minutely("s", 200, 60)
	for i := range set {
		set[i].Time -= hoursBack * 3600 * 1000
	}
	wantClockFollowed(t, phases(t, o, set))
	s := o.cache.live["s"]
	if want := int64(200 + len(set) - (lateRunLimit - 1)); s.n != want {
		t.Errorf("%d events learnt, want %d", s.n, want)
	}
	if gap := s.typicalGap(); gap < 50 || gap > 70 {
		t.Errorf("the typical gap of a stream of one event a minute is %v s after its clock was set back", gap)
	}
}

func TestFewLateEventsInARowDoNotMoveTheClock(t *testing.T) {
	o, _ := open(t, tinyModel(t, 2), statestore.NewMemory(), 1, testConfig)
	apply(t, o, minutely("s", 0, 100)...)
	offset := int64(100)
	for round := range 20 {
		for range lateRunLimit - 1 {
			if p := apply(t, o, plain("s", offset, 0, 1)).Predictions[0]; p.Phase != Late {
				t.Fatalf("round %d: %s", round, p.Phase)
			}
			offset++
		}
		if p := apply(t, o, plain("s", offset, 60*float64(100+round), 1)).Predictions[0]; p.Phase != Ready || p.GapSeconds != 60 {
			t.Fatalf("round %d: an event in time is %s, gap %v", round, p.Phase, p.GapSeconds)
		}
		offset++
	}
}

func TestFarFutureEventDoesNotSilenceItsStream(t *testing.T) {
	o, _ := open(t, tinyModel(t, 3), statestore.NewMemory(), 1, testConfig)
	apply(t, o, minutely("s", 0, 200)...)
	const year9999 = 253_402_300_799_000
	future := minutely("s", 200, 1)
	future[0].Time = year9999
	if p := phases(t, o, future)[0]; p != Ready {
		t.Errorf("an event of the year 9999 is %s", p)
	}
	wantClockFollowed(t, phases(t, o, minutely("s", 201, 60)))
	if gap := o.cache.live["s"].typicalGap(); gap < 50 || gap > 70 {
		t.Errorf("the typical gap of a stream of one event a minute is %v s after one event of the year 9999", gap)
	}
}
