package pipeline

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/statestore"
	"github.com/weirstream/weir/statestore/storetest"
)

// A world is what outlives a crash: the input log, the outputs, the store.
type world struct {
	t     *testing.T
	seed  uint64
	rng   *rand.Rand
	model *operator.Model
	log   []Message

	memory  *statestore.Memory
	faulty  *storetest.Faulty
	outputs map[string]string // scores and dead letters by source
	cursor  int64             // as the store has it
	// committed is the group's offset.
	committed int64
	lives     []*life
	fenced    int // how many lives met a newer owner
}

func newWorld(t *testing.T, m *operator.Model, seed uint64) *world {
	w := &world{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 42)), model: m, memory: statestore.NewMemory(),
		outputs: make(map[string]string), cursor: statestore.NoOffset, committed: statestore.NoOffset,
	}
	w.faulty = storetest.NewFaulty(witness{w.memory, w})
	w.log = w.randomLog(10 + w.rng.IntN(30))
	return w
}

// randomLog has offsets left out, bad records, late events and streams of both kinds.
func (w *world) randomLog(n int) []Message {
	var log []Message
	offset, at := int64(w.rng.IntN(5)), int64(1_780_000_000_000)
	for range n {
		offset += 1 + int64(w.rng.IntN(3)/2)
		at += int64(w.rng.IntN(60_000))
		m := Message{Offset: offset, Time: at - 90_000*int64(w.rng.IntN(8)/7), Key: fmt.Appendf(nil, "s%d", w.rng.IntN(5))}
		switch w.rng.IntN(8) {
		case 0:
			m.Value = []byte(`{"value":`)
		case 1:
			m.Value = fmt.Appendf(nil, `{"stream":"wide","values":{"a":%d,"b":%g}}`, w.rng.IntN(9), w.rng.NormFloat64())
		case 2:
			m.Value = fmt.Appendf(nil, `{"stream":"wide","values":{"c":%d,"b":%g}}`, w.rng.IntN(9), w.rng.NormFloat64())
		default:
			m.Value = fmt.Appendf(nil, `{"value":%g}`, w.rng.NormFloat64())
		}
		log = append(log, m)
	}
	return log
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("seed %d: %s", w.seed, fmt.Sprintf(format, args...))
}

// put keeps one output. What is put out again must be the same.
func (w *world) put(kind string, m *Message) {
	source := at(m.Offset)
	text := fmt.Sprintf("%s %q %s", kind, m.Key, m.Value)
	if before, again := w.outputs[source]; again && before != text {
		w.fail("output of %s was\n%s\nand then\n%s", source, before, text)
	}
	w.outputs[source] = text
}

func at(offset int64) string { return fmt.Sprintf("offset %d", offset) }

// wantOutputs fails unless everything below offset that passes is put out.
func (w *world) wantOutputs(what string, offset int64, passes func(*Message) bool) {
	for i := range w.log {
		m := &w.log[i]
		if m.Offset < offset && passes(m) && w.outputs[at(m.Offset)] == "" {
			w.fail("%s, but nothing was put out for offset %d", what, m.Offset)
		}
	}
}

// A witness is the store's innermost part: it sees what takes effect, and that nothing
// does ahead of its time.
type witness struct {
	*statestore.Memory
	w *world
}

func (s witness) Save(ctx context.Context, p statestore.Partition, t statestore.Token, snaps []statestore.Snapshot) error {
	for _, snap := range snaps {
		s.w.wantOutputs(fmt.Sprintf("%q is saved as of %d", snap.Key, snap.Offset), snap.Offset+1, func(m *Message) bool {
			return string(m.Key) == snap.Key && strings.HasPrefix(string(m.Value), `{"value":`)
		})
	}
	return s.Memory.Save(ctx, p, t, snaps)
}

func (s witness) Advance(ctx context.Context, p statestore.Partition, t statestore.Token, to statestore.Position) error {
	err := s.Memory.Advance(ctx, p, t, to)
	if err == nil {
		s.w.wantOutputs(fmt.Sprintf("the cursor is %d", to.Cursor), to.Cursor, func(*Message) bool { return true })
		s.w.cursor = max(s.w.cursor, to.Cursor)
	}
	return err
}

// A life is one worker from its start to its end or its crash. It is a coroutine that
// stops before and after everything it does to the world, where it may be left for dead,
// or for a while, in which another one goes on in its place.
type life struct {
	world  *world
	resume func() (string, bool)
	kill   func()
	pause  func(string) bool
	err    error // what Run returned
}

