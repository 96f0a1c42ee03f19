package pipeline

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirstream/weir/statestore"
)

// A replacedSource is a log that another takes the place of, between two fetches.
type replacedSource struct {
	sliceSource
	after int64 // the first offset that is fetched from the other log
	other []Message
	away  time.Duration // how long that takes
}

func (s *replacedSource) Fetch(ctx context.Context, b *Batch) error {
	if s.next == s.after && s.other != nil {
		time.Sleep(s.away)
		s.log, s.other = s.other, nil
	}
	return s.sliceSource.Fetch(ctx, b)
}

func events(n int, value string) []Message {
	var values []string
	for i := range n {
		values = append(values, fmt.Sprintf(`{"stream":"a","ts":%d,"value":%s}`, 1795429680000+i*60000, value))
	}
	return texts(0, values...)
}

func TestLogThatIsReplacedBetweenTwoFetchesIsNotReadOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := statestore.NewMemory()
		source := &replacedSource{sliceSource: sliceSource{log: events(10, "1"), size: 5}, after: 5, other: events(20, "2"), away: time.Second}
		var scores, letters sliceSink
		w := newWorker(t, newOperator(tinyModel(t), store), source, &scores, &letters)
		w.Alive = func(context.Context) error { return nil }
		if err := w.Run(t.Context()); !errors.Is(err, ErrLogReplaced) {
			t.Fatalf("%v, want ErrLogReplaced", err)
		}
		if len(scores.log) != 5 {
			t.Errorf("%d outputs, want those of the 5 events before", len(scores.log))
		}
		snaps, err := store.Load(t.Context(), testPartition, []string{"a"})
		if err != nil || snaps[0].Offset != 4 {
			t.Errorf("the stream is stored as of offset %d, %v; want 4: its outputs are written", snaps[0].Offset, err)
		}
	})
}

func TestLogThatComesSlowlyIsReadOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := events(20, "1")
		source := &replacedSource{sliceSource: sliceSource{log: log[:10], size: 5}, after: 5, other: log, away: time.Hour}
		var scores, letters sliceSink
		w := newWorker(t, newOperator(tinyModel(t), statestore.NewMemory()), source, &scores, &letters)
		w.Alive = func(context.Context) error { return nil }
		if err := w.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(scores.log) != 20 {
			t.Errorf("%d outputs of 20 events", len(scores.log))
		}
	})
}
