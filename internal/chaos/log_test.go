package chaos

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestRetentionPassesTheCursor deletes events that nobody has read yet. They are gone; the
// next output of each stream that may have lost some says so.
func TestRetentionPassesTheCursor(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	s := start(t, "log: retention passes the cursor", r.url(), r.url())
	o := s.operator(t)
	gone := 0
	s.inject(t, func(int) {
		o.stop(t)
		s.moreEvents(t, 200)
		if err := s.quiet(); err != nil {
			t.Fatal(err)
		}
		gone += s.deleteUnread(t, 100)
		s.write()
		o = s.operator(t)
	})
	s.settle(t)
	o.stop(t)
	want := s.expected(t)
	marked := want.markGaps(s.gaps)
	s.compare(t, want)
	s.row.policy = fmt.Sprintf("%d events were gone; the next outputs of %d streams say gap", gone, marked)
	if gone == 0 || marked == 0 {
		t.Errorf("%s: the fault was none", s.row.policy)
	}
	s.judge(t)
}

// moreEvents waits until each partition has n events more than now.
func (s *scenario) moreEvents(t *testing.T, n int64) {
	t.Helper()
	var before []int64
	until(t, time.Minute, "further events", func() error {
		now, err := s.kafka.ends(t.Context(), s.name, partitions, false)
		if err != nil {
			return err
		}
		if before == nil {
			before = now
		}
		for p := range now {
			if now[p] < before[p]+n {
				return errNotYet
			}
		}
		return nil
	})
}

// A gap is a hole in a partition's log: events below the offset are gone.
type gap struct {
	partition int
	before    int64
}

// deleteUnread deletes from each partition what has an output and n events further, and
// returns how many of these were there.
func (s *scenario) deleteUnread(t *testing.T, n int64) (gone int) {
	t.Helper()
	ctx := t.Context()
	events, err := s.events(ctx)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.results(ctx)
	if err != nil {
		t.Fatal(err)
	}
	next := make([]int64, partitions) // of the partition's first unread event
	for i := range events {
		if e := &events[i]; got.outputs[e.id] != "" || got.letters[e.id] {
			next[e.partition] = e.offset + 1
		}
	}
	s.history = nil
	for i := range events {
		e := &events[i]
		switch {
		case e.offset < next[e.partition]:
			s.history = append(s.history, *e)
		case e.offset < next[e.partition]+n:
			gone++
		}
	}
	for p := range next {
		s.gaps = append(s.gaps, gap{p, next[p] + n})
		next[p] += n
	}
	until(t, time.Minute, "delete records", func() error { return s.kafka.cutOff(ctx, s.name, next) })
	return gone
}

// cutOff deletes the records before the given offsets, one a partition.
func (b *brokers) cutOff(ctx context.Context, topic string, before []int64) error {
	req := kmsg.NewPtrDeleteRecordsRequest()
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic = topic
	for p, offset := range before {
		rp := kmsg.NewDeleteRecordsRequestTopicPartition()
		rp.Partition, rp.Offset = int32(p), offset
		rt.Partitions = append(rt.Partitions, rp)
	}
	req.Topics = append(req.Topics, rt)
	var errs []error
	for _, shard := range b.admin.RequestSharded(ctx, req) {
		if shard.Err != nil {
			return shard.Err
		}
		for _, st := range shard.Resp.(*kmsg.DeleteRecordsResponse).Topics {
			for _, sp := range st.Partitions {
				errs = append(errs, kerr.ErrorForCode(sp.ErrorCode))
			}
		}
	}
	return errors.Join(errs...)
}

// markGaps puts the phase gap into each expected output whose stream may have lost events
// just before, and returns how many those are.
func (want *expected) markGaps(gaps []gap) (marked int) {
	last := map[string]int64{}
	for i := range want.events {
		e := &want.events[i]
		if e.poison() {
			continue
		}
		before, known := last[e.key]
		last[e.key] = e.offset
		for _, g := range gaps {
			if known && g.partition == e.partition && before < g.before && g.before <= e.offset {
				want.setPhase(e.id, "gap")
				marked++
				break
			}
		}
	}
	return marked
}

