package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/weirstream/weir/pipeline"
	"github.com/weirstream/weir/statestore"
)

// servers are the Kafka and Redis that a test works against: the real ones where
// WEIR_TEST_KAFKA and WEIR_TEST_REDIS name them, else embedded ones.
type servers struct {
	kafka string // host:port
	redis string // host:port
	real  bool
}

func findServers(t testing.TB) servers {
	t.Helper()
	s := servers{kafka: os.Getenv("WEIR_TEST_KAFKA"), redis: os.Getenv("WEIR_TEST_REDIS")}
	if s.kafka != "" && s.redis != "" {
		s.real = true
		return s
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("WEIR_TEST_KAFKA and WEIR_TEST_REDIS must name servers where CI is true")
	}
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	s.kafka, s.redis = broker.ListenAddrs()[0], miniredis.RunT(t).Addr()
	return s
}

// A rig is one test's topics, group and keys on the servers.
type rig struct {
	servers
	name  string // of the input topic, the group and the key prefix
	conn  *pipeline.Connection
	width int
}

// newRig makes topics of the given number of partitions.
func newRig(t testing.TB, partitions int) *rig {
	t.Helper()
	r := connect(t, findServers(t), partitions)
	r.createTopics(t)
	return r
}

// connect returns a rig whose topics are yet to be made.
func connect(t testing.TB, s servers, partitions int) *rig {
	t.Helper()
	r := &rig{servers: s, name: fmt.Sprintf("weir-test-%08x", rand.Uint32()), width: partitions}
	r.conn = pipeline.NewConnection([]string{r.kafka}, "weir-test", nil, nil)
	t.Cleanup(r.conn.Close)
	return r
}

func (r *rig) createTopics(t testing.TB) {
	t.Helper()
	var topics []kafka.TopicConfig
	for _, name := range []string{r.name, r.name + ".scores", r.name + ".dlq"} {
		topics = append(topics, kafka.TopicConfig{Topic: name, NumPartitions: r.width, ReplicationFactor: 1})
	}
	// Of the three, only the input takes a record of 10 MB.
	topics[0].ConfigEntries = []kafka.ConfigEntry{{ConfigName: "max.message.bytes", ConfigValue: "12582912"}}
	res, err := r.conn.Client().CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: topics})
	if err != nil {
		t.Fatal(err)
	}
	for topic, err := range res.Errors {
		if err != nil {
			t.Fatalf("create topic %s: %v", topic, err)
		}
	}
	if r.real {
		t.Cleanup(func() { r.leaveNothing(t) })
	}
	for _, topic := range topics {
		until(t, time.Minute, "leaders of "+topic.Topic, func() bool {
			_, err := r.ends(t.Context(), topic.Topic)
			return err == nil
		})
	}
}

// leaveNothing deletes the rig's topics and keys: the servers are somebody's.
func (r *rig) leaveNothing(t testing.TB) {
	t.Helper()
	ctx := context.Background() // the test's has ended
	topics := []string{r.name, r.name + ".scores", r.name + ".dlq"}
	res, err := r.conn.Client().DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: topics})
	if err != nil {
		t.Errorf("delete topics: %v", err)
		return
	}
	for topic, err := range res.Errors {
		if err != nil {
			t.Errorf("delete topic %s: %v", topic, err)
		}
	}
	client := redis.NewClient(&redis.Options{Addr: r.redis})
	defer client.Close()
	keys := client.Scan(ctx, 0, r.name+":*", 1000).Iterator()
	for keys.Next(ctx) {
		if err := client.Del(ctx, keys.Val()).Err(); err != nil {
			t.Errorf("delete key: %v", err)
		}
	}
	if err := keys.Err(); err != nil {
		t.Errorf("delete keys: %v", err)
	}
}

// operate runs the operator in this process until the returned function is called, which
// returns what the operator did.
func (r *rig) operate(t testing.TB, more ...string) (svc *service, stop func() error) {
	t.Helper()
	return r.operateTo(t, &lockedBuffer{}, more...)
}

// operateTo is operate with the operator's log in the given buffer.
func (r *rig) operateTo(t testing.TB, log *lockedBuffer, more ...string) (svc *service, stop func() error) {
	t.Helper()
	flags := configFlags{}
	args := r.settings(more...)
	for i := 1; i < len(args); i += 2 {
		flags.Set = append(flags.Set, args[i])
	}
	cfg, err := flags.load()
	if err != nil {
		t.Fatal(err)
	}
	svc, err = newService(cfg, newLogger(log, cfg.Service.Log))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- svc.run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("operator: %v", err)
		}
		if t.Failed() {
			t.Logf("operator's log:\n%s", log.String())
		}
	})
	return svc, stop
}

// A lockedBuffer takes the log of many goroutines.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// settings returns the --set flags of an operator on the rig. Members are missed after a
// second and a half, so that a test does not wait long.
func (r *rig) settings(more ...string) []string {
	set := append([]string{
		"service.http.listen=127.0.0.1:0", "kafka.brokers=" + r.kafka, "kafka.group_id=" + r.name,
		"kafka.session_timeout=1500ms", "kafka.heartbeat_interval=300ms",
		"input.topics=" + r.name, "state.redis.url=redis://" + r.redis, "state.redis.key_prefix=" + r.name + ":",
		"state.checkpoint.every=200ms",
	}, more...)
	var args []string
	for _, s := range set {
		args = append(args, "--set", s)
	}
	return args
}

// produce writes messages to a partition of the input topic.
func (r *rig) produce(ctx context.Context, partition int, msgs []pipeline.Message) error {
	for i := range msgs {
		// A real broker's retention goes by this time, and the events are old.
		msgs[i].Time = time.Now().UnixMilli()
	}
	sink := pipeline.NewKafkaSink(r.conn.Client(), r.name, partition)
	for {
		err := sink.Write(ctx, msgs)
		// The partition of a topic that was made just now has no leader yet. This refusal
		// means that nothing was written.
		if !errors.Is(err, kafka.NotLeaderForPartition) && !errors.Is(err, kafka.UnknownTopicOrPartition) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// read returns everything that a partition of a topic holds now.
func (r *rig) read(t *testing.T, topic string, partition int) []pipeline.Message {
	t.Helper()
	src := pipeline.NewKafkaSource(r.conn.Client(), topic, partition, false, nil)
	var all []pipeline.Message
	next, err := src.Seek(t.Context(), statestore.NoOffset, false)
	for err == nil {
		var b pipeline.Batch
		if err = src.Fetch(t.Context(), &b); err == nil && b.Next == next {
			return all
		}
		next = b.Next
		all = append(all, b.Messages...)
	}
	t.Fatalf("read %s-%d: %v", topic, partition, err)
	return nil
}

// ends returns the end offsets of a topic's partitions, summed.
func (r *rig) ends(ctx context.Context, topic string) (int64, error) {
	var ask []kafka.OffsetRequest
	for i := range r.width {
		ask = append(ask, kafka.LastOffsetOf(i))
	}
	res, err := r.conn.Client().ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: ask}})
	if err != nil {
		return 0, err
	}
	sum := int64(0)
	for _, p := range res.Topics[topic] {
		if p.Error != nil {
			return 0, p.Error
		}
		sum += p.LastOffset
	}
	return sum, nil
}

// until calls done every 100 ms until it says true; t fails after the limit.
func until(t testing.TB, limit time.Duration, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %v", what, limit)
		case <-tick.C:
		}
	}
}
