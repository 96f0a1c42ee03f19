package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"

	"github.com/weirstream/weir/statestore"
	"github.com/weirstream/weir/statestore/storetest"
)

var errAway = errors.New("away")

// A diary notes the calls that a worker makes, in their order.
type diary struct{ calls []string }

func (d *diary) note(format string, args ...any) {
	d.calls = append(d.calls, fmt.Sprintf(format, args...))
}

type notedSource struct {
	*diary
	Source
}

func (s notedSource) Seek(ctx context.Context, offset int64, past bool) (int64, error) {
	s.note("seek %d", offset)
	return s.Source.Seek(ctx, offset, past)
}

func (s notedSource) Fetch(ctx context.Context, b *Batch) error {
	s.note("fetch")
	return s.Source.Fetch(ctx, b)
}

func (s notedSource) Commit(ctx context.Context, next int64) error {
	s.note("commit %d", next)
	return s.Source.Commit(ctx, next)
}

type notedSink struct {
	*diary
	name string
	Sink
}

func (s notedSink) Write(ctx context.Context, msgs []Message) error {
	s.note("write %d %s", len(msgs), s.name)
	return s.Sink.Write(ctx, msgs)
}

type notedStore struct {
	*diary
	statestore.Store
}

func (s notedStore) Claim(ctx context.Context, p statestore.Partition, t statestore.Token) (statestore.Meta, error) {
	s.note("claim")
	return s.Store.Claim(ctx, p, t)
}

func (s notedStore) Save(ctx context.Context, p statestore.Partition, t statestore.Token, snaps []statestore.Snapshot) error {
	s.note("save %d", len(snaps))
	return s.Store.Save(ctx, p, t, snaps)
}

func (s notedStore) Advance(ctx context.Context, p statestore.Partition, t statestore.Token, to statestore.Position) error {
	s.note("advance %d", to.Cursor)
	return s.Store.Advance(ctx, p, t, to)
}

// noted returns a worker over log, and the diary of its calls.
func noted(t *testing.T, log []Message, size int, store statestore.Store) (*Worker, *diary) {
	d := &diary{}
	return newWorker(t, newOperator(tinyModel(t), notedStore{d, store}), notedSource{d, &sliceSource{log: log, size: size}},
		notedSink{d, "scores", &sliceSink{}}, notedSink{d, "letters", &sliceSink{}}), d
}

func TestOrderIsOutputsStatesCursorCommit(t *testing.T) {
	log := slices.Concat(minutely("a", 0, 3), texts(3, "bad"), minutely("b", 4, 2), texts(6, "bad too"))
	w, d := noted(t, log, 4, statestore.NewMemory())
	if err := w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"claim", "seek -1", "fetch", "write 3 scores", "write 1 letters", "fetch", "write 2 scores", "write 1 letters",
		"fetch", "save 2", "advance 7", "commit 7",
	}
	if diff := cmp.Diff(want, d.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestCheckpointComesWhenItIsTimeAndOnlyIfSomethingChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := noted(t, minutely("a", 0, 6), 1, statestore.NewMemory())
		slow := &slowSource{Source: w.Source, wait: 600 * time.Millisecond, idleAfter: 6, idle: 10}
		w.Source, w.CheckpointEvery = slow, time.Second
		if err := w.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := slices.DeleteFunc(d.calls, func(c string) bool { return c == "fetch" || strings.HasPrefix(c, "write") })
		want := []string{
			"claim", "seek -1", "save 1", "advance 2", "commit 2", "save 1", "advance 4", "commit 4", "save 1", "advance 6", "commit 6",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

// A slowSource takes its time, and brings empty batches for a while.
type slowSource struct {
	Source
	wait            time.Duration
	idleAfter, idle int
}

func (s *slowSource) Fetch(ctx context.Context, b *Batch) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(s.wait):
	}
	if s.idleAfter == 0 && s.idle > 0 {
		s.idle--
		next := b.Next
		b.Reset()
		b.Next = next
		return nil
	}
	s.idleAfter--
	return s.Source.Fetch(ctx, b)
}

func TestStoppedWorkerSavesWhatItHasDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := noted(t, minutely("a", 0, 100), 1, statestore.NewMemory())
		w.Source = &slowSource{Source: w.Source, wait: time.Second, idleAfter: 1000}
		ctx, cancel := context.WithTimeout(t.Context(), 4500*time.Millisecond)
		defer cancel()
		if err := w.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if got := d.calls[len(d.calls)-3:]; !slices.Equal(got, []string{"save 1", "advance 4", "commit 4"}) {
			t.Errorf("the last calls are %v", got)
		}
	})
}

