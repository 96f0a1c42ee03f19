package operator

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/weirstream/weir/statestore"
)

func coldConfig() Config {
	cfg := testConfig
	cfg.OnLoss = Cold
	return cfg
}

// streamsOf are the names of the events' streams.
func streamsOf(events []Event) []string {
	var names []string
	for i := range events {
		names = append(names, string(events[i].Stream))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// heal applies a batch, and computes again what the store turns out to have lost, as a
// worker does: from the log's events, of which the first few may be gone.
func heal(tb rapid.TB, t *testing.T, o *Operator, log []Event, gone int, batch []Event) (Result, []LostStream) {
	var healed []LostStream
	for {
		r, err := o.Apply(t.Context(), batch)
		var loss *LossError
		if err == nil {
			return r, healed
		}
		if !errors.As(err, &loss) {
			tb.Fatal(err)
		}
		if len(healed) > 0 {
			tb.Fatalf("lost again right after it was computed again: %v", err)
		}
		rebuild := o.StartRebuild(loss, batch[0].Offset)
		for past := range slices.Chunk(log[gone:], 7) {
			if past[0].Offset >= rebuild.End() {
				break
			}
			if err := rebuild.Apply(t.Context(), past); err != nil {
				tb.Fatal(err)
			}
		}
		healed = rebuild.Finish(gone == 0)
	}
}

// TestLostStreamsAreComputedAgainToTheSameBytes loses any streams at any checkpoint, and
// has a new operator go on: outputs and records are as if nothing had been lost, for
// streams that were saved ahead of the cursor as well.
func TestLostStreamsAreComputedAgainToTheSameBytes(t *testing.T) {
	m := tinyModel(t, 8)
	rapid.Check(t, func(rt *rapid.T) {
		events := randomLog(rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "log"), 1)), rapid.IntRange(2, 60).Draw(rt, "events"))
		last := events[len(events)-1].Offset
		straight := statestore.NewMemory()
		o, _ := open(t, m, straight, 1, testConfig)
		want := play(t, o, events, 5)
		checkpoint(t, o, last)

		store := statestore.NewMemory()
		cut := rapid.IntRange(1, len(events)-1).Draw(rt, "cut")
		ahead := rapid.IntRange(cut, len(events)).Draw(rt, "ahead")
		o, _ = open(t, m, store, 1, testConfig)
		play(t, o, events[:cut], 5)
		checkpoint(t, o, events[cut-1].Offset)
		play(t, o, events[cut:ahead], 5)
		if ahead > cut { // a crash between the states and the cursor
			if err := o.save(t.Context(), o.dirty); err != nil {
				rt.Fatal(err)
			}
		}
		names := streamsOf(events[:ahead])
		lost := rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, len(names), rapid.ID).Draw(rt, "lost")
		store.Lose(testPartition, lost...)

		o, cursor := open(t, m, store, 2, testConfig)
		if cursor != events[cut-1].Offset+1 {
			rt.Fatalf("cursor %d", cursor)
		}
		healed := 0
		for batch := range slices.Chunk(events[cut:], 5) {
			r, again := heal(rt, t, o, events, 0, batch)
			healed += len(again)
			for i := range r.Predictions {
				p := &r.Predictions[i]
				at := slices.IndexFunc(events, func(ev Event) bool { return ev.Offset == p.Offset })
				if at < ahead && slices.Contains(lost, string(p.Stream)) {
					rt.Fatalf("event %d of %s was acknowledged, and put out again", p.Offset, p.Stream)
				}
				if bits(p) != want[at] {
					rt.Fatalf("without loss\n%s\nafter it\n%s", want[at], bits(p))
				}
			}
		}
		checkpoint(t, o, last)
		got := records(t, straight, events)
		for _, name := range lost { // one without a later event stays lost until its next one
			if o.cache.live[name] == nil {
				delete(got, name)
			}
		}
		there := make(map[string]string)
		for name := range got {
			snaps, err := store.Load(t.Context(), testPartition, []string{name})
			if err != nil {
				rt.Fatal(err)
			}
			there[name] = fmt.Sprintf("as of %d: %x", snaps[0].Offset, snaps[0].State)
		}
		if diff := cmp.Diff(got, there); diff != "" {
			rt.Fatalf("%d lost, %d computed again; records (-without loss +after it):\n%s", len(lost), healed, diff)
		}
	})
}

