package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/goccy/go-yaml"
	"golang.org/x/sync/errgroup"

	"github.com/weirstream/weir/config"
	"github.com/weirstream/weir/internal/web"
	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/pipeline"
)

// A livePage is what a service shows of its streams.
type livePage struct {
	board *web.Board
	meter *web.Meter
}

func newLivePage(cfg config.Config, read func(context.Context) (web.Work, error)) *livePage {
	return &livePage{board: web.NewBoard(cfg.Scoring.Budget.PerSecond()), meter: web.NewMeter(read)}
}

// run keeps the page up to date until ctx ends.
func (p *livePage) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.board.Run(ctx) })
	g.Go(func() error { return p.meter.Run(ctx) })
	return g.Wait()
}

// guarded returns an API's handler behind the guard that the configuration asks for.
func guarded(cfg config.HTTP, api *web.API) http.Handler {
	guard := web.Guard{Hosts: cfg.Hosts, Remote: cfg.RemoteChanges}
	return guard.Wrap(api.Handler())
}

// pageHandler returns the service's page and API.
func (s *service) pageHandler() (http.Handler, error) {
	settings, err := yaml.YAMLToJSON([]byte(s.cfg.String()))
	if err != nil {
		return nil, fmt.Errorf("configuration as JSON: %w", err)
	}
	return guarded(s.cfg.Service.HTTP, &web.API{
		Board: s.page.board, Meter: s.page.meter, Health: s.telemetry.health,
		Owner: &web.Owner{Model: s.model, Record: s.record, Reset: s.reset, Config: json.RawMessage(settings)},
	}), nil
}

// workDone sums what the partitions' workers have done, those that have ended included.
func (s *service) workDone(context.Context) (web.Work, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := s.ended
	sum.Model, sum.Partitions = s.model.Tag(), len(s.workers)
	for w := range s.workers {
		addLoad(&sum, w.Load())
	}
	return sum, nil
}

func addLoad(sum *web.Work, l pipeline.Load) {
	sum.Events += l.Events
	sum.BusySeconds += l.Busy.Seconds()
	sum.Streams += l.Streams
	sum.ReplayDepth += l.ReplayDepth
	sum.SavedStreams += l.SavedStreams
	sum.SavedBytes += l.SavedBytes
	if l.Checkpoint.Unix() > 0 && (sum.Checkpoint.IsZero() || l.Checkpoint.Before(sum.Checkpoint)) {
		sum.Checkpoint = l.Checkpoint
	}
}

// record asks the worker that has the stream for a copy of it.
func (s *service) record(ctx context.Context, stream string) (r operator.Record, err error) {
	err = s.askOwner(ctx, stream, func(w *pipeline.Worker) error {
		r, err = w.Record(ctx, stream)
		return err
	})
	return r, err
}

// reset asks the worker that has the stream to let it begin anew.
func (s *service) reset(ctx context.Context, stream string) error {
	return s.askOwner(ctx, stream, func(w *pipeline.Worker) error { return w.Reset(ctx, stream) })
}

// askOwner asks the workers, the one that the stream was last seen with first, until one
// knows the stream.
func (s *service) askOwner(ctx context.Context, stream string, ask func(*pipeline.Worker) error) error {
	workers, err := s.owners(ctx, stream)
	if err != nil {
		return err
	}
	for _, w := range workers {
		if err := ask(w); !errors.Is(err, operator.ErrUnknownStream) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return fmt.Errorf("stream %.64q: %w", stream, web.ErrNotOwned)
}

// owners returns the workers, the likeliest to have the stream first. Where the group has
// yet to assign partitions, it waits for them.
func (s *service) owners(ctx context.Context, stream string) ([]*pipeline.Worker, error) {
	const again = 100 * time.Millisecond
	for {
		s.mu.Lock()
		workers := slices.Collect(maps.Keys(s.workers))
		s.mu.Unlock()
		if len(workers) > 0 {
			topic, partition, _ := s.page.board.PartitionOf(stream)
			slices.SortFunc(workers, func(a, b *pipeline.Worker) int {
				return unlikely(a, topic, partition) - unlikely(b, topic, partition)
			})
			return workers, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(again):
		}
	}
}

// unlikely is 0 for the worker of a partition.
func unlikely(w *pipeline.Worker, topic string, partition int) int {
	if w.Topic == topic && w.Partition == partition {
		return 0
	}
	return 1 + w.Partition
}

// ended is what a worker leaves behind: its work counts on, what it held is another's.
func ended(l pipeline.Load) pipeline.Load {
	l.Streams, l.ReplayDepth, l.Checkpoint = 0, 0, time.Time{}
	return l
}
