package operator

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirstream/weir/statestore"
)

func TestEventAtOrBelowItsStreamsOffsetIsSkipped(t *testing.T) {
	m, store := tinyModel(t, 1), statestore.NewMemory()
	events := minutely("a", 10, 20)
	live, _ := open(t, m, store, 1, testConfig)
	apply(t, live, events...)
	checkpoint(t, live, 29)
	record := live.record("a")
	restarted, _ := open(t, m, store, 2, testConfig)

	again := append(slices.Clone(events), plain("a", 29, 9e6, 77), plain("b", 30, 0, 1))
	for name, o := range map[string]*Operator{"live": live, "restarted": restarted} {
		r := apply(t, o, again...)
		if len(r.Predictions) != 1 || r.Predictions[0].Offset != 30 || r.Skipped != len(events)+1 {
			t.Errorf("%s: %d events skipped, want %d; predictions %v, want that at 30 alone",
				name, r.Skipped, len(events)+1, bitsOf(r))
		}
		if !bytes.Equal(o.record("a"), record) {
			t.Errorf("%s: skipped events changed their stream", name)
		}
		if r := apply(t, o, plain("a", 31, 1860, 5)); len(r.Predictions) != 1 || r.Predictions[0].N != 21 {
			t.Errorf("%s: the first new event: %v", name, bitsOf(r))
		}
	}
}

func TestBatchingDoesNotChangeAnyBit(t *testing.T) {
	m := tinyModel(t, 2)
	events := randomLog(rand.New(rand.NewPCG(7, 7)), 700)
	for i, ev := range []Event{wide("wide", 0, 0, 0, 256), wide("wide", 0, 0, 3, 200), wide("wide", 0, 0, 0, 64)} {
		ev.Time, ev.Offset = events[200*i+100].Time, events[200*i+100].Offset
		events[200*i+100] = ev
	}
	var want []string
	for _, size := range []int{1, 2, 7, 64, 100, len(events)} {
		o, _ := open(t, m, statestore.NewMemory(), 1, testConfig)
		got := play(t, o, events, size)
		if size == 1 {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("batches of %d (-single +batched):\n%s", size, diff)
		}
	}
	if len(want) != len(events) {
		t.Fatalf("%d predictions of %d events", len(want), len(events))
	}
}

func TestNoStreamAffectsAnother(t *testing.T) {
	m, together := tinyModel(t, 3), statestore.NewMemory()
	events := randomLog(rand.New(rand.NewPCG(1, 2)), 600)
	o, _ := open(t, m, together, 1, testConfig)
	want := play(t, o, events, 50)
	checkpoint(t, o, events[len(events)-1].Offset)

	got := make(map[int64]string)
	for stream, record := range records(t, together, events) {
		own := slices.DeleteFunc(slices.Clone(events), func(ev Event) bool { return string(ev.Stream) != stream })
		alone := statestore.NewMemory()
		o, _ := open(t, m, alone, 1, testConfig)
		for i, line := range play(t, o, own, 5) {
			got[own[i].Offset] = line
		}
		checkpoint(t, o, own[len(own)-1].Offset)
		if diff := cmp.Diff(record, records(t, alone, own)[stream]); diff != "" {
			t.Errorf("record of %q (-together +alone):\n%s", stream, diff)
		}
	}
	for i, line := range want {
		if got[events[i].Offset] != line {
			t.Fatalf("among others\n%s\nalone\n%s", line, got[events[i].Offset])
		}
	}
}

func TestFieldsMayComeAndGo(t *testing.T) {
	m := tinyModel(t, 4)
	o, _ := open(t, m, statestore.NewMemory(), 1, testConfig)
	alone, _ := open(t, m, statestore.NewMemory(), 1, testConfig)
	sets := []string{"ab", "b", "bc", "", "abcd", "a", "c"}
	for i := range int64(400) {
		letters := sets[i*i%int64(len(sets))]
		ev := named("s", i, 60*float64(i), letters)
		if letters == "" {
			ev = plain("s", i, 60*float64(i), wave(i))
		}
		p := apply(t, o, ev).Predictions[0]
		if len(p.Forecasts) != len(ev.Fields) {
			t.Fatalf("event %d: %d forecasts for %d fields", i, len(p.Forecasts), len(ev.Fields))
		}
		wantShares(t, &p)
		if letters == "" || letters[0] != 'a' {
			continue
		}
		// What field a is forecast to be depends on a's own past alone.
		want := apply(t, alone, named("s", i, 60*float64(i), "a")).Predictions[0].Forecasts[0]
		if p.Forecasts[0] != want {
			t.Fatalf("event %d: field a is forecast as %v, on its own as %v", i, p.Forecasts[0], want)
		}
	}
}

