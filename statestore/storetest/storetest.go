// Package storetest holds every statestore.Store to the same contract.
//
// A store's own test calls [TestStore]: it runs one case for each rule, and a random
// walk beside a model. [Faulty] makes a store fail on purpose, for the tests of what
// stands on one.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirstream/weir/statestore"
)

// A testCase is one rule of the contract.
type testCase struct {
	name string
	// explanation is printed where the case fails: why the rule is there.
	explanation string
	run         func(t *testing.T, s statestore.Store)
}

// TestStore runs the suite. newStore returns an empty store that t's cleanup closes.
func TestStore(t *testing.T, newStore func(t *testing.T) statestore.Store) {
	t.Helper()
	for _, group := range [][]testCase{ownershipCases, snapshotCases, cursorCases, concurrencyCases} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				t.Cleanup(func() {
					if t.Failed() {
						t.Logf("the rule: %s", c.explanation)
					}
				})
				c.run(t, newStore(t))
			})
		}
	}
	t.Run("AgreesWithModel", func(t *testing.T) { testModel(t, newStore(t)) })
}

// part is the partition that most cases use.
var part = statestore.Partition{Group: "weir", Topic: "events", Number: 3}

// generation is a token of the first incarnation.
func generation(n int64) statestore.Token { return statestore.Token{Generation: n} }

// position is a position without a gap.
func position(cursor int64, fingerprint uint64) statestore.Position {
	return statestore.Position{Cursor: cursor, Fingerprint: fingerprint, Gap: statestore.NoOffset}
}

// snap is a snapshot whose state says what it is.
func snap(key string, offset int64) statestore.Snapshot {
	return statestore.Snapshot{Key: key, Offset: offset, State: fmt.Appendf(nil, "%s as of %d", key, offset)}
}

// absent is what Load returns for a stream that was never saved.
func absent(key string) statestore.Snapshot {
	return statestore.Snapshot{Key: key, Offset: statestore.NoOffset}
}

func claim(t *testing.T, s statestore.Store, p statestore.Partition, token statestore.Token) statestore.Meta {
	t.Helper()
	meta, err := s.Claim(t.Context(), p, token)
	if err != nil {
		t.Fatalf("Claim(%s, %s): %v", p, token, err)
	}
	return meta
}

func save(t *testing.T, s statestore.Store, token statestore.Token, snaps ...statestore.Snapshot) {
	t.Helper()
	if err := s.Save(t.Context(), part, token, snaps); err != nil {
		t.Fatalf("Save as %s: %v", token, err)
	}
}

// wantLoad fails unless want is what the store holds for want's keys.
func wantLoad(t *testing.T, s statestore.Store, want ...statestore.Snapshot) {
	t.Helper()
	wantLoadIn(t, s, part, want...)
}

func wantLoadIn(t *testing.T, s statestore.Store, p statestore.Partition, want ...statestore.Snapshot) {
	t.Helper()
	keys := make([]string, len(want))
	for i, w := range want {
		keys[i] = w.Key
	}
	got, err := s.Load(t.Context(), p, keys)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	if diff := diffSnaps(want, got); diff != "" {
		t.Fatalf("Load (-want +got):\n%s", diff)
	}
}

// diffSnaps is "" where want and got are the same, a nil State being the same as an empty one.
func diffSnaps(want, got []statestore.Snapshot) string {
	if len(want) == 0 && len(got) == 0 {
		return ""
	}
	return cmp.Diff(want, got, cmp.Comparer(bytes.Equal))
}

// wantErr fails unless err is target and not one of the other kinds.
func wantErr(t *testing.T, what string, err, target error) {
	t.Helper()
	for _, kind := range []error{statestore.ErrFenced, statestore.ErrRegressed, statestore.ErrCorrupt, context.Canceled} {
		if errors.Is(err, kind) != errors.Is(target, kind) {
			t.Fatalf("%s: error %v, want %v", what, err, target)
		}
	}
}

// kind is which of the contract's errors err is, err itself where none.
func kind(err error) error {
	for _, k := range []error{statestore.ErrFenced, statestore.ErrRegressed, statestore.ErrCorrupt} {
		if errors.Is(err, k) {
			return k
		}
	}
	return err
}
