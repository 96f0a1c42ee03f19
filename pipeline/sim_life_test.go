package pipeline

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/rawproduce"

	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/statestore"
)

// A life is one worker from its start to its end or its crash, with the real delivery over
// a Kafka of its world. It is a coroutine that stops before and after everything it does to
// the world, where it may be left for dead, or for a while, in which another one goes on in
// its place.
type life struct {
	world  *world
	resume func() (string, bool)
	kill   func()
	pause  func(string) bool
	err    error // what Run returned

	acked int  // number of the store's last write that was acknowledged to it
	lost  bool // that write is gone

	late []func(context.Context) // what a mutation puts off
	held []statestore.Snapshot   // what a mutation saves later
}

// killed is what a crash unwinds a worker with: nothing in it handles that.
type killed struct{}

var silent = slog.New(slog.DiscardHandler)

// begin starts the next generation's worker.
func (w *world) begin() *life {
	l := &life{world: w}
	w.lives = append(w.lives, l)
	w.kafka.generation++
	client := &kafka.Client{Addr: kafka.TCP("sim"), Transport: lifeKafka{l}}
	owner := &Assignment{
		Topic: testPartition.Topic, Partition: testPartition.Number, Generation: w.kafka.generation, Peers: 1,
		Committed: w.kafka.committed.offset, member: "m", group: &Group{client: client, cfg: GroupConfig{ID: simGroup}, log: silent},
	}
	scores, letters := NewKafkaSink(client, simScores, testPartition.Number), NewKafkaSink(client, simLetters, 0)
	d := NewDelivery(w.mode, owner, silent, scores, letters)
	o := operator.New(w.model, lifeStore{w.memory, l}, testPartition, statestore.Token{Generation: int64(owner.Generation)},
		operator.Config{FalseAlarms: 1.0 / 3600, MaxStreams: 2})
	worker := w.simulation.worker(o, &lifeSource{sliceSource{log: w.history.log}, l, d}, scores, letters)
	worker.Delivery, worker.Alive, worker.Committed, worker.CheckpointEvery = d, owner.Alive, owner.Committed, time.Second
	w.broken.change(l, worker)
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

// delays says, rarely, that a request is taken for lost and arrives later.
func (l *life) delays() bool { return l.world.rng.IntN(40) == 0 }

// A lifeKafka is the world's Kafka over this life's connections.
type lifeKafka struct{ *life }

// RoundTrip implements kafka.RoundTripper.
func (l lifeKafka) RoundTrip(ctx context.Context, _ net.Addr, req kafka.Request) (kafka.Response, error) {
	l.at("before a request")
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if res, done := l.world.broken.answer(l.life, req); done {
		return res, nil
	}
	_, produce := req.(*rawproduce.Request)
	switch {
	case l.breaks():
		return nil, errAway
	case produce && l.delays():
		l.world.delayed = append(l.world.delayed, func() { _, _ = l.world.kafka.answer(req) })
		return nil, errAway
	}
	res, err := l.world.kafka.answer(req)
	l.at("after a request")
	if l.breaks() {
		return nil, errAway // the answer was lost
	}
	return res, err
}

type lifeSource struct {
	sliceSource
	*life
	delivery *Delivery
}

func (s *lifeSource) Seek(ctx context.Context, offset int64, past bool) (int64, error) {
	s.at("seek")
	return s.sliceSource.Seek(ctx, offset, past)
}

func (s *lifeSource) Fetch(ctx context.Context, b *Batch) error {
	s.at("fetch")
	s.catchUp(ctx)
	if s.breaks() {
		return errAway
	}
	s.world.spent()
	if s.world.rng.IntN(10) == 0 {
		b.Reset()
		b.Next = s.next
		return nil
	}
	s.size = 1 + s.world.rng.IntN(5)
	return s.sliceSource.Fetch(ctx, b)
}

func (s *lifeSource) Commit(ctx context.Context, next int64) error {
	return s.delivery.Commit(ctx, next)
}

// A lifeStore's calls fail now and then, with or without effect, or take effect late. Save
// takes effect key by key: no store promises more.
type lifeStore struct {
	*statestore.Memory
	*life
}

// call makes one call between two places where the worker may end.
func (s lifeStore) call(what string, fn func() error) error {
	s.at("before " + what)
	if s.breaks() {
		return errAway
	}
	err := fn()
	s.at("after " + what)
	if s.breaks() {
		return errAway
	}
	return err
}

// write makes one write, as one whose own writes are all there.
func (s lifeStore) write(fn func() error) error {
	if s.lost {
		return statestore.ErrRegressed
	}
	err := fn()
	if err == nil {
		s.world.writes++
		s.acked = s.world.writes
	}
	return err
}

func (s lifeStore) Claim(ctx context.Context, p statestore.Partition, t statestore.Token) (meta statestore.Meta, err error) {
	err = s.call("claim", func() error {
		meta, err = s.Memory.Claim(ctx, p, t)
		if err == nil {
			s.lost = false
			s.world.writes++
			s.acked = s.world.writes
		}
		return err
	})
	return meta, err
}

func (s lifeStore) Load(ctx context.Context, p statestore.Partition, keys []string) (snaps []statestore.Snapshot, err error) {
	err = s.call("load", func() error {
		if s.lost {
			return statestore.ErrRegressed
		}
		snaps, err = s.Memory.Load(ctx, p, keys)
		return err
	})
	if err != nil {
		return nil, err
	}
	for i := range snaps {
		if s.world.broken.is(noLSN) {
			snaps[i].Offset = statestore.NoOffset
		}
	}
	return snaps, nil
}

func (s lifeStore) Save(ctx context.Context, p statestore.Partition, t statestore.Token, snaps []statestore.Snapshot) error {
	if s.world.broken.is(noStatesFirst) {
		s.held = append(s.held, snaps...)
		return nil
	}
	return s.save(ctx, p, t, snaps)
}

func (s lifeStore) save(ctx context.Context, p statestore.Partition, t statestore.Token, snaps []statestore.Snapshot) error {
	for i := range snaps {
		one := snaps[i : i+1 : i+1]
		if s.delays() {
			s.world.delayed = append(s.world.delayed, func() {
				_ = s.write(func() error { return s.keep(context.WithoutCancel(ctx), p, t, one) })
			})
			return errAway
		}
		if err := s.call("save", func() error {
			return s.write(func() error { return s.keep(ctx, p, t, one) })
		}); err != nil {
			return err
		}
	}
	return nil
}

func (s lifeStore) Advance(ctx context.Context, p statestore.Partition, t statestore.Token, to statestore.Position) error {
	err := s.call("advance", func() error {
		return s.write(func() error { return s.Memory.Advance(ctx, p, t, to) })
	})
	if held := s.held; err == nil && len(held) > 0 {
		s.held = nil
		return s.save(ctx, p, t, held)
	}
	return err
}

// keep saves one snapshot; without the rule, over whatever is there.
func (s lifeStore) keep(ctx context.Context, p statestore.Partition, t statestore.Token, one []statestore.Snapshot) error {
	if s.world.broken.is(noGreatest) {
		s.Memory.Lose(p, one[0].Key)
	}
	return s.Memory.Save(ctx, p, t, one)
}

func anyOf(err error, targets ...error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
