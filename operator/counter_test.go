package operator

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirstream/weir/statestore"
)

// counted applies events of one stream, one a record, and returns what was scored: by
// field, in their order, with the rejections' reasons.
func counted(t *testing.T, o *Operator, events ...Event) (scored []map[string]float64, reasons []string) {
	t.Helper()
	for i := range events {
		events[i].Stream, events[i].Offset = []byte("s"), int64(i)
	}
	result, err := o.Apply(t.Context(), events)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range result.Predictions {
		values := map[string]float64{}
		for _, f := range p.Fields {
			values[string(f.Name)] = f.Value
		}
		scored = append(scored, values)
	}
	for _, r := range result.Rejected {
		reasons = append(reasons, r.Reason)
	}
	return scored, reasons
}

func counting(t *testing.T) *Operator {
	t.Helper()
	o, _ := open(t, tinyModel(t, 1), statestore.NewMemory(), 1, testConfig)
	return o
}

func count(at int64, total float64) Event {
	return Event{Time: at, Fields: []Field{{Value: total, Kind: Cumulative}}}
}

func TestCountsAreScoredAsRates(t *testing.T) {
	const second = 1000
	got, reasons := counted(t, counting(t),
		count(0, 100), count(10*second, 150), count(20*second, 150), count(25*second, 160),
		count(30*second, 5),  // began anew, nobody knows when
		count(30*second, 7),  // no time has passed
		count(20*second, 6),  // late
		count(40*second, 27), // 20 since the count of 7
		Event{Time: 50 * second, Fields: []Field{{Value: 3}}}, // and a level
	)
	want := []map[string]float64{{"": 5}, {"": 0}, {"": 2}, {"": 1}, {"": 2}, {"": 3}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"late_count"}, reasons); diff != "" {
		t.Error(diff)
	}
}

func TestACountThatBeganAnewIsDividedByItsOwnTime(t *testing.T) {
	again := count(20_000, 500) // more than before, but since a later start
	again.Start = 15_000
	first := count(0, 100)
	first.Start = -50_000
	got, _ := counted(t, counting(t), first, again)
	if diff := cmp.Diff([]map[string]float64{{"": 100}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestACumulativeMeanIsOfWhatCameSince(t *testing.T) {
	histogram := func(at int64, n, mean float64) Event {
		return Event{Time: at, Fields: []Field{
			{Name: []byte("count"), Value: n, Kind: Cumulative},
			{Name: []byte("mean"), Value: mean, Kind: CumulativeMean},
			{Name: []byte("p99"), Value: 9},
		}}
	}
	got, _ := counted(t, counting(t), histogram(0, 10, 2), histogram(10_000, 30, 4), histogram(20_000, 30, 4))
	want := []map[string]float64{{"p99": 9}, {"count": 2, "mean": 5, "p99": 9}, {"count": 0, "p99": 9}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestHugeCountsKeepStatesFinite(t *testing.T) {
	got, _ := counted(t, counting(t), count(0, 0), count(1, math.MaxFloat64), count(2000, 1), count(4000, 3))
	want := []map[string]float64{{"": 0.5001250312578145}, {"": 1}} // the first rate is beyond a float64
	if diff := cmp.Diff(want[1:], got[len(got)-1:]); diff != "" || len(got) != 2 {
		t.Error(got, diff)
	}
}

func TestEventsOfOneRecordAreAppliedOnceEach(t *testing.T) {
	o := counting(t)
	events := make([]Event, 6)
	for i := range events {
		events[i] = Event{Stream: []byte{"ab"[i%2]}, Offset: 7, Index: i, Time: int64(i), Fields: []Field{{Value: float64(i)}}}
	}
	result, err := o.Apply(t.Context(), events)
	if err != nil || len(result.Predictions) != 6 || result.Skipped != 0 {
		t.Fatalf("%d predictions, %d skipped, %v", len(result.Predictions), result.Skipped, err)
	}
	if result, err = o.Apply(t.Context(), events); err != nil || len(result.Predictions) != 0 || result.Skipped != 6 {
		t.Fatalf("again: %d predictions, %d skipped, %v", len(result.Predictions), result.Skipped, err)
	}
}
