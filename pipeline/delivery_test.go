package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/rawproduce"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/statestore"
)

// assigned joins a group and returns the assignment of topic's partition, in force until
// the test ends.
func assigned(t *testing.T, conn *Connection, topic string) *Assignment {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	got, done := make(chan *Assignment, 1), make(chan error, 1)
	group := NewGroup(conn, GroupConfig{
		ID: topic + "-group", Topics: []string{topic}, SessionTimeout: 30 * time.Second, HeartbeatInterval: time.Second,
	}, slog.New(slog.DiscardHandler), func(string, error) {})
	go func() {
		done <- group.Run(ctx, func(ctx context.Context, a *Assignment) error {
			got <- a
			<-ctx.Done()
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return <-got
}

// stale is a's owner of a generation before.
func stale(a *Assignment) *Assignment {
	s := *a
	s.Generation--
	return &s
}

// outputTopics makes an input topic with two output topics and returns who owns its partition.
func outputTopics(t *testing.T) (conn *Connection, topic string, owner *Assignment) {
	t.Helper()
	conn, topic = newTopic(t)
	for _, name := range []string{".scores", ".dlq"} {
		createTopic(t, conn, kafka.TopicConfig{Topic: topic + name, NumPartitions: 1, ReplicationFactor: 1})
	}
	writeNew(t.Context(), t, NewKafkaSink(conn.Client(), topic, 0), texts(0, "an event"))
	return conn, topic, assigned(t, conn, topic)
}

func openDelivery(t *testing.T, mode DeliveryMode, client *kafka.Client, a *Assignment, cursor int64) *Delivery {
	t.Helper()
	owner := *a
	owner.group = &Group{client: client, cfg: a.group.cfg}
	d := NewDelivery(mode, &owner, slog.New(slog.DiscardHandler),
		NewKafkaSink(client, a.Topic+".scores", 0), NewKafkaSink(client, a.Topic+".dlq", 0))
	retry := &Retrier{Log: slog.New(slog.DiscardHandler), Report: func(string, error) {}, Count: func(string) {}}
	if err := retry.Do(t.Context(), "kafka", "open", func(ctx context.Context) error { return d.Open(ctx, cursor) }); err != nil {
		t.Fatal(err)
	}
	return d
}

// answers are outputs to the events with offsets from first on.
func answers(a *Assignment, first int64, values ...string) []Message {
	msgs := texts(first, values...)
	for i := range msgs {
		msgs[i].Index = operator.WholeRecord
		msgs[i].Headers = []kafka.Header{
			{Key: headerSource, Value: appendSource(nil, a.Topic, a.Partition, place{msgs[i].Offset, operator.WholeRecord})},
			{Key: headerGroup, Value: []byte(a.group.cfg.ID)},
		}
	}
	return msgs
}

// wantLog fails unless a topic holds these values, to a reader who knows nothing of Weir.
func wantLog(t *testing.T, conn *Connection, topic string, want ...string) {
	t.Helper()
	c := franz(t, conn, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(300*time.Millisecond))
	var got []string
	poll := func(limit time.Duration) {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		for _, r := range c.PollFetches(ctx).Records() {
			got = append(got, string(r.Value))
		}
	}
	for tries := 0; len(got) < len(want) && tries < 100; tries++ {
		poll(time.Second)
	}
	poll(500 * time.Millisecond) // what should not be there
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", topic, diff)
	}
}

func TestOnlyTheGroupsPresentMemberIsAlive(t *testing.T) {
	_, _, owner := outputTopics(t)
	if err := owner.Alive(t.Context()); err != nil {
		t.Errorf("the owner: %v", err)
	}
	unknown := *owner
	unknown.member = "somebody"
	for name, a := range map[string]*Assignment{"a generation before": stale(owner), "somebody else": &unknown} {
		if err := a.Alive(t.Context()); !errors.Is(err, ErrNotOwner) {
			t.Errorf("%s: %v, want ErrNotOwner", name, err)
		}
	}
}

func TestTheNextOwnerWritesNothingAgain(t *testing.T) {
	conn, topic, owner := outputTopics(t)
	first := openDelivery(t, ExactlyOnce, conn.Client(), owner, statestore.NoOffset)
	write := func(s *KafkaSink, msgs ...Message) {
		t.Helper()
		if err := s.Write(t.Context(), msgs); err != nil {
			t.Fatal(err)
		}
	}
	write(first.sinks[0], answers(owner, 3, "3", "4", "5")...)
	if err := first.Commit(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	write(first.sinks[1], answers(owner, 6, "bad 6")...)
	write(first.sinks[0], answers(owner, 7, "7", "8")...)
	// Outputs of others, and what only looks like ours.
	other := *owner
	other.Partition = 1
	foreign := NewKafkaSink(conn.Client(), topic+".scores", 0)
	write(foreign, answers(&other, 900, "other partition")...)
	write(foreign, texts(0, slices.Repeat([]string{"nobody's"}, 2000)...)...)

	second := openDelivery(t, ExactlyOnce, conn.Client(), owner, 4)
	write(second.sinks[0], answers(owner, 4, "4", "5")...)
	write(second.sinks[1], answers(owner, 6, "bad 6")...)
	write(second.sinks[0], answers(owner, 7, "7", "8", "9")...)
	want := []string{"3", "4", "5", "7", "8", "other partition"}
	want = append(append(want, slices.Repeat([]string{"nobody's"}, 2000)...), "9")
	wantLog(t, conn, topic+".scores", want...)
	wantLog(t, conn, topic+".dlq", "bad 6")

	// The note alone says it as well: retention may have removed what it speaks of.
	if err := second.Commit(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	third := openDelivery(t, ExactlyOnce, conn.Client(), owner, statestore.NoOffset)
	if third.sinks[0].written != allBefore(10) || third.sinks[1].written != allBefore(10) {
		t.Errorf("scores are known up to %v and letters up to %v, want 9 for both", third.sinks[0].written, third.sinks[1].written)
	}
}

func TestAZombieCannotWriteAndTheOwnerTakesBackWhatOneTook(t *testing.T) {
	for _, mode := range []DeliveryMode{ExactlyOnce, Transactional} {
		t.Run(string(mode), func(t *testing.T) {
			conn, topic, owner := outputTopics(t)
			zombie := openDelivery(t, mode, conn.Client(), owner, statestore.NoOffset)
			zombie.owner = stale(zombie.owner)
			next := openDelivery(t, mode, conn.Client(), owner, 0)
			err := zombie.sinks[0].Write(t.Context(), answers(owner, 0, "a zombie's"))
			if want := map[DeliveryMode]error{ExactlyOnce: ErrNotOwner, Transactional: ErrTransactionLost}[mode]; !errors.Is(err, want) {
				t.Errorf("a zombie's write: %v, want %v", err, want)
			}
			if err := zombie.takeOver(t.Context()); !errors.Is(err, ErrNotOwner) {
				t.Errorf("a zombie's second start: %v, want ErrNotOwner", err)
			}
			err = next.sinks[0].Write(t.Context(), answers(owner, 0, "0", "1"))
			if mode == Transactional {
				if !errors.Is(err, ErrTransactionLost) {
					t.Errorf("the owner's write: %v, want ErrTransactionLost", err)
				}
				return
			}
			if err != nil {
				t.Errorf("the owner's write: %v", err)
			}
			wantLog(t, conn, topic+".scores", "0", "1")
		})
	}
}

// losing is a client that does not hear of its produce requests' success, the first time.
func losing(conn *Connection) *kafka.Client {
	c := *conn.Client()
	c.Transport = &forgetful{RoundTripper: c.Transport}
	return &c
}

type forgetful struct {
	kafka.RoundTripper
	mu    sync.Mutex
	calls int
}

func (f *forgetful) RoundTrip(ctx context.Context, addr net.Addr, req kafka.Request) (kafka.Response, error) {
	res, err := f.RoundTripper.RoundTrip(ctx, addr, req)
	if _, produce := req.(*rawproduce.Request); !produce || err != nil {
		return res, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls++; f.calls%2 == 1 {
		return nil, errAway
	}
	return res, nil
}

func TestALostAcknowledgementWritesNothingTwice(t *testing.T) {
	conn, topic, owner := outputTopics(t)
	d := openDelivery(t, ExactlyOnce, losing(conn), owner, statestore.NoOffset)
	var want []string
	for i := range int64(5) {
		msgs := answers(owner, 10*i, fmt.Sprint("a", i), fmt.Sprint("b", i))
		want = append(want, fmt.Sprint("a", i), fmt.Sprint("b", i))
		if err := d.sinks[0].Write(t.Context(), msgs); !errors.Is(err, errAway) {
			t.Fatalf("the first time: %v", err)
		}
		if err := d.sinks[0].Write(t.Context(), msgs); err != nil {
			t.Fatal(err)
		}
	}
	wantLog(t, conn, topic+".scores", want...)
}

func TestATransactionsOutputsAreSeenWithItsOffsets(t *testing.T) {
	conn, topic, owner := outputTopics(t)
	d := openDelivery(t, Transactional, conn.Client(), owner, statestore.NoOffset)
	for i := range int64(3) {
		if err := d.sinks[0].Write(t.Context(), answers(owner, i, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
		if err := d.Settle(t.Context(), i+1); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.sinks[1].Write(t.Context(), answers(owner, 3, "never settled")); err != nil {
		t.Fatal(err)
	}
	next := openDelivery(t, Transactional, conn.Client(), owner, 0)
	if next.sinks[0].written != allBefore(3) || next.sinks[1].written != allBefore(3) {
		t.Errorf("scores up to %v and letters up to %v, want 2 for both", next.sinks[0].written, next.sinks[1].written)
	}
	wantLog(t, conn, topic+".scores", "0", "1", "2")
	wantLog(t, conn, topic+".dlq")
	res, err := conn.Client().OffsetFetch(t.Context(), &kafka.OffsetFetchRequest{GroupID: owner.group.cfg.ID, Topics: map[string][]int{topic: {0}}})
	if err != nil || res.Error != nil {
		t.Fatal(err, res)
	}
	if got := res.Topics[topic][0]; got.CommittedOffset != 3 || !strings.HasPrefix(got.Metadata, noteMark) {
		t.Errorf("committed %d %q, want 3 with a note", got.CommittedOffset, got.Metadata)
	}
}
