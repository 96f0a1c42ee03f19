package operator

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirstream/weir/statestore"
)

func TestRecordIsTheSameFromMemoryAndFromTheStore(t *testing.T) {
	m, store := tinyModel(t, 1), statestore.NewMemory()
	o, _ := open(t, m, store, 1, testConfig)
	events := randomLog(rand.New(rand.NewPCG(1, 2)), 200)
	apply(t, o, events...)
	name := string(events[150].Stream)
	live, err := o.Record(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	checkpoint(t, o, events[199].Offset)
	next, _ := open(t, m, store, 2, testConfig)
	stored, err := next.Record(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(live, stored); diff != "" {
		t.Errorf("(-memory +store)\n%s", diff)
	}
	if _, err := o.Record(t.Context(), "never seen"); !errors.Is(err, ErrUnknownStream) {
		t.Errorf("of a stream never seen: %v", err)
	}
}

func TestLookingAtAStreamChangesNothing(t *testing.T) {
	m := tinyModel(t, 1)
	events := randomLog(rand.New(rand.NewPCG(5, 6)), 300)
	undisturbed, _ := open(t, m, statestore.NewMemory(), 1, testConfig)
	want := play(t, undisturbed, events, 20)
	o, _ := open(t, m, statestore.NewMemory(), 1, testConfig)
	var got []string
	for batch := range slices.Chunk(events, 20) {
		got = append(got, bitsOf(apply(t, o, batch...))...)
		r, err := o.Record(t.Context(), string(batch[0].Stream))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Profile(r); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Outlook(r, 8); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-nobody looked +somebody did)\n%s", diff)
	}
}

func TestProfileCountsEventsOfEachField(t *testing.T) {
	m := tinyModel(t, 1)
	o, _ := open(t, m, statestore.NewMemory(), 1, testConfig)
	apply(t, o, named("s", 1, 0, "ab"), named("s", 2, 60, "a"), named("s", 3, 120, "ab"))
	r, err := o.Record(t.Context(), "s")
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Profile(r)
	if err != nil {
		t.Fatal(err)
	}
	if r.Offset != 3 || p.Events != 3 || math.Abs(p.TypicalGap-60) > 1e-9 || p.Time != start+120_000 || len(p.Fields) != 2 {
		t.Errorf("offset %d, profile %+v", r.Offset, p)
	}
	if p.Fields[0].Events != 3 || p.Fields[1].Events != 2 || p.Fields[1].Name != "b" || p.Fields[0].Last != wave(3+'a') {
		t.Errorf("fields %+v", p.Fields)
	}
	if n := len(p.Fields[0].HalfLives); n != m.ssm.Dims().DInner*m.ssm.Dims().DState*m.ssm.Dims().NLayer {
		t.Errorf("%d half-lives", n)
	}
}

func TestOutlookWidensAndIsTheSameEachTime(t *testing.T) {
	m := loadBuiltin(t)
	o, _ := open(t, m, statestore.NewMemory(), 1, testConfig)
	rng, level := rand.New(rand.NewPCG(3, 4)), 0.0
	for i := range int64(600) { // a random walk, of which less is known the further ahead
		level += rng.NormFloat64()
		apply(t, o, plain("walk", i, 60*float64(i), level))
	}
	r, err := o.Record(t.Context(), "walk")
	if err != nil {
		t.Fatal(err)
	}
	const steps = 32
	all, err := m.Outlook(r, steps)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 || len(all[0].Times) != steps || len(all[0].Quantiles) != steps {
		t.Fatalf("outlook of %d fields: %+v", len(all), all)
	}
	width := func(k int) float64 { q := all[0].Quantiles[k]; return q[4] - q[0] }
	for k, q := range all[0].Quantiles {
		if !slices.IsSorted(q) {
			t.Errorf("step %d: quantiles %v", k, q)
		}
		if want := start + 60_000*int64(600+k); all[0].Times[k] != want {
			t.Errorf("step %d is at %d, want %d", k, all[0].Times[k], want)
		}
	}
	if width(steps-1) < 2*width(0) {
		t.Errorf("the 90%% band of a random walk is %g wide at step 1 and %g at step %d", width(0), width(steps-1), steps)
	}
	again, err := m.Outlook(r, steps)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all, again); diff != "" {
		t.Errorf("(-first +second)\n%s", diff)
	}
}