func TestLossIsReportedAndNothingIsApplied(t *testing.T) {
	m := tinyModel(t, 1)
	for _, policy := range []OnLoss{Rebuild, Fail} {
		cfg := testConfig
		cfg.OnLoss = policy
		store := statestore.NewMemory()
		o, _ := open(t, m, store, 1, cfg)
		apply(t, o, plain("lost", 1, 0, 1), plain("sound", 2, 0, 1))
		checkpoint(t, o, 2)
		store.Lose(testPartition, "lost")
		o, _ = open(t, m, store, 2, cfg)
		for range 2 {
			_, err := o.Apply(t.Context(), []Event{plain("sound", 3, 60, 1), plain("lost", 4, 60, 1)})
			var loss *LossError
			if !errors.As(err, &loss) || !errors.Is(err, ErrLoss) || !errors.Is(err, statestore.ErrLost) {
				t.Fatalf("Apply: %v", err)
			}
			if len(loss.Streams) != 1 || loss.Streams[0].Stream != "lost" || loss.Streams[0].Saved != 1 || len(o.dirty) != 0 {
				t.Fatalf("lost %+v, %d dirty", loss.Streams, len(o.dirty))
			}
		}
	}
}

// TestRetentionLeavesAMarkOnWhatIsComputedAgain has the log lose the first part of the past.
func TestRetentionLeavesAMarkOnWhatIsComputedAgain(t *testing.T) {
	m, store := tinyModel(t, 1), statestore.NewMemory()
	log := append(minutely("short", 0, 100), minutely("gone", 100, 5)...)
	log = append(log, minutely("short", 105, 20)...)
	o, _ := open(t, m, store, 1, testConfig)
	apply(t, o, log...)
	checkpoint(t, o, 124)
	store.Lose(testPartition, "short", "gone")

	o, _ = open(t, m, store, 2, testConfig)
	r, healed := heal(t, t, o, log, 110, []Event{plain("short", 125, 7500, 1), plain("gone", 126, 7500, 1), plain("short", 127, 7560, 1)})
	if len(healed) != 2 {
		t.Fatalf("computed again: %+v", healed)
	}
	var got []string
	for i := range r.Predictions {
		got = append(got, fmt.Sprintf("%s %s %d", r.Predictions[i].Stream, r.Predictions[i].Phase, r.Predictions[i].N))
	}
	if diff := cmp.Diff([]string{"short gap 16", "gone gap 1", "short warming 17"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestOneReadingHealsThePartition loses everything and finds it all lost by one stream.
func TestOneReadingHealsThePartition(t *testing.T) {
	m, store := tinyModel(t, 1), statestore.NewMemory()
	var log []Event
	for i := range int64(60) {
		log = append(log, plain(fmt.Sprint("s", i%20), i, float64(60*i), wave(i)))
	}
	o, _ := open(t, m, store, 1, testConfig)
	apply(t, o, log...)
	checkpoint(t, o, 59)
	store.Lose(testPartition, streamsOf(log)...)
	cfg := testConfig
	cfg.MaxStreams = 8
	o, _ = open(t, m, store, 2, cfg)
	_, healed := heal(t, t, o, log, 0, []Event{plain("s7", 60, 3600, 1)})
	if len(healed) != 8 {
		t.Errorf("%d streams were computed again, want as many as are kept in memory (8)", len(healed))
	}
}

func TestStreamIdleByTheLogsClockBeginsAnew(t *testing.T) {
	const hour = int64(3_600_000)
	m, cfg := tinyModel(t, 1), testConfig
	cfg.IdleTTL = time.Hour
	logged := func(ev Event, at int64) Event { ev.Logged = at; return ev }
	log := []Event{
		logged(plain("s", 1, 0, 1), hour),
		logged(plain("s", 2, 60, 2), 2*hour),     // an hour: not longer
		logged(plain("s", 3, 1e9, 3), 2*hour+1),  // its own time does not count
		logged(plain("s", 4, 1e9, 3), 3*hour+2),  // idle
		logged(plain("s", 5, 1e9+60, 3), 2*hour), // the log's clock may go back a little
		logged(plain("s", 6, 1e9+90, 3), 4*hour),
		plain("s", 7, 1e9+120, 3), // without a clock
	}
	for _, size := range []int{1, len(log)} {
		store := statestore.NewMemory()
		o, _ := open(t, m, store, 1, cfg)
		var got []int64
		for i, batch := range slices.Collect(slices.Chunk(log, size)) {
			r := apply(t, o, batch...)
			for j := range r.Predictions {
				got = append(got, r.Predictions[j].N)
			}
			checkpoint(t, o, batch[len(batch)-1].Offset)
			o, _ = open(t, m, store, int64(i+2), cfg)
		}
		if diff := cmp.Diff([]int64{1, 2, 3, 1, 2, 3, 4}, got); diff != "" {
			t.Errorf("batches of %d: number of the event in its stream (-want +got):\n%s", size, diff)
		}
	}
}