// killed is what a crash unwinds a worker with: nothing in it handles that.
type killed struct{}

func (w *world) begin() *life {
	l := &life{world: w}
	w.lives = append(w.lives, l)
	o := operator.New(w.model, lifeStore{w.faulty, l}, testPartition, statestore.Token{Generation: int64(len(w.lives))},
		operator.Config{FalseAlarms: 1.0 / 3600, MaxStreams: 2})
	worker := newWorker(w.t, o, &lifeSource{sliceSource{log: w.log}, l}, lifeSink{l, "score"}, lifeSink{l, "letter"})
	worker.CheckpointEvery, worker.Committed = time.Second, w.committed
	l.resume, l.kill = iter.Pull(func(yield func(string) bool) {
		defer func() {
			if r := recover(); r != nil && r != (killed{}) {
				panic(r)
			}
		}()
		l.pause = yield
		l.err = worker.Run(w.t.Context())
	})
	return l
}

// at is a place where the worker may end, or stop for a while.
func (l *life) at(what string) {
	if !l.pause(what) {
		panic(killed{})
	}
}

// breaks says, now and then, that what is about to happen fails.
func (l *life) breaks() bool { return l.world.rng.IntN(25) == 0 }

type lifeSource struct {
	sliceSource
	*life
}

func (s *lifeSource) Seek(ctx context.Context, offset int64, past bool) (int64, error) {
	s.at("seek")
	if past {
		s.world.fail("the worker takes its past for lost")
	}
	return s.sliceSource.Seek(ctx, offset, past)
}

func (s *lifeSource) Fetch(ctx context.Context, b *Batch) error {
	s.at("fetch")
	if s.breaks() {
		return errAway
	}
	time.Sleep(time.Duration(s.world.rng.IntN(500)) * time.Millisecond) // the bubble's time
	if s.world.rng.IntN(10) == 0 {
		b.Reset()
		b.Next = s.next
		return nil
	}
	s.size = 1 + s.world.rng.IntN(9)
	return s.sliceSource.Fetch(ctx, b)
}

func (s *lifeSource) Commit(_ context.Context, next int64) error {
	s.at("before commit")
	if next > s.world.cursor {
		s.world.fail("%d is committed, the cursor is %d", next, s.world.cursor)
	}
	s.world.committed = max(s.world.committed, next)
	s.at("after commit")
	return nil
}

type lifeSink struct {
	*life
	kind string
}

func (s lifeSink) Write(_ context.Context, msgs []Message) error {
	s.at("before write")
	cut := s.world.rng.IntN(len(msgs) + 1)
	for i := range msgs {
		if i == cut {
			s.at("amid write")
			if s.breaks() {
				return errAway
			}
		}
		s.world.put(s.kind, &msgs[i])
	}
	s.at("after write")
	if s.breaks() {
		return errAway // the acknowledgement was lost
	}
	return nil
}

// A lifeStore's calls fail now and then, with or without effect.
type lifeStore struct {
	*storetest.Faulty
	*life
}

// call makes one call between two places where the worker may end.
func (s lifeStore) call(op storetest.Op) {
	s.at("before " + string(op))
	s.Heal()
	if s.breaks() {
		s.Inject(storetest.Fault{Op: op, After: s.world.rng.IntN(2) == 0, Err: errAway})
	}
}

func (s lifeStore) Claim(ctx context.Context, p statestore.Partition, t statestore.Token) (statestore.Meta, error) {
	s.call(storetest.Claim)
	defer s.at("after Claim")
	return s.Faulty.Claim(ctx, p, t)
}

func (s lifeStore) Load(ctx context.Context, p statestore.Partition, keys []string) ([]statestore.Snapshot, error) {
	s.call(storetest.Load)
	return s.Faulty.Load(ctx, p, keys)
}

// Save takes effect key by key: no store promises more.
func (s lifeStore) Save(ctx context.Context, p statestore.Partition, t statestore.Token, snaps []statestore.Snapshot) error {
	for i := range snaps {
		s.call(storetest.Save)
		if err := s.Faulty.Save(ctx, p, t, snaps[i:i+1]); err != nil {
			return err
		}
	}
	s.at("after Save")
	return nil
}

