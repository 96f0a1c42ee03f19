package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weirstream/weir/statestore"
)

// newTopic makes a topic of one partition, on the real Kafka where WEIR_TEST_KAFKA names
// one, and returns it with a connection.
func newTopic(t *testing.T) (*Connection, string) {
	t.Helper()
	addr := os.Getenv("WEIR_TEST_KAFKA")
	if addr == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("WEIR_TEST_KAFKA must name a server where CI is true")
		}
		broker, err := kfake.NewCluster(kfake.NumBrokers(1))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(broker.Close)
		addr = broker.ListenAddrs()[0]
	}
	conn := NewConnection([]string{addr}, "weir-test", nil, nil)
	t.Cleanup(conn.Close)
	topic := fmt.Sprintf("weir-test-%08x", rand.Uint32())
	createTopic(t, conn, kafka.TopicConfig{Topic: topic, NumPartitions: 1, ReplicationFactor: 1})
	return conn, topic
}

// createTopic makes a topic and deletes it with the test.
func createTopic(t *testing.T, conn *Connection, c kafka.TopicConfig) {
	t.Helper()
	created, err := conn.Client().CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{c}})
	if err == nil {
		err = created.Errors[c.Topic]
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		deleted, err := conn.Client().DeleteTopics(context.Background(), &kafka.DeleteTopicsRequest{Topics: []string{c.Topic}})
		if err == nil {
			err = deleted.Errors[c.Topic]
		}
		if err != nil {
			t.Errorf("delete topic: %v", err)
		}
	})
}

