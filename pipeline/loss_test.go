package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/statestore"
)

// A losingStore loses things between its calls: single snapshots, its last writes, or
// everything.
type losingStore struct {
	*statestore.Memory
	rng   *rand.Rand
	dumps []*statestore.Memory
	// kinds of loss that may happen, each once in so many calls; 0 for never
	single, older, all int

	losses int
}

func (s *losingStore) happens(onceIn int) bool { return onceIn > 0 && s.rng.IntN(onceIn) == 0 }

func (s *losingStore) between() {
	before := s.losses
	switch {
	case s.happens(s.single):
		s.Lose(testPartition, fmt.Sprint("s", s.rng.IntN(5)), "wide")
		s.losses++
	case s.happens(s.older) && len(s.dumps) > 0:
		s.Restore(s.dumps[s.rng.IntN(len(s.dumps))])
		s.losses++
	case s.happens(s.all):
		s.Restore(statestore.NewMemory())
		s.losses++
	}
	if s.losses == before {
		s.dumps = append(s.dumps, s.Copy())
	} else {
		s.dumps = nil
	}
}

func (s *losingStore) Load(ctx context.Context, p statestore.Partition, keys []string) ([]statestore.Snapshot, error) {
	s.between()
	return s.Memory.Load(ctx, p, keys)
}

func (s *losingStore) Save(ctx context.Context, p statestore.Partition, t statestore.Token, snaps []statestore.Snapshot) error {
	s.between()
	return s.Memory.Save(ctx, p, t, snaps)
}

func (s *losingStore) Advance(ctx context.Context, p statestore.Partition, t statestore.Token, to statestore.Position) error {
	s.between()
	return s.Memory.Advance(ctx, p, t, to)
}

// tickingSource takes time for every fetch, so that checkpoints come due.
type tickingSource struct {
	*sliceSource
	rng *rand.Rand
}

func (s tickingSource) Fetch(ctx context.Context, b *Batch) error {
	time.Sleep(time.Duration(s.rng.IntN(700)) * time.Millisecond) // the bubble's time
	s.size = 1 + s.rng.IntN(6)
	return s.sliceSource.Fetch(ctx, b)
}

// TestStoreThatLosesAnythingChangesNoOutputAndNoState has the store lose whatever it
// likes while a worker runs, one that has room for two of the six streams in memory. Its
// outputs are those of a worker whose store loses nothing, each once, and at the end a
// reader of the store sees the same states, or that they are lost.
func TestStoreThatLosesAnythingChangesNoOutputAndNoState(t *testing.T) {
	seeds := 300
	if testing.Short() {
		seeds = 60
	}
	m := tinyModel(t)
	synctest.Test(t, func(t *testing.T) {
		losses := 0
		for seed := range seeds {
			rng := rand.New(rand.NewPCG(uint64(seed), 7))
			log := randomLog(rng, 20+rng.IntN(40))
			want, letters := &sliceSink{}, &sliceSink{}
			sound := statestore.NewMemory()
			if err := newWorker(t, newOperator(m, sound), &sliceSource{log: log}, want, letters).Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			store := &losingStore{Memory: statestore.NewMemory(), rng: rng}
			switch seed % 4 {
			case 0:
				store.single = 4
			case 1:
				store.older = 4
			case 2:
				store.all = 8
			case 3:
				store.single, store.older, store.all = 10, 10, 20
			}
			scores, again := &sliceSink{}, &sliceSink{}
			o := operator.New(m, store, testPartition, statestore.Token{Generation: 1}, operator.Config{FalseAlarms: 1.0 / 3600, MaxStreams: 2})
			worker := newWorker(t, o, tickingSource{&sliceSource{log: log}, rng}, scores, again)
			worker.CheckpointEvery = time.Second
			if err := worker.Run(t.Context()); err != nil {
				t.Fatalf("seed %d, after %d losses: %v", seed, store.losses, err)
			}
			losses += store.losses
			if diff := cmp.Diff(want.values(), scores.values()); diff != "" {
				t.Fatalf("seed %d: scores after %d losses (-without +with):\n%s", seed, store.losses, diff)
			}
			if len(again.log) != len(letters.log) {
				t.Fatalf("seed %d: %d dead letters after %d losses, want %d", seed, len(again.log), store.losses, len(letters.log))
			}
			wantSameOrLost(t, seed, sound, store.Memory)
		}
		t.Logf("%d logs, %d losses", seeds, losses)
		if losses < 2*seeds {
			t.Errorf("only %d losses in %d logs: the store is too kind", losses, seeds)
		}
	})
}

