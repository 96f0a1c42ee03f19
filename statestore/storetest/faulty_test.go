package storetest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/weirstream/weir/statestore"
	"github.com/weirstream/weir/statestore/storetest"
)

var (
	part    = statestore.Partition{Group: "g", Topic: "t"}
	token   = statestore.Token{Generation: 1}
	errLink = errors.New("link down")
)

func TestFaultyWithoutFaultsKeepsContract(t *testing.T) {
	storetest.TestStore(t, func(*testing.T) statestore.Store { return storetest.NewFaulty(statestore.NewMemory()) })
}

func TestFaultyFailsTheCallItIsTold(t *testing.T) {
	for _, after := range []bool{false, true} {
		store := storetest.NewFaulty(statestore.NewMemory(),
			storetest.Fault{Op: storetest.Save, Call: 2, After: after, Err: errLink})
		if _, err := store.Claim(t.Context(), part, token); err != nil {
			t.Fatal(err)
		}
		for call := range 3 {
			key := string(rune('a' + call))
			err := store.Save(t.Context(), part, token, []statestore.Snapshot{{Key: key, Offset: 1}})
			if failed := call == 1; errors.Is(err, errLink) != failed || !failed && err != nil {
				t.Errorf("after the effect %t, call %d: %v", after, call+1, err)
			}
		}
		snaps, err := store.Load(t.Context(), part, []string{"a", "b", "c"})
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range snaps {
			if saved := s.Offset == 1; saved != (i != 1 || after) {
				t.Errorf("after the effect %t: call %d saved %t", after, i+1, saved)
			}
		}
		if n := store.Calls(storetest.Save); n != 3 {
			t.Errorf("%d Saves counted", n)
		}
	}
}

func TestFaultyFailsEveryCallUntilHealed(t *testing.T) {
	store := storetest.NewFaulty(statestore.NewMemory())
	for _, op := range []storetest.Op{storetest.Claim, storetest.Load, storetest.Advance} {
		store.Inject(storetest.Fault{Op: op, Err: errLink})
	}
	try := func() []error {
		_, claim := store.Claim(t.Context(), part, token)
		_, load := store.Load(t.Context(), part, nil)
		return []error{claim, load, store.Advance(t.Context(), part, token, statestore.Position{Cursor: 1})}
	}
	for range 2 {
		for i, err := range try() {
			if !errors.Is(err, errLink) {
				t.Errorf("op %d: %v", i, err)
			}
		}
	}
	store.Heal()
	for i, err := range try() {
		if err != nil {
			t.Errorf("healed, op %d: %v", i, err)
		}
	}
}

func TestFaultyHoldsACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		store := storetest.NewFaulty(statestore.NewMemory(), storetest.Fault{Op: storetest.Claim, Hold: hold})
		ctx, cancel := context.WithCancel(t.Context())
		results := make(chan error)
		claim := func(ctx context.Context) {
			_, err := store.Claim(ctx, part, token)
			results <- err
		}
		go claim(ctx)
		synctest.Wait()
		select {
		case err := <-results:
			t.Fatalf("the call was not held: %v", err)
		default:
		}
		cancel()
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("given up: %v", err)
		}
		go claim(t.Context())
		synctest.Wait()
		close(hold)
		if err := <-results; err != nil {
			t.Errorf("released: %v", err)
		}
	})
}
