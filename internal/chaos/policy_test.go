package chaos

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// The policies for states that the store has lost, other than to compute them again.

func TestLossWithPolicyFail(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	s := start(t, "Redis: five streams' states deleted, state.on_loss: fail", r.url(), r.url())
	o := s.operator(t)
	s.inject(t, func(int) {
		o.stop(t)
		for _, key := range s.someKeys(t, r, 5) {
			r.do(t, "DEL", key)
		}
		o = s.operator(t, "state.on_loss=fail")
		until(t, 20*time.Second, "the operator to stop a partition", func() error {
			if ready, details, err := o.readiness(); err != nil || ready || !strings.Contains(details, "on_loss is fail") {
				return fmt.Errorf("ready %t: %s: %w", ready, details, errors.Join(err, errNotYet))
			}
			return nil
		})
		o.stop(t)
		o = s.operator(t, "state.on_loss=rebuild")
	})
	s.row.policy = "the partitions stop, /readyz says why; with rebuild they go on as if nothing had been"
	s.finish(t)
}

func TestLossWithPolicyCold(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	s := start(t, "Redis: five streams' states deleted, state.on_loss: cold", r.url(), r.url())
	s.anew = map[string][]int64{}
	o := s.operator(t, "state.on_loss=cold")
	s.inject(t, func(int) {
		o.stop(t)
		for _, key := range s.someKeys(t, r, 5) {
			s.begunAnew(t, key[strings.Index(key, ":s:")+3:])
			r.do(t, "DEL", key)
		}
		o = s.operator(t, "state.on_loss=cold")
	})
	s.settle(t)
	o.stop(t)
	want := s.expected(t)
	marked := want.markAnew(s)
	s.compare(t, want)
	s.row.policy = fmt.Sprintf("%d streams began anew, and their first outputs say gap; the others as ever", marked)
	s.judge(t)
}

// begunAnew notes that a stream is forgotten after its last output.
func (s *scenario) begunAnew(t *testing.T, stream string) {
	t.Helper()
	events, err := s.events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.results(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	from := int64(0)
	for i := range events {
		if e := &events[i]; e.key == stream && got.outputs[e.id] != "" {
			from = e.offset + 1
		}
	}
	s.anew[stream] = append(s.anew[stream], from)
}

// markAnew puts the phase gap into the first output of each stream that began anew, and
// returns how many those are.
func (want *expected) markAnew(s *scenario) (marked int) {
	last := map[string]string{} // alias by stream
	for i := range want.events {
		e := &want.events[i]
		alias := s.alias(e.key, e.offset)
		if before, known := last[e.key]; known && before != alias {
			want.setPhase(e.id, "gap")
			marked++
		}
		last[e.key] = alias
	}
	return marked
}
