package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/weirstream/weir/statestore"
)

var concurrencyCases = []testCase{
	{"ConcurrentSaves", "the greater offset wins whoever comes first, and state and offset are never of two Saves", testConcurrentSaves},
	{"ConcurrentClaims", "of any number of claims the greatest token's stands, and all who won saw the same partition", testConcurrentClaims},
	{
		"NoSaveAfterClaim", "when a claim has returned, nothing of the old owner arrives any more: the new one reads the last state there is",
		testNoSaveAfterClaim,
	},
}

func testConcurrentSaves(t *testing.T, s statestore.Store) {
	const writers, rounds, keys = 8, 20, 5
	claim(t, s, part, generation(1))
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for r := range rounds {
				offset := int64((r*7+w*3)%rounds*writers + w) // each offset once, in no order
				var snaps []statestore.Snapshot
				for k := range keys {
					snaps = append(snaps, snap(fmt.Sprint("k", k), offset))
				}
				if err := s.Save(t.Context(), part, generation(1), snaps); err != nil {
					t.Errorf("Save of offset %d: %v", offset, err)
				}
			}
		})
	}
	wg.Wait()
	for k := range keys {
		wantLoad(t, s, snap(fmt.Sprint("k", k), writers*rounds-1))
	}
}

func testConcurrentClaims(t *testing.T, s statestore.Store) {
	const claims = 24
	ids := make([]string, claims)
	var wg sync.WaitGroup
	for i := range claims {
		wg.Go(func() {
			meta, err := s.Claim(t.Context(), part, generation(int64(i)))
			switch {
			case err == nil:
				ids[i] = meta.StoreID
			case i == claims-1 || !errors.Is(err, statestore.ErrFenced):
				t.Errorf("Claim as generation %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	want := statestore.Meta{
		Token: generation(claims - 1), Position: position(statestore.NoOffset, 0), StoreID: ids[claims-1], Previous: generation(claims - 1),
	}
	if got := claim(t, s, part, generation(claims-1)); got != want {
		t.Fatalf("the partition is %+v, want %+v", got, want)
	}
	for i, id := range ids {
		if id != "" && id != want.StoreID {
			t.Errorf("generation %d saw store id %s, the last one %s", i, id, want.StoreID)
		}
	}
}

func testNoSaveAfterClaim(t *testing.T, s statestore.Store) {
	for round := range int64(10) {
		old, next := generation(2*round), generation(2*round+1)
		claim(t, s, part, old)
		saved := make(chan struct{})
		stopped := make(chan error, 1)
		go func() { stopped <- saveUntilRefused(t.Context(), s, old, round*1_000_000, saved) }()
		<-saved
		claim(t, s, part, next)
		before, err := s.Load(t.Context(), part, []string{"a"})
		if err != nil {
			t.Fatal(err)
		}
		wantErr(t, "the old owner's last Save", <-stopped, statestore.ErrFenced)
		wantLoad(t, s, before...)
	}
}

// saveUntilRefused saves one stream at rising offsets until a Save fails, and closes
// saved after the first.
func saveUntilRefused(ctx context.Context, s statestore.Store, token statestore.Token, from int64, saved chan<- struct{}) error {
	for offset := from; ; offset++ {
		err := s.Save(ctx, part, token, []statestore.Snapshot{snap("a", offset)})
		if offset == from {
			close(saved)
		}
		if err != nil {
			return err
		}
	}
}
