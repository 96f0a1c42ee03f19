package operator

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/weirstream/weir/statestore"
	"github.com/weirstream/weir/statestore/storetest"
)

var errAway = errors.New("store is away")

func TestFailedLoadLeavesTheOperatorAsItWas(t *testing.T) {
	m, inner := tinyModel(t, 1), statestore.NewMemory()
	events := randomLog(rand.New(rand.NewPCG(3, 4)), 120)
	o, _ := open(t, m, inner, 1, testConfig)
	apply(t, o, events[:40]...)
	checkpoint(t, o, events[39].Offset)
	undisturbed, _ := open(t, m, inner, 1, testConfig)
	want := play(t, undisturbed, events[40:], 20)

	store := storetest.NewFaulty(inner,
		storetest.Fault{Op: storetest.Load, Call: 1, Err: errAway},
		storetest.Fault{Op: storetest.Load, Call: 2, After: true, Err: errAway},
		storetest.Fault{Op: storetest.Load, Call: 4, Err: errAway})
	o, _ = open(t, m, store, 1, testConfig)
	var got []string
	failures := 0
	for batch := range slices.Chunk(append(slices.Clone(events[40:]), plain("new", 1e6, 1e6, 1)), 20) {
		for {
			streams, dirty := o.Streams(), len(o.dirty)
			r, err := o.Apply(t.Context(), batch)
			if err == nil {
				got = append(got, bitsOf(r)...)
				break
			}
			failures++
			if !errors.Is(err, errAway) || len(r.Predictions) > 0 || o.Streams() != streams || len(o.dirty) != dirty {
				t.Fatalf("failed Apply: %v, %d predictions, %d streams (were %d), %d dirty (were %d)",
					err, len(r.Predictions), o.Streams(), streams, len(o.dirty), dirty)
			}
		}
	}
	if failures != 3 {
		t.Fatalf("%d failures, want 3", failures)
	}
	if diff := cmp.Diff(want, got[:len(want)]); diff != "" {
		t.Errorf("(-without failures +with):\n%s", diff)
	}
}

func TestFailedCheckpointIsMadeAgain(t *testing.T) {
	m := tinyModel(t, 1)
	var events []Event // of more streams than one Save takes
	for i := range int64(2*saveFields + 10) {
		events = append(events, plain(fmt.Sprint("s", i), i, float64(i), wave(i)))
	}
	last := events[len(events)-1].Offset
	want := statestore.NewMemory()
	o, _ := open(t, m, want, 1, testConfig)
	apply(t, o, events...)
	checkpoint(t, o, last)

	for _, fault := range []storetest.Fault{
		{Op: storetest.Save, Call: 1},
		{Op: storetest.Save, Call: 1, After: true},
		{Op: storetest.Save, Call: 2},
		{Op: storetest.Save, Call: 3, After: true},
		{Op: storetest.Advance, Call: 1},
		{Op: storetest.Advance, Call: 1, After: true},
	} {
		fault.Err = errAway
		inner := statestore.NewMemory()
		cfg := testConfig
		cfg.MaxStreams = 2
		o, _ := open(t, m, storetest.NewFaulty(inner, fault), 1, cfg)
		apply(t, o, events...)
		n, err := o.Checkpoint(t.Context(), last+1, 1)
		if !errors.Is(err, errAway) || o.Streams() != len(events) {
			t.Fatalf("%+v: error %v, %d streams left in memory", fault, err, o.Streams())
		}
		more, err := o.Checkpoint(t.Context(), last+1, 1)
		if err != nil || n+more != len(events) {
			t.Fatalf("%+v: again: %v; %d and %d streams saved, want %d in all", fault, err, n, more, len(events))
		}
		if diff := cmp.Diff(records(t, want, events), records(t, inner, events)); diff != "" {
			t.Errorf("%+v: records (-want +got):\n%s", fault, diff)
		}
		if _, cursor := open(t, m, inner, 2, cfg); cursor != last+1 || o.Streams() != cfg.MaxStreams {
			t.Errorf("%+v: cursor %d, %d streams in memory", fault, cursor, o.Streams())
		}
	}
}

// A history plays a log the way a life of crashes would, and notes what came of it.
type history struct {
	*rapid.T
	model  *Model
	events []Event
	store  *storetest.Faulty

	o          *Operator
	generation int64
	next       int              // the event to go on with
	outputs    map[int64]string // predictions by offset
}

// restart drops the operator and all it held, and goes on from the cursor.
func (h *history) restart() {
	h.generation++
	cfg := testConfig
	cfg.MaxStreams = 2
	h.o = New(h.model, h.store, testPartition, statestore.Token{Generation: h.generation}, cfg)
	meta, err := h.o.Claim(context.Background(), nil)
	if err != nil {
		h.Fatal(err)
	}
	h.next = slices.IndexFunc(h.events, func(ev Event) bool { return ev.Offset >= meta.Cursor })
	if h.next < 0 {
		h.next = len(h.events)
	}
}

// until calls fn until it succeeds; faults happen once.
func (h *history) until(fn func() error) {
	for {
		err := fn()
		if err == nil {
			return
		}
		if !errors.Is(err, errAway) {
			h.Fatal(err)
		}
	}
}

