package operator

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirstream/weir/statestore"
)

func TestClaimReturnsTheCursor(t *testing.T) {
	m, store := tinyModel(t, 1), statestore.NewMemory()
	o, cursor := open(t, m, store, 4, testConfig)
	if cursor != statestore.NoOffset {
		t.Errorf("cursor of a partition never seen: %d", cursor)
	}
	apply(t, o, plain("a", 41, 0, 1))
	checkpoint(t, o, 41)
	if _, cursor := open(t, m, store, 5, testConfig); cursor != 42 {
		t.Errorf("cursor %d, want 42", cursor)
	}
}

func TestOldOwnerIsFenced(t *testing.T) {
	m, store := tinyModel(t, 1), statestore.NewMemory()
	old, _ := open(t, m, store, 4, testConfig)
	apply(t, old, plain("a", 1, 0, 1))
	open(t, m, store, 5, testConfig)
	if _, err := old.Checkpoint(t.Context(), 2, 1); !errors.Is(err, statestore.ErrFenced) {
		t.Errorf("checkpoint by the old owner: %v", err)
	}
	for name, alive := range map[string]func(context.Context) error{
		"nobody to ask":      nil,
		"no longer an owner": func(context.Context) error { return errors.New("unknown member") },
	} {
		o := New(m, store, testPartition, statestore.Token{Generation: 4}, testConfig)
		if _, err := o.Claim(t.Context(), alive); !errors.Is(err, statestore.ErrFenced) {
			t.Errorf("%s: claim by the old owner: %v", name, err)
		}
	}
}

func TestGroupThatBeganAnewGetsANewIncarnation(t *testing.T) {
	m, store := tinyModel(t, 1), statestore.NewMemory()
	old, _ := open(t, m, store, 900, testConfig)
	apply(t, old, plain("a", 1, 0, 1))
	checkpoint(t, old, 1)

	alive := func(context.Context) error { return nil }
	for incarnation := range int64(3) {
		// The group was deleted: its generations count from 1 again.
		o := New(m, store, testPartition, statestore.Token{Generation: 1}, testConfig)
		if meta, err := o.Claim(t.Context(), alive); err != nil || meta.Cursor != 2+incarnation {
			t.Fatalf("claim by generation 1 of a new group: cursor %d, %v", meta.Cursor, err)
		}
		apply(t, o, plain("a", 2+incarnation, 60, 1))
		checkpoint(t, o, 2+incarnation)
		apply(t, old, plain("a", 50, 60, 1))
		if _, err := old.Checkpoint(t.Context(), 51, 1); !errors.Is(err, statestore.ErrFenced) {
			t.Errorf("checkpoint by the owner before: %v", err)
		}
		// The group goes on to its generation 900, and is deleted once more.
		next := New(m, store, testPartition, statestore.Token{Generation: 900}, testConfig)
		if _, err := next.Claim(t.Context(), alive); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMemoryOutlivesARebalanceThatLeavesThePartitionHere resumes an operator in later
// generations. It loads nothing again, unless somebody else owned the partition or the store
// went back in between; what it puts out is the same either way.
func TestMemoryOutlivesARebalanceThatLeavesThePartitionHere(t *testing.T) {
	m := tinyModel(t, 1)
	log := minutely("a", 0, 120)
	straight, _ := open(t, m, statestore.NewMemory(), 1, testConfig)
	want := bitsOf(apply(t, straight, log...))
	for name, c := range map[string]struct {
		between func(store *statestore.Memory, old *statestore.Memory)
		loaded  int
	}{
		"nothing":         {func(_, _ *statestore.Memory) {}, 0},
		"another owner":   {func(s, _ *statestore.Memory) { open(t, m, s, 2, testConfig) }, 1},
		"a restored dump": {func(s, old *statestore.Memory) { s.Restore(old) }, 1},
	} {
		store := statestore.NewMemory()
		o, _ := open(t, m, store, 1, testConfig)
		apply(t, o, log[:50]...)
		checkpoint(t, o, 49)
		old := store.Copy()
		apply(t, o, log[50:100]...)
		checkpoint(t, o, 99)
		c.between(store, old)
		o.Resume(statestore.Token{Generation: 3}, testConfig)
		meta, err := o.Claim(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		r := apply(t, o, log[meta.Cursor:]...)
		if diff := cmp.Diff(want[meta.Cursor:], bitsOf(r)); diff != "" || r.Restored != c.loaded {
			t.Errorf("%s happened: %d streams loaded, want %d; outputs (-straight +got):\n%s", name, r.Restored, c.loaded, diff)
		}
	}
}
