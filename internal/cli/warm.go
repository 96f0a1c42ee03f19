package cli

import (
	"sync"

	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/pipeline"
	"github.com/weirstream/weir/statestore"
)

// warm keeps the operators of partitions over a rebalance, with the streams that are in
// their memory. Most of the time a partition comes back to the member that had it.
type warm struct {
	mu sync.Mutex
	of map[statestore.Partition]*operator.Operator
}

// take returns the operator of one of a's partitions, nil where there is none, and lets go
// of those whose partitions are another member's now.
func (w *warm) take(a *pipeline.Assignment, p statestore.Partition) *operator.Operator {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.of[p]
	delete(w.of, p)
	for other := range w.of {
		if !a.Holds(other.Topic, other.Number) {
			delete(w.of, other)
		}
	}
	return o
}

func (w *warm) put(p statestore.Partition, o *operator.Operator) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.of == nil {
		w.of = make(map[statestore.Partition]*operator.Operator)
	}
	w.of[p] = o
}

func (s *service) partition(a *pipeline.Assignment) statestore.Partition {
	return statestore.Partition{Group: s.cfg.Kafka.GroupID, Topic: a.Topic, Number: a.Partition}
}

// operatorFor returns an operator for an assigned partition, the one of the generation
// before where there is one.
func (s *service) operatorFor(a *pipeline.Assignment) *operator.Operator {
	cfg := operatorConfig(s.cfg)
	cfg.MaxStreams = max(cfg.MaxStreams/a.Peers, 1)
	token := statestore.Token{Generation: int64(a.Generation)}
	p := s.partition(a)
	if o := s.warm.take(a, p); o != nil {
		o.Resume(token, cfg)
		return o
	}
	return operator.New(s.model, s.store, p, token, cfg)
}

// keep keeps an operator that was checkpointed when its generation ended.
func (s *service) keep(a *pipeline.Assignment, o *operator.Operator) { s.warm.put(s.partition(a), o) }