func TestTopicMadeAnewWhileNobodyReads(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	s := start(t, "log: topic deleted and made anew while nobody reads", r.url(), r.url())
	o := s.operator(t)
	s.madeAnew(t, func() { o.stop(t) }, func() *operator { return s.operator(t) })
}

func TestTopicMadeAnewUnderTheOperator(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	s := start(t, "log: topic deleted and made anew while it is read", r.url(), r.url())
	o := s.operator(t)
	s.madeAnew(t, func() {}, func() *operator { return o })
}

// TestTopicMadeAnewBetweenTwoFetches leaves the operator no chance to find the topic gone,
// or too short.
func TestTopicMadeAnewBetweenTwoFetches(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	s := start(t, "log: topic deleted and made anew between two fetches", r.url(), r.url())
	o := s.operator(t, "kafka.session_timeout=1m")
	s.madeAnew(t, func() { o.freeze(t) }, func() *operator {
		o.thaw(t)
		return o
	})
}

// madeAnew deletes the input topic and makes another of the same name, with more events
// than the old one had. None of them may pass for the old one's next. What happens to the
// operator before, and after, is the caller's.
func (s *scenario) madeAnew(t *testing.T, before func(), after func() *operator) {
	t.Helper()
	ctx := t.Context()
	s.working(t)
	s.settle(t)
	want := s.expected(t)
	ends, err := s.kafka.ends(ctx, s.name, partitions, false)
	if err != nil {
		t.Fatal(err)
	}
	before()
	until(t, time.Minute, "delete the topic", func() error { return s.kafka.remove(ctx, s.name) })
	until(t, time.Minute, "make it anew", func() error { return s.kafka.create(ctx, s.name, partitions) })
	s.row.injected++
	s.write()
	until(t, time.Minute, "more events than before", func() error {
		now, err := s.kafka.ends(ctx, s.name, partitions, false)
		for p := range now {
			if now[p] <= ends[p] {
				return errNotYet
			}
		}
		return err
	})
	o := after()
	until(t, 20*time.Second, "the operator to say so", func() error {
		if ready, details, err := o.readiness(); err != nil || ready || !o.says("anew") {
			return fmt.Errorf("ready %t: %s: %w", ready, details, errors.Join(err, errNotYet))
		}
		return nil
	})
	if err := s.quiet(); err != nil {
		t.Fatal(err)
	}
	o.stop(t)
	s.compare(t, want)
	s.row.policy = "the partitions stop, /readyz says why; nothing of the new topic is read"
	s.judge(t)
}

// TestTransactionsInTheInput writes events in transactions, half of which are aborted.
func TestTransactionsInTheInput(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	s := start(t, "log: aborted and committed transactions in the input", r.url(), r.url())
	o := s.operator(t)
	client, err := kgo.NewClient(append(s.kafka.admin.Opts(), kgo.TransactionalID(s.name+"-writer"))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	at := 0
	s.inject(t, func(int) {
		for _, commit := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit, kgo.TryAbort} {
			until(t, time.Minute, "begin transaction", func() error { return client.BeginTransaction() })
			for range 40 {
				at++
				if err := client.ProduceSync(t.Context(), s.transactional(at, commit)).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
			until(t, time.Minute, "end transaction", func() error { return client.EndTransaction(t.Context(), commit) })
		}
		o.kill(t)
		o = s.operator(t)
	})
	s.finish(t)
}

// transactional is an event of a stream of its own. An aborted one has a value that its
// stream never has.
func (s *scenario) transactional(at int, commit kgo.TransactionEndTry) *kgo.Record {
	name, value := fmt.Sprintf("transactional#%d", at%8), at%17
	if commit == kgo.TryAbort {
		value = -1e6
	}
	return &kgo.Record{
		Topic: s.name, Partition: partitionOf(name), Key: []byte(name),
		Value: fmt.Appendf(nil, `{"stream":%q,"ts":%d,"value":%d}`, name, 1795429680000+int64(at)*60_000, value),
	}
}