// wantSameOrLost compares what a fresh reader finds in two stores, of which the second may
// have lost streams once more after its last save.
func wantSameOrLost(t *testing.T, seed int, sound, got *statestore.Memory) {
	t.Helper()
	for _, key := range []string{"s0", "s1", "s2", "s3", "s4", "wide"} {
		want, err := sound.Copy().Load(t.Context(), testPartition, []string{key})
		if err != nil {
			t.Fatal(err)
		}
		is, err := got.Copy().Load(t.Context(), testPartition, []string{key})
		if errors.Is(err, statestore.ErrLost) {
			continue
		}
		if diff := cmp.Diff(want, is); diff != "" || err != nil {
			t.Fatalf("seed %d: %v, %s (-without +with losses):\n%s", seed, err, key, diff)
		}
	}
}

// TestRestartOnAnOlderStorePutsNothingOutTwice stops a worker, puts the store back, and
// starts another: what the group had committed is computed again and not put out again.
func TestRestartOnAnOlderStorePutsNothingOutTwice(t *testing.T) {
	m := tinyModel(t)
	log := minutely("a", 0, 60)
	for name, back := range map[string]func(at20 *statestore.Memory) *statestore.Memory{
		"an older dump": func(at20 *statestore.Memory) *statestore.Memory { return at20 },
		"empty":         func(*statestore.Memory) *statestore.Memory { return statestore.NewMemory() },
	} {
		store, scores := statestore.NewMemory(), &sliceSink{}
		var at20 *statestore.Memory
		for _, end := range []int{20, 40} {
			source := &sliceSource{log: log[:end]}
			if err := newWorker(t, newOperator(m, store), source, scores, &sliceSink{}).Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if end == 20 {
				at20 = store.Copy()
			}
		}
		store.Restore(back(at20))
		var said strings.Builder
		w := newWorker(t, newOperator(m, store), &sliceSource{log: log}, scores, &sliceSink{})
		w.Committed, w.Log = 40, slog.New(slog.NewTextHandler(&said, nil))
		if err := w.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		straight := &sliceSink{}
		if err := newWorker(t, newOperator(m, statestore.NewMemory()), &sliceSource{log: log}, straight, &sliceSink{}).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(straight.values(), scores.values()); diff != "" {
			t.Errorf("%s: scores (-straight +after the loss):\n%s", name, diff)
		}
		if !strings.Contains(said.String(), "level=ERROR") {
			t.Errorf("%s: nothing was said of it:\n%s", name, said.String())
		}
	}
}

// TestOnLossFailStops has each kind of loss meet the policy fail.
func TestOnLossFailStops(t *testing.T) {
	m := tinyModel(t)
	for name, lose := range map[string]func(store *statestore.Memory, empty *statestore.Memory){
		"a stream":   func(store, _ *statestore.Memory) { store.Lose(testPartition, "a") },
		"everything": func(store, empty *statestore.Memory) { store.Restore(empty) },
	} {
		store, scores := statestore.NewMemory(), &sliceSink{}
		if err := newWorker(t, newOperator(m, store), &sliceSource{log: minutely("a", 0, 20)}, scores, &sliceSink{}).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		lose(store, statestore.NewMemory())
		o := operator.New(m, store, testPartition, statestore.Token{Generation: 2}, operator.Config{MaxStreams: 10, OnLoss: operator.Fail})
		w := newWorker(t, o, &sliceSource{log: minutely("a", 0, 40)}, scores, &sliceSink{})
		w.Committed = 20
		if err := w.Run(t.Context()); !errors.Is(err, ErrStateLost) {
			t.Errorf("%s was lost: %v", name, err)
		}
		if len(scores.log) != 20 {
			t.Errorf("%s was lost: %d scores, want the 20 from before", name, len(scores.log))
		}
	}
}
