package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// ErrStuck means that a worker neither did anything nor tried to for so long that it never
// will. kafka-go sends heartbeats all the same, so the group would leave it its partition
// for ever.
var ErrStuck = errors.New("a partition is stuck")

// stuckAfter is longer than any single call takes: a fetch may wait 15 s for its broker, a
// call to Redis 5 s four times.
const stuckAfter = 2 * time.Minute

// A pulse is beaten by a worker whenever it has done or tried something.
type pulse struct{ last atomic.Int64 }

func (p *pulse) beat() { p.last.Store(time.Now().UnixNano()) }

func (p *pulse) since() time.Duration { return time.Duration(time.Now().UnixNano() - p.last.Load()) }

// supervise runs work, and stops waiting for it with ErrStuck when its pulse stands still. A
// process that meets this has to end: the stuck goroutine ends with it, and what it may
// still do until then is refused, by the store's owner token and the producer's epoch.
func supervise(ctx context.Context, a *Assignment, work func(context.Context, *Assignment) error) error {
	a.pulse.beat()
	done := make(chan error, 1)
	go func() { done <- work(ctx, a) }()
	look := time.NewTicker(stuckAfter / 8)
	defer look.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-look.C:
			if still := a.pulse.since(); still > stuckAfter {
				return fmt.Errorf("%w: %s-%d has not moved for %s", ErrStuck, a.Topic, a.Partition, still.Round(time.Second))
			}
		}
	}
}

// Beat says that the partition's work goes on.
func (a *Assignment) Beat() { a.pulse.beat() }