func (h *history) apply(n int) {
	batch := h.events[h.next:min(h.next+n, len(h.events))]
	h.next += len(batch)
	var r Result
	h.until(func() (err error) { r, err = h.o.Apply(context.Background(), batch); return err })
	for i := range r.Predictions {
		p := &r.Predictions[i]
		if before, ok := h.outputs[p.Offset]; ok && before != bits(p) {
			h.Fatalf("event %d was\n%s\nand replayed it is\n%s", p.Offset, before, bits(p))
		}
		h.outputs[p.Offset] = bits(p)
	}
	for i := range batch {
		if _, ok := h.outputs[batch[i].Offset]; !ok {
			h.Fatalf("event %d was skipped before it was ever put out", batch[i].Offset)
		}
	}
	if r.Skipped+len(r.Predictions) != len(batch) || len(r.Lost) > 0 {
		h.Fatalf("%d skipped and %d predictions of %d events, lost %v", r.Skipped, len(r.Predictions), len(batch), r.Lost)
	}
}

func (h *history) checkpoint() {
	cursor := int64(0)
	if h.next > 0 {
		cursor = h.events[h.next-1].Offset + 1
	}
	h.until(func() error { _, err := h.o.Checkpoint(context.Background(), cursor, 1); return err })
}

func (h *history) breakStore() {
	op := rapid.SampledFrom([]storetest.Op{storetest.Load, storetest.Save, storetest.Advance}).Draw(h.T, "op")
	h.store.Inject(storetest.Fault{
		Op: op, Call: h.store.Calls(op) + 1, After: rapid.Bool().Draw(h.T, "after"), Err: errAway,
	})
}

func TestCheckpointThenRestartGivesTheSameBytes(t *testing.T) {
	m := tinyModel(t, 8)
	rapid.Check(t, func(rt *rapid.T) {
		seed, n := rapid.Uint64().Draw(rt, "log"), rapid.IntRange(1, 80).Draw(rt, "events")
		events := randomLog(rand.New(rand.NewPCG(seed, 1)), n)
		last := events[len(events)-1].Offset
		straight := statestore.NewMemory()
		o, _ := open(t, m, straight, 1, testConfig)
		want := play(t, o, events, 1)
		checkpoint(t, o, last)

		crooked := statestore.NewMemory()
		h := &history{T: rt, model: m, events: events, store: storetest.NewFaulty(crooked), outputs: make(map[int64]string)}
		h.restart()
		steps := rapid.SliceOfN(rapid.IntRange(0, 30), 0, 30).Draw(rt, "steps")
		for _, step := range steps {
			switch {
			case step == 0:
				h.restart()
			case step <= 4:
				h.checkpoint()
			case step <= 6:
				h.breakStore()
			default:
				h.apply(step - 6)
			}
		}
		for h.next < len(events) {
			h.apply(9)
		}
		h.checkpoint()

		for i, ev := range events {
			if h.outputs[ev.Offset] != want[i] {
				rt.Fatalf("uninterrupted\n%s\nwith restarts\n%s", want[i], h.outputs[ev.Offset])
			}
		}
		if diff := cmp.Diff(records(t, straight, events), records(t, crooked, events)); diff != "" {
			rt.Fatalf("records (-uninterrupted +with restarts):\n%s", diff)
		}
	})
}

func TestOnlyACheckpointEvictsTheLeastRecentlyUsed(t *testing.T) {
	m, store := tinyModel(t, 1), statestore.NewMemory()
	cfg := testConfig
	cfg.MaxStreams = 3
	o, _ := open(t, m, store, 1, cfg)
	var events []Event
	for i, stream := range []string{"a", "b", "c", "d", "e", "a", "c", "f", "c"} {
		events = append(events, plain(stream, int64(i), float64(i), 1))
	}
	apply(t, o, events...)
	if o.Streams() != 6 {
		t.Fatalf("%d streams in memory before a checkpoint, want 6", o.Streams())
	}
	checkpoint(t, o, 8)
	var left []string
	for s := o.cache.newest; s != nil; s = s.older {
		left = append(left, s.key)
	}
	if diff := cmp.Diff([]string{"c", "f", "a"}, left); diff != "" || o.Streams() != len(left) {
		t.Errorf("%d streams, newest first (-want +got):\n%s", o.Streams(), diff)
	}
	if r := apply(t, o, plain("a", 9, 9, 1), plain("b", 10, 10, 1), plain("new", 11, 11, 1)); r.Restored != 1 {
		t.Errorf("%d streams restored, want the one evicted before", r.Restored)
	}
}

func TestCrowdedOnceAThousandStreamsAreTooMany(t *testing.T) {
	cfg := testConfig
	cfg.MaxStreams = 10
	o, _ := open(t, tinyModel(t, 1), statestore.NewMemory(), 1, cfg)
	for i := range int64(10 + 1024 + 1) {
		if o.Crowded() {
			t.Fatalf("crowded with %d streams", o.Streams())
		}
		apply(t, o, plain(fmt.Sprint(i), i, 0, 1))
	}
	if !o.Crowded() {
		t.Errorf("not crowded with %d streams", o.Streams())
	}
	checkpoint(t, o, 2000)
	if o.Crowded() {
		t.Errorf("crowded with %d streams after a checkpoint", o.Streams())
	}
}