func TestStoppedWorkerDoesNotWaitForeverForItsStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.NewFaulty(statestore.NewMemory(), storetest.Fault{Op: storetest.Save, Err: errAway})
		w, _ := noted(t, minutely("a", 0, 100), 1, store)
		w.Source = &slowSource{Source: w.Source, wait: time.Second, idleAfter: 1000}
		w.DrainTimeout = 7 * time.Second
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		began := time.Now()
		if err := w.Run(ctx); !errors.Is(err, errAway) || !strings.Contains(err.Error(), "checkpoint events-3 at offset 2") {
			t.Errorf("error %v", err)
		}
		if took := time.Since(began); took != 9500*time.Millisecond {
			t.Errorf("gave up after %v, want 2.5 s and the drain's 7 s", took)
		}
	})
}

func TestErrorsThatNoRepetitionMendsEndTheWorker(t *testing.T) {
	for name, fault := range map[string]storetest.Fault{
		"fenced claim":   {Op: storetest.Claim, Err: statestore.ErrFenced},
		"fenced save":    {Op: storetest.Save, Err: statestore.ErrFenced},
		"fenced advance": {Op: storetest.Advance, Err: statestore.ErrFenced},
		"lost owner":     {Op: storetest.Save, Err: statestore.ErrRegressed},
	} {
		w, d := noted(t, minutely("a", 0, 5), 2, storetest.NewFaulty(statestore.NewMemory(), fault))
		if err := w.Run(t.Context()); !errors.Is(err, fault.Err) {
			t.Errorf("%s: %v", name, err)
		}
		if slices.Contains(d.calls, "commit 5") {
			t.Errorf("%s: committed all the same", name)
		}
	}
}

func TestWorkerGoesOnAtTheStoredCursor(t *testing.T) {
	store, m := statestore.NewMemory(), tinyModel(t)
	log := minutely("a", 10, 30)
	first := &sliceSource{log: log[:20]}
	scores := &sliceSink{}
	if err := newWorker(t, newOperator(m, store), first, scores, &sliceSink{}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := &sliceSource{log: log}
	if err := newWorker(t, newOperator(m, store), second, scores, &sliceSink{}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"30 false"}, second.seeks); diff != "" {
		t.Errorf("seeks (-want +got):\n%s", diff)
	}
	straight := &sliceSink{}
	if err := newWorker(t, newOperator(m, statestore.NewMemory()), &sliceSource{log: log, size: 1}, straight, &sliceSink{}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(straight.values(), scores.values()); diff != "" {
		t.Errorf("scores (-straight +in two goes):\n%s", diff)
	}
}

func TestEmptyStoreOfAKnownPartitionIsRebuiltFromTheLogsBeginning(t *testing.T) {
	source := &sliceSource{log: minutely("a", 0, 10)}
	w := newWorker(t, newOperator(tinyModel(t), statestore.NewMemory()), source, &sliceSink{}, &sliceSink{})
	w.Committed = 7
	if err := w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"-1 true"}, source.seeks); diff != "" {
		t.Errorf("seeks (-want +got):\n%s", diff)
	}
}

// A gapSource has lost the events between 100 and 200.
type gapSource struct{ sliceSource }

func (s *gapSource) Fetch(ctx context.Context, b *Batch) error {
	before := s.next
	err := s.sliceSource.Fetch(ctx, b)
	if before == 100 {
		b.Missing = 100
	}
	return err
}

func TestGapMarksOnlyTheFirstEventOfAStreamHoweverLargeTheBatch(t *testing.T) {
	log := slices.Concat(minutely("a", 0, 100), minutely("a", 200, 3), minutely("b", 203, 1))
	for _, size := range []int{100, 1} {
		scores := &sliceSink{}
		source := &gapSource{sliceSource{log: log, size: size}}
		if err := newWorker(t, newOperator(tinyModel(t), statestore.NewMemory()), source, scores, &sliceSink{}).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		var states []string
		for _, v := range scores.values()[100:] {
			_, after, _ := strings.Cut(v, `"state":"`)
			state, _, _ := strings.Cut(after, `"`)
			states = append(states, state)
		}
		if diff := cmp.Diff([]string{"gap", "ready", "ready", "warming"}, states); diff != "" {
			t.Errorf("batches of %d: states after the gap (-want +got):\n%s", size, diff)
		}
	}
}