func (s lifeStore) Advance(ctx context.Context, p statestore.Partition, t statestore.Token, to statestore.Position) error {
	s.call(storetest.Advance)
	if err := s.Faulty.Advance(ctx, p, t, to); err != nil {
		return err
	}
	s.at("after Advance")
	return nil
}

// live plays lives until one of them comes to the log's end without a crash, then lets
// the zombies do what they still can.
func (w *world) live() {
	defer func() {
		for _, l := range w.lives {
			l.kill()
		}
	}()
	var zombies []*life
	owner := w.begin()
	for {
		switch chance := w.rng.IntN(100); {
		case chance < 3 && len(w.lives) < 12: // kill -9
			owner.kill()
			owner = w.begin()
		case chance < 5 && len(w.lives) < 12: // taken for dead
			zombies = append(zombies, owner)
			owner = w.begin()
		case chance < 35 && len(zombies) > 0:
			z := w.rng.IntN(len(zombies))
			if _, more := zombies[z].resume(); !more {
				w.wantFenced(zombies[z])
				zombies = slices.Delete(zombies, z, z+1)
			}
		default:
			if _, more := owner.resume(); more {
				continue
			}
			if owner.err != nil {
				w.fail("the owner ended with %v", owner.err)
			}
			for _, z := range zombies {
				for more := true; more; {
					_, more = z.resume()
				}
				w.wantFenced(z)
			}
			return
		}
	}
}

// wantFenced fails unless a zombie was told, or had nothing to write any more.
func (w *world) wantFenced(z *life) {
	switch {
	case z.err == nil:
	case strings.Contains(z.err.Error(), statestore.ErrFenced.Error()):
		w.fenced++
	default:
		w.fail("a zombie ended with %v", z.err)
	}
}

// records are the store's bytes of every stream there may be.
func records(t *testing.T, store statestore.Store) (all []string) {
	snaps, err := store.Load(t.Context(), testPartition, []string{"s0", "s1", "s2", "s3", "s4", "wide"})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range snaps {
		all = append(all, fmt.Sprintf("%s as of %d: %x", s.Key, s.Offset, s.State))
	}
	return all
}

// wantAsUninterrupted compares the outcome with that of one worker whom nothing happens.
func (w *world) wantAsUninterrupted() {
	store, scores, letters := statestore.NewMemory(), &sliceSink{}, &sliceSink{}
	if err := newWorker(w.t, newOperator(w.model, store), &sliceSource{log: w.log}, scores, letters).Run(w.t.Context()); err != nil {
		w.fail("%v", err)
	}
	want := make(map[string]string)
	for kind, sink := range map[string]*sliceSink{"score": scores, "letter": letters} {
		for _, m := range sink.log {
			want[at(m.Offset)] = fmt.Sprintf("%s %q %s", kind, m.Key, m.Value)
		}
	}
	if len(want) != len(w.log) {
		w.fail("%d outputs of %d records", len(want), len(w.log))
	}
	if diff := cmp.Diff(want, w.outputs); diff != "" {
		w.fail("outputs (-uninterrupted +with crashes):\n%s", diff)
	}
	if diff := cmp.Diff(records(w.t, store), records(w.t, w.memory)); diff != "" {
		w.fail("records (-uninterrupted +with crashes):\n%s", diff)
	}
}

// TestCrashAnywhereLosesNothingAndAppliesOnce plays thousands of lives with crashes,
// zombies and a failing store, sink and source, in every order that comes by chance. Each
// must come to the same outputs and the same bytes in the store as if nothing had
// happened. A seed is a whole schedule: the same one fails again in the same way.
func TestCrashAnywhereLosesNothingAndAppliesOnce(t *testing.T) {
	seeds := 2000
	if testing.Short() {
		seeds = 200
	}
	m := tinyModel(t)
	synctest.Test(t, func(t *testing.T) {
		lives, fenced := 0, 0
		for seed := range seeds {
			w := newWorld(t, m, uint64(seed))
			w.live()
			w.wantAsUninterrupted()
			lives, fenced = lives+len(w.lives), fenced+w.fenced
		}
		t.Logf("%d logs, %d lives, %d zombies fenced", seeds, lives, fenced)
		if lives < 3*seeds || fenced < seeds/4 {
			t.Errorf("only %d lives and %d fenced zombies in %d logs: the schedules are too kind", lives, fenced, seeds)
		}
	})
}