// franz is another client of the same broker: what kafka-go cannot send, it can.
func franz(t *testing.T, conn *Connection, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(conn.Brokers...))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// write produces values in one batch.
func write(t *testing.T, c *kgo.Client, topic string, values ...string) {
	t.Helper()
	var records []*kgo.Record
	for _, v := range values {
		records = append(records, &kgo.Record{Topic: topic, Value: []byte(v)})
	}
	if err := c.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// fetchAll returns the values from an offset up to end, and where reading has come to. A
// fetch that brings nothing is not the end: a busy broker may write markers later.
func fetchAll(t *testing.T, s *KafkaSource, offset, end int64) (values []string, next int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := s.Seek(ctx, offset, false); err != nil {
		t.Fatal(err)
	}
	next = offset
	for next < end {
		var b Batch
		if err := s.Fetch(ctx, &b); err != nil {
			t.Fatalf("read %q up to %d, want up to %d: %v", values, next, end, err)
		}
		next = b.Next
		for _, m := range b.Messages {
			values = append(values, fmt.Sprintf("%d:%s", m.Offset, m.Value))
		}
	}
	return values, next
}

// writeNew writes to a topic made just now, which may have no leader or be unknown yet:
// such a refusal means that nothing was written.
func writeNew(ctx context.Context, t *testing.T, sink *KafkaSink, msgs []Message) {
	t.Helper()
	for {
		err := sink.Write(ctx, msgs)
		switch {
		case err == nil:
			return
		case errors.Is(err, kafka.NotLeaderForPartition), errors.Is(err, kafka.UnknownTopicOrPartition):
		default:
			t.Fatal(err)
		}
	}
}

func TestAbortedTransactionsAndTheirMarkersAreNotSeen(t *testing.T) {
	conn, topic := newTopic(t)
	plain := franz(t, conn)
	txn := franz(t, conn, kgo.TransactionalID(topic))
	transaction := func(end kgo.TransactionEndTry, values ...string) {
		t.Helper()
		if err := txn.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		write(t, txn, topic, values...)
		if err := txn.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	write(t, plain, topic, "a", "b")
	transaction(kgo.TryAbort, "x", "y") // 2, 3
	write(t, plain, topic, "c")
	transaction(kgo.TryCommit, "d")
	transaction(kgo.TryAbort, "z")
	// Four records that count, three that do not and three markers, whose places are the
	// broker's to choose: it writes them when it has answered.
	const end = 10
	s := NewKafkaSource(conn.Client(), topic, 0, false, nil)
	for _, from := range []int64{0, 3} {
		got, next := fetchAll(t, s, from, end)
		for i := range got {
			_, got[i], _ = strings.Cut(got[i], ":")
		}
		want := []string{"a", "b", "c", "d"}[min(from, 2):]
		if !slices.Equal(got, want) || next != end {
			t.Errorf("from %d: read %q up to %d, want %q up to %d", from, got, next, want, end)
		}
	}
}

func TestFetchFromInsideABatchSkipsWhatIsBeforeIt(t *testing.T) {
	conn, topic := newTopic(t)
	write(t, franz(t, conn), topic, "a", "b", "c", "d")
	got, _ := fetchAll(t, NewKafkaSource(conn.Client(), topic, 0, false, nil), 2, 4)
	if want := []string{"2:c", "3:d"}; !slices.Equal(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}
}

func TestSeekWithoutPosition(t *testing.T) {
	conn, topic := newTopic(t)
	write(t, franz(t, conn), topic, "a", "b", "c")
	for _, c := range []struct {
		latest, past bool
		want         int64
	}{{false, false, 0}, {true, false, 3}, {true, true, 0}} {
		s := NewKafkaSource(conn.Client(), topic, 0, c.latest, nil)
		if got, err := s.Seek(t.Context(), statestore.NoOffset, c.past); err != nil || got != c.want {
			t.Errorf("latest %v, lost past %v: position %d, %v; want %d", c.latest, c.past, got, err, c.want)
		}
	}
}

func TestFetchBelowTheLogsStartCountsWhatIsMissing(t *testing.T) {
	conn, topic := newTopic(t)
	c := franz(t, conn)
	write(t, c, topic, "a", "b", "c", "d", "e")
	req := kmsg.NewDeleteRecordsRequest()
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rp := kmsg.NewDeleteRecordsRequestTopicPartition()
	rp.Offset = 3
	rt.Topic, rt.Partitions = topic, append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	res, err := req.RequestWith(t.Context(), c)
	if err != nil || res.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Fatalf("delete records: %v, %+v", err, res)
	}

	s := NewKafkaSource(conn.Client(), topic, 0, false, nil)
	if _, err := s.Seek(t.Context(), 1, false); err != nil {
		t.Fatal(err)
	}
	var b Batch
	if err := s.Fetch(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	if b.Missing != 2 || b.Next != 3 || len(b.Messages) != 0 {
		t.Errorf("missing %d, next %d, %d messages; want 2, 3, 0", b.Missing, b.Next, len(b.Messages))
	}
	if got, _ := fetchAll(t, s, 3, 5); !slices.Equal(got, []string{"3:d", "4:e"}) {
		t.Errorf("then read %q", got)
	}
}

func TestFetchBeyondTheLogsEndIsAnError(t *testing.T) {
	conn, topic := newTopic(t)
	write(t, franz(t, conn), topic, "a")
	s := NewKafkaSource(conn.Client(), topic, 0, false, nil)
	if _, err := s.Seek(t.Context(), 100, false); err != nil {
		t.Fatal(err)
	}
	var b Batch
	if err := s.Fetch(t.Context(), &b); !errors.Is(err, ErrLogReplaced) {
		t.Errorf("fetch at 100 of a log that ends at 1: %v, want ErrLogReplaced", err)
	}
}

func TestKafkaSinkKeepsOrderAcrossRequests(t *testing.T) {
	conn, topic := newTopic(t)
	var msgs []Message
	for i := range 50 {
		msgs = append(msgs, Message{
			Time: time.Now().UnixMilli(), Key: fmt.Appendf(nil, "k%d", i),
			Value: make([]byte, 50_000), Headers: []kafka.Header{{Key: "h", Value: []byte{byte(i)}}},
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	sink := NewKafkaSink(conn.Client(), topic, 0)
	writeNew(ctx, t, sink, msgs)
	s := NewKafkaSource(conn.Client(), topic, 0, false, nil)
	if _, err := s.Seek(ctx, 0, false); err != nil {
		t.Fatal(err)
	}
	var b Batch
	for n := 0; n < len(msgs); {
		if err := s.Fetch(ctx, &b); err != nil {
			t.Fatal(err)
		}
		for _, m := range b.Messages {
			if string(m.Key) != fmt.Sprintf("k%d", n) || len(m.Headers) != 1 || m.Headers[0].Value[0] != byte(n) || len(m.Value) != 50_000 {
				t.Fatalf("message %d is %q with headers %v", n, m.Key, m.Headers)
			}
			n++
		}
	}
	if err := sink.Write(ctx, []Message{{Value: make([]byte, 2<<20)}}); !errors.Is(err, ErrRefused) {
		t.Errorf("a message of 2 MiB: %v, want ErrRefused", err)
	}
}

func TestKafkaSinkSplitsForATopicThatTakesLittle(t *testing.T) {
	conn, topic := newTopic(t)
	small := topic + ".small"
	createTopic(t, conn, kafka.TopicConfig{
		Topic: small, NumPartitions: 1, ReplicationFactor: 1,
		ConfigEntries: []kafka.ConfigEntry{{ConfigName: "max.message.bytes", ConfigValue: "20000"}},
	})
	var msgs []Message
	for i := range 30 {
		msgs = append(msgs, Message{Time: time.Now().UnixMilli(), Value: fmt.Appendf(nil, "%d-%05000d", i, 0)})
	}
	sink := NewKafkaSink(conn.Client(), small, 0)
	writeNew(t.Context(), t, sink, msgs)
	got, _ := fetchAll(t, NewKafkaSource(conn.Client(), small, 0, false, nil), 0, int64(len(msgs)))
	if len(got) != len(msgs) {
		t.Fatalf("%d messages, want %d", len(got), len(msgs))
	}
	for i, g := range got {
		if !strings.HasPrefix(g, fmt.Sprintf("%d:%d-", i, i)) {
			t.Errorf("message %d is %.20q", i, g)
		}
	}
}
