package operator

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirstream/weir/statestore"
)

func TestResetStreamBeginsAnewAndOthersGoOn(t *testing.T) {
	m := tinyModel(t, 1)
	o, _ := open(t, m, statestore.NewMemory(), 1, testConfig)
	for i := range int64(100) {
		apply(t, o, plain("a", 2*i, float64(i), wave(i)), plain("b", 2*i+1, float64(i), wave(i)))
	}
	if err := o.Reset(t.Context(), "a", 200); err != nil {
		t.Fatal(err)
	}
	checkpoint(t, o, 199)
	r := apply(t, o, plain("a", 200, 100, 5), plain("b", 201, 100, 5))
	if p := r.Predictions[0]; p.N != 1 || p.Phase != Warming || p.Forecasts[0].Upper != 1 {
		t.Errorf("of the stream that was reset: %+v", p)
	}
	if p := r.Predictions[1]; p.N != 101 {
		t.Errorf("of the other: %+v", p)
	}
	if err := o.Reset(t.Context(), "c", 202); !errors.Is(err, ErrUnknownStream) {
		t.Errorf("of a stream never seen: %v", err)
	}
}

// TestResetOutlivesACrash crashes at each event around a reset, with the checkpoint's save
// done and its cursor not, and compares with an operator that nothing happened to.
func TestResetOutlivesACrash(t *testing.T) {
	m := tinyModel(t, 1)
	log := randomLog(rand.New(rand.NewPCG(7, 8)), 300)
	const at = 150 // the reset's place in the log
	name, position := string(log[at-2].Stream), log[at-1].Offset+1
	reset := func(o *Operator) {
		t.Helper()
		if err := o.Reset(t.Context(), name, position); err != nil {
			t.Fatal(err)
		}
		checkpoint(t, o, position-1)
	}
	undisturbed, _ := open(t, m, statestore.NewMemory(), 1, testConfig)
	apply(t, undisturbed, log[:at]...)
	reset(undisturbed)
	want := bitsOf(apply(t, undisturbed, log[at:]...))

	for done := range 40 { // events after the reset before the crash
		store := statestore.NewMemory()
		o, _ := open(t, m, store, 1, testConfig)
		apply(t, o, log[:at]...)
		reset(o)
		apply(t, o, log[at:at+done]...)
		if done%2 == 1 { // states saved, cursor not moved
			if err := o.save(t.Context(), o.dirty); err != nil {
				t.Fatal(err)
			}
		}
		o, cursor := open(t, m, store, 2, testConfig)
		if cursor != position {
			t.Fatalf("cursor %d, want %d", cursor, position)
		}
		r := apply(t, o, log[at:]...)
		got := bitsOf(r)
		if diff := cmp.Diff(want[r.Skipped:], got); done%2 == 0 && diff != "" {
			t.Fatalf("crash %d events after the reset (-undisturbed +replayed)\n%s", done, diff)
		}
		if diff := cmp.Diff(want[len(want)-50:], got[len(got)-50:]); diff != "" {
			t.Fatalf("crash %d events after the reset (-undisturbed +replayed)\n%s", done, diff)
		}
	}
}

// TestResetWaitsWhereTheStoreWouldNotKeepIt: of two states at one offset the store keeps
// the first.
func TestResetWaitsWhereTheStoreWouldNotKeepIt(t *testing.T) {
	m, store := tinyModel(t, 1), statestore.NewMemory()
	o, _ := open(t, m, store, 1, testConfig)
	apply(t, o, plain("a", 0, 0, 1), plain("b", 1, 0, 1))
	checkpoint(t, o, 1)
	if err := o.Reset(t.Context(), "b", 2); !errors.Is(err, ErrNotYet) {
		t.Errorf("of the partition's last event: %v", err)
	}
	if err := o.Reset(t.Context(), "a", 2); err != nil {
		t.Errorf("of an earlier one: %v", err)
	}
	apply(t, o, plain("a", 2, 60, 1))
	if err := o.Reset(t.Context(), "b", 3); err != nil {
		t.Errorf("after one more event: %v", err)
	}
	checkpoint(t, o, 2)
	next, _ := open(t, m, store, 2, testConfig)
	r := apply(t, next, plain("a", 3, 120, 1), plain("b", 4, 120, 1))
	if r.Predictions[0].N != 2 || r.Predictions[1].N != 1 {
		t.Errorf("events are numbered %d and %d, want 2 and 1", r.Predictions[0].N, r.Predictions[1].N)
	}
}