func TestOutputKeepsKeyTimeAndTrace(t *testing.T) {
	in := minutely("a", 7, 1)
	in[0].Headers = []kafka.Header{
		{Key: "traceparent", Value: []byte("00-ab-cd-01")}, {Key: "secret", Value: []byte("x")}, {Key: "tracestate", Value: []byte("k=v")},
	}
	scores := &sliceSink{}
	w := newWorker(t, newOperator(tinyModel(t), statestore.NewMemory()), &sliceSource{log: in}, scores, &sliceSink{})
	if err := w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	out := scores.log[0]
	if string(out.Key) != "a" || out.Time != in[0].Time {
		t.Errorf("key %q, time %d", out.Key, out.Time)
	}
	want := []kafka.Header{
		{Key: "weir-source", Value: []byte("events-3-7")},
		{Key: "weir-group", Value: []byte(testPartition.Group)},
		{Key: "weir-lineage", Value: []byte(w.Operator.ModelTag())},
		in[0].Headers[0], in[0].Headers[2],
	}
	if diff := cmp.Diff(want, out.Headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

func TestOrderOfFieldsInARecordDoesNotMatter(t *testing.T) {
	m := tinyModel(t)
	var one, other []Message
	for i := range int64(100) {
		values := []string{fmt.Sprintf(`"cpu":%d`, i*i%13), fmt.Sprintf(`"mem":%d`, i*i%7), fmt.Sprintf(`"disk":%d`, i)}
		if i%3 == 0 {
			values = values[:2]
		}
		one = append(one, texts(i, `{"stream":"s","values":{`+strings.Join(values, ",")+`}}`)...)
		slices.Reverse(values)
		other = append(other, texts(i, `{"values":{`+strings.Join(values, ",")+`},"stream":"s"}`)...)
	}
	got := map[string][]string{}
	for name, log := range map[string][]Message{"one": one, "other": other} {
		scores := &sliceSink{}
		if err := newWorker(t, newOperator(m, statestore.NewMemory()), &sliceSource{log: log}, scores, &sliceSink{}).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		got[name] = scores.values()
	}
	if diff := cmp.Diff(got["one"], got["other"]); diff != "" || len(got["one"]) != 100 {
		t.Errorf("%d scores (-one order +another):\n%s", len(got["one"]), diff)
	}
}

// A countingStore counts what is saved of each stream.
type countingStore struct {
	*statestore.Memory
	saved map[string]int
	calls int
}

func (s *countingStore) Save(ctx context.Context, p statestore.Partition, t statestore.Token, snaps []statestore.Snapshot) error {
	s.calls++
	for _, snap := range snaps {
		s.saved[snap.Key]++
	}
	return s.Memory.Save(ctx, p, t, snaps)
}

// TestAHotStreamIsSavedOnceAnInterval has one stream come a thousand times as often as the
// others: each costs one record a checkpoint.
func TestAHotStreamIsSavedOnceAnInterval(t *testing.T) {
	var log []Message
	for i := range int64(5000) {
		key := "hot"
		if i%1000 == 0 {
			key = "cold"
		}
		log = append(log, Message{Offset: i, Time: 1_780_000_000_000 + 1000*i, Key: []byte(key), Value: fmt.Appendf(nil, `{"value":%d}`, i%17)})
	}
	synctest.Test(t, func(t *testing.T) {
		store := &countingStore{Memory: statestore.NewMemory(), saved: map[string]int{}}
		source := tenthSource{&sliceSource{log: log, size: 50}}
		w := newWorker(t, newOperator(tinyModel(t), store), source, &sliceSink{}, &sliceSink{})
		w.CheckpointEvery = time.Second
		if err := w.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		// 100 fetches of 100 ms are 10 s.
		if store.saved["hot"] < 9 || store.saved["hot"] > 11 || store.saved["cold"] != 5 || store.calls > 11 {
			t.Errorf("in 10 s the hot stream was saved %d times, the cold one %d times, in %d calls; want 10, 5 and 10",
				store.saved["hot"], store.saved["cold"], store.calls)
		}
	})
}

// A tenthSource takes a tenth of a second for each fetch.
type tenthSource struct{ *sliceSource }

func (s tenthSource) Fetch(ctx context.Context, b *Batch) error {
	time.Sleep(100 * time.Millisecond) // the bubble's time
	return s.sliceSource.Fetch(ctx, b)
}
