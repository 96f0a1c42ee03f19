package pipeline

import (
	"context"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/weirstream/weir/statestore"
)

const checkpointEvery = time.Second

// A mutation takes one rule of the protocol away, and leaves the rest as it is.
type mutation struct {
	rule string
	mode DeliveryMode // in which the rule is needed; empty for all
}

func (m *mutation) is(n *mutation) bool { return m != nil && m == n }

// The rules that the promise rests on. Where each is taken away stands in apply, answer and
// the simulated Kafka.
var (
	noFence   = &mutation{rule: "a mark in the output shuts out lower epochs", mode: ExactlyOnce}
	noReading = &mutation{rule: "what is written is read before anything is written", mode: ExactlyOnce}
)

// apply changes a life's worker.
func (m *mutation) apply(l *life, w *Worker) {}

// answer answers in Kafka's place, or not.
func (m *mutation) answer(l *life, req kafka.Request) (res kafka.Response, done bool) {
	return nil, false
}

var noSequence = &mutation{rule: "batches are numbered"}

var _ = context.Background
var _ statestore.Store
