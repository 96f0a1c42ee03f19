package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirstream/weir/statestore"
)

// TestStuckWorkerIsGivenUp has a source that never answers: not when it is told to stop
// either, as a call without a time limit does.
func TestStuckWorkerIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &Assignment{Topic: "events", Partition: 3, pulse: &pulse{}}
		never := make(chan struct{})
		defer synctest.Wait()
		defer close(never)
		began := time.Now()
		err := supervise(t.Context(), a, func(ctx context.Context, a *Assignment) error {
			w := newWorker(t, newOperator(tinyModel(t), statestore.NewMemory()), stuckSource{&sliceSource{}, never}, &sliceSink{}, &sliceSink{})
			w.Retry.Beat = a.Beat
			return w.Run(ctx)
		})
		if took := time.Since(began); !errors.Is(err, ErrStuck) || took < stuckAfter || took > 2*stuckAfter {
			t.Errorf("after %s: %v", took, err)
		}
	})
}

type stuckSource struct {
	*sliceSource
	never chan struct{}
}

func (s stuckSource) Fetch(context.Context, *Batch) error {
	<-s.never
	return ErrEnd
}

// TestWorkerThatTriesInVainIsNotStuck has a store that is away for an hour: giving the
// partition to somebody else would not bring it back.
func TestWorkerThatTriesInVainIsNotStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		back := time.Now().Add(time.Hour)
		a := &Assignment{Topic: "events", Partition: 3, pulse: &pulse{}}
		err := supervise(t.Context(), a, func(ctx context.Context, a *Assignment) error {
			retry := &Retrier{
				Log: slog.New(slog.DiscardHandler), Report: func(string, error) {}, Count: func(string) {}, Beat: a.Beat,
			}
			return retry.Do(ctx, "state", "load", func(context.Context) error {
				if time.Now().Before(back) {
					return errAway
				}
				return nil
			})
		})
		if err != nil {
			t.Error(err)
		}
	})
}