// wantShares fails unless the attribution is there where it should be and sums to 1.
func wantShares(t *testing.T, p *Prediction) {
	t.Helper()
	if len(p.Fields[0].Name) == 0 {
		if len(p.Attribution) != 0 {
			t.Fatalf("event %d: one unnamed field is given shares %v", p.Offset, p.Attribution)
		}
		return
	}
	sum := 0.0
	for _, share := range p.Attribution {
		if !(share >= 0) {
			t.Fatalf("event %d: attribution %v", p.Offset, p.Attribution)
		}
		sum += share
	}
	if len(p.Attribution) != len(p.Fields) || sum < 1-1e-9 || sum > 1+1e-9 {
		t.Fatalf("event %d: attribution %v of %d fields sums to %v", p.Offset, p.Attribution, len(p.Fields), sum)
	}
}

func TestTooManyFieldsIsRejectedWithoutEffect(t *testing.T) {
	m, store := tinyModel(t, 5), statestore.NewMemory()
	o, _ := open(t, m, store, 1, testConfig)
	other, _ := open(t, m, statestore.NewMemory(), 1, testConfig)
	full := wide("full", 0, 0, 0, maxFields)
	apply(t, o, full)
	apply(t, other, full)
	before := o.record("full")

	good := []Event{wide("full", 3, 60, 1, 30), plain("b", 4, 60, 1), wide("full", 7, 120, 0, maxFields)}
	r := apply(t, o, wide("full", 1, 50, maxFields-1, 2), wide("new", 2, 50, 0, maxFields+1), good[0], good[1],
		named("full", 5, 70, "a"), plain("full", 6, 70, 1), good[2])
	var rejected []int64
	for _, rej := range r.Rejected {
		rejected = append(rejected, rej.Offset)
		if rej.Reason != "too_many_fields" || rej.Detail == "" {
			t.Errorf("rejected for %q: %q", rej.Reason, rej.Detail)
		}
	}
	if diff := cmp.Diff([]int64{1, 2, 5, 6}, rejected); diff != "" {
		t.Errorf("rejected offsets (-want +got):\n%s", diff)
	}
	got := bitsOf(r)
	if diff := cmp.Diff(bitsOf(apply(t, other, good...)), got); diff != "" {
		t.Errorf("predictions (-without the rejected events +with them):\n%s", diff)
	}
	if bytes.Equal(before, o.record("full")) || !bytes.Equal(o.record("full"), other.record("full")) {
		t.Error("the rejected events changed their stream")
	}
	checkpoint(t, o, 7)
	snaps, err := store.Load(t.Context(), testPartition, []string{"new"})
	if err != nil || snaps[0].Offset != statestore.NoOffset {
		t.Errorf("a stream that only ever had a rejected event was saved: %v, %v", snaps, err)
	}
}

func TestGapMarksTheFirstEventOfEachKnownStream(t *testing.T) {
	o, _ := open(t, tinyModel(t, 6), statestore.NewMemory(), 1, testConfig)
	apply(t, o, minutely("a", 0, 100)...)
	apply(t, o, minutely("b", 100, 100)...)
	o.MarkGap(500)
	r := apply(t, o, plain("a", 500, 30000, 1), plain("new", 501, 30000, 1), plain("a", 502, 30060, 1), plain("b", 503, 30000, 1))
	var got []string
	for i := range r.Predictions {
		got = append(got, fmt.Sprintf("%s %s", r.Predictions[i].Stream, r.Predictions[i].Phase))
	}
	if diff := cmp.Diff([]string{"a gap", "new warming", "a ready", "b gap"}, got); diff != "" {
		t.Errorf("phases (-want +got):\n%s", diff)
	}
}
