package pipeline

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/endtxn"
	"github.com/segmentio/kafka-go/protocol/offsetcommit"
	"github.com/segmentio/kafka-go/protocol/offsetfetch"

	"github.com/weirstream/weir/statestore"
)

// A mutation takes one rule of the protocol away, and leaves the rest as it is: the real
// worker, delivery and member run on a Kafka or a store that does not keep to the rule, or
// that hides from them what it is about.
type mutation struct {
	rule string
	mode DeliveryMode // in which the rule is needed
}

func (m *mutation) is(n *mutation) bool { return m != nil && m == n }

// The rules that the promise rests on. That the store refuses a token below the owner's is
// not among them: what a zombie of the same model can still save follows from outputs that
// are in the log, and is what the owner saves. The token is for one of another model.
var (
	noOutputsFirst = &mutation{"outputs are acknowledged before the states that follow from them are saved", ExactlyOnce}
	noLettersFirst = &mutation{"dead letters are acknowledged before the states are saved", ExactlyOnce}
	noStatesFirst  = &mutation{"states are saved before the cursor moves", ExactlyOnce}
	noLSN          = &mutation{"an event at or below its stream's offset is skipped", ExactlyOnce}
	noGreatest     = &mutation{"of two records of a stream the store keeps the greater offset's", ExactlyOnce}
	noAlive        = &mutation{"a late process asks the group before it claims or takes anything back", ExactlyOnce}
	noFence        = &mutation{"a mark in the output shuts out lower epochs", ExactlyOnce}
	noWaiting      = &mutation{"the output is read up to the mark, not to where it was asked for", ExactlyOnce}
	noReading      = &mutation{"what the one before has written is read", ExactlyOnce}
	noSequence     = &mutation{"a repeated batch has the same number, and is dropped", ExactlyOnce}
	noWitness      = &mutation{"the group's offset says what is written, where the store has lost it", ExactlyOnce}
	noAnnouncing   = &mutation{"the group knows of a reader before there are outputs", ExactlyOnce}
	noSettling     = &mutation{"a transaction has ended before the states are saved", Transactional}
	noOffsets      = &mutation{"a transaction's offset comes with its outputs", Transactional}
)

var mutations = []*mutation{
	noOutputsFirst, noLettersFirst, noStatesFirst, noLSN, noGreatest, noAlive, noFence, noWaiting, noReading,
	noSequence, noWitness, noAnnouncing, noSettling, noOffsets,
}

// TestEveryRuleIsNeeded takes away one rule after the other: each time, some schedule must
// come to another end than the uninterrupted worker. A rule without such a schedule would
// be one that the simulation does not look at, or that nobody needs.
func TestEveryRuleIsNeeded(t *testing.T) {
	for _, m := range mutations {
		t.Run(m.rule, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const most = 5000
				s := newSimulation(t)
				var h *simHistory
				for seed := range uint64(most) {
					if seed%perHistory == 0 {
						h = s.history(seed)
					}
					if _, err := s.play(seed, h, m); err != nil && !errors.Is(err, errEndless) {
						t.Logf("noticed after %d schedules: %.300s", seed+1, err)
						return
					}
				}
				t.Errorf("%d schedules, and nothing is wrong", most)
			})
		})
	}
}

// change changes a life's worker.
func (m *mutation) change(l *life, w *Worker) {
	switch m {
	case noOutputsFirst:
		w.Scores = lateSink{w.Scores, l}
	case noLettersFirst:
		w.DeadLetters = lateSink{w.DeadLetters, l}
	case noWitness:
		w.Committed = statestore.NoOffset
	}
}

// answer answers in Kafka's place, or not.
func (m *mutation) answer(l *life, req kafka.Request) (res kafka.Response, done bool) {
	k := l.world.kafka
	if m.is(noSettling) {
		l.catchUp(context.Background())
	}
	switch r := req.(type) {
	case *heartbeatRequest:
		return &heartbeatResponse{}, m.is(noAlive)
	case *offsetfetch.Request:
		return &offsetfetch.Response{}, m.is(noWitness)
	case *offsetcommit.Request:
		announces := k.committed.offset == simNoOffset && len(k.logs[simScores].seen()) == 0
		return &offsetcommit.Response{}, m.is(noAnnouncing) && announces
	case *endtxn.Request:
		if m.is(noOffsets) {
			k.pending = nil
		}
		if m.is(noSettling) {
			l.late = append(l.late, func(context.Context) { _, _ = k.answer(r) })
			return &endtxn.Response{}, true
		}
	}
	return nil, false
}

// A lateSink says that it has written, and writes before the next fetch.
type lateSink struct {
	Sink
	*life
}

func (s lateSink) Write(_ context.Context, msgs []Message) error {
	for i := range msgs {
		if len(msgs[i].Value) > simLargest {
			return ErrRefused
		}
	}
	copies := make([]Message, len(msgs))
	for i, m := range msgs {
		copies[i] = cloned(m)
	}
	s.late = append(s.late, func(ctx context.Context) {
		for tries := 0; tries < 100 && s.Sink.Write(ctx, copies) != nil; tries++ {
			s.at("before another try")
		}
	})
	return nil
}

// catchUp does what was put off.
func (l *life) catchUp(ctx context.Context) {
	late := l.late
	l.late = nil
	for _, fn := range late {
		fn(ctx)
	}
}
