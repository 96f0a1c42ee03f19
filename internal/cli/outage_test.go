package cli

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/weirstream/weir/pipeline"
)

// These tests take servers away, so they bring their own.

// freePort returns a port below those that systems give out by themselves (Linux: 32768
// and up), so that no connection or listener of another test takes it while its server is
// away.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 20000 + rand.IntN(12000)
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no free port between 20000 and 32000")
	return 0
}

// aKafka starts a broker that keeps its log in dir, so that it may stop and come back.
func aKafka(t *testing.T, port int, dir string) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(port), kfake.DataDir(dir),
		kfake.GroupMinSessionTimeout(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// outageEvents are rows of five streams, the same in every call with the same bounds.
func outageEvents(from, to int) [][]pipeline.Message {
	var rows [][]pipeline.Message
	for row := from; row < to; row++ {
		var msgs []pipeline.Message
		for s := range 5 {
			msgs = append(msgs, pipeline.Message{
				Key: fmt.Appendf(nil, "stream-%d", s),
				Value: fmt.Appendf(nil, `{"stream":"stream-%d","ts":%d,"value":%d}`,
					s, 1795429680000+int64(row)*60000, row*(s+1)%17),
			})
		}
		rows = append(rows, msgs)
	}
	return rows
}

func waitReady(t *testing.T, svc *service, want bool) {
	t.Helper()
	until(t, time.Minute, fmt.Sprintf("ready=%v", want), func() bool { return svc.telemetry.health.Ready() == want })
}

// waitOutputs waits until want different events have outputs.
func (r *rig) waitOutputs(t *testing.T, want int) {
	t.Helper()
	until(t, time.Minute, fmt.Sprintf("%d outputs", want), func() bool { return r.settled(t, want) })
}

func TestRedisDownAtStartAndInMidRunLosesNothing(t *testing.T) {
	broker := aKafka(t, freePort(t), t.TempDir())
	defer broker.Close()
	redisPort := freePort(t)
	redis := miniredis.NewMiniRedis()
	defer redis.Close()
	r := connect(t, servers{kafka: broker.ListenAddrs()[0], redis: net.JoinHostPort("127.0.0.1", strconv.Itoa(redisPort))}, 2)
	r.createTopics(t)
	rows := outageEvents(0, 40)
	if err := r.produceRows(t.Context(), rows[:10], 1000); err != nil {
		t.Fatal(err)
	}

	svc, stop := r.operate(t)
	waitReady(t, svc, false)
	if err := redis.StartAddr(r.redis); err != nil {
		t.Fatal(err)
	}
	r.waitOutputs(t, 50)
	waitReady(t, svc, true)

	redis.Close()
	if err := r.produceRows(t.Context(), rows[10:], 1000); err != nil {
		t.Fatal(err)
	}
	waitReady(t, svc, false)
	if err := redis.Restart(); err != nil {
		t.Fatal(err)
	}
	r.waitOutputs(t, 200)
	waitReady(t, svc, true)
	if err := stop(); err != nil {
		t.Errorf("graceful stop: %v", err)
	}
	if again := compareOutputs(t, r, rows); again != 0 {
		t.Errorf("%d outputs were written twice, though nobody was killed", again)
	}
}

func TestKafkaDownAtStartAndInMidRunLosesNothing(t *testing.T) {
	port, dir := freePort(t), t.TempDir()
	redis := miniredis.RunT(t)
	r := connect(t, servers{kafka: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), redis: redis.Addr()}, 2)
	svc, stop := r.operate(t)
	waitReady(t, svc, false)

	broker := aKafka(t, port, dir)
	until(t, time.Minute, "connection to Kafka", func() bool {
		_, err := r.conn.Client().Metadata(t.Context(), &kafka.MetadataRequest{})
		return err == nil
	})
	r.createTopics(t)
	rows := outageEvents(0, 40)
	if err := r.produceRows(t.Context(), rows[:10], 1000); err != nil {
		t.Fatal(err)
	}
	r.waitOutputs(t, 50)
	waitReady(t, svc, true)

	broker.Close()
	waitReady(t, svc, false)
	broker = aKafka(t, port, dir)
	defer broker.Close()
	until(t, time.Minute, "connection to Kafka", func() bool {
		return r.produceRows(t.Context(), rows[10:11], 1000) == nil
	})
	if err := r.produceRows(t.Context(), rows[11:], 1000); err != nil {
		t.Fatal(err)
	}
	r.waitOutputs(t, 200)
	waitReady(t, svc, true)
	if err := stop(); err != nil {
		t.Errorf("graceful stop: %v", err)
	}
	if again := compareOutputs(t, r, rows); again != 0 {
		t.Errorf("%d outputs were written twice", again)
	}
}

// TestEmptiedRedisIsNoticedAndItsStatesComputedAgain takes everything from Redis in
// mid-run. The states are written again from memory, and nothing is put out twice.
func TestEmptiedRedisIsNoticedAndItsStatesComputedAgain(t *testing.T) {
	broker := aKafka(t, freePort(t), t.TempDir())
	defer broker.Close()
	redis := miniredis.RunT(t)
	r := connect(t, servers{kafka: broker.ListenAddrs()[0], redis: redis.Addr()}, 2)
	r.createTopics(t)
	rows := outageEvents(0, 40)
	if err := r.produceRows(t.Context(), rows[:20], 1000); err != nil {
		t.Fatal(err)
	}
	svc, _ := r.operate(t)
	r.waitOutputs(t, 100)
	until(t, time.Minute, "states saved", func() bool { return len(redis.Keys()) == 7 }) // 5 streams, 2 partitions
	redis.FlushAll()
	if err := r.produceRows(t.Context(), rows[20:], 1000); err != nil {
		t.Fatal(err)
	}
	r.waitOutputs(t, 200)
	waitReady(t, svc, true)
	if again := compareOutputs(t, r, rows); again != 0 {
		t.Errorf("%d outputs were written twice", again)
	}
	until(t, time.Minute, "states saved again", func() bool { return len(redis.Keys()) == 7 })
}

// TestTopicMadeAnewIsNotTakenForTheOldOne deletes the input topic and makes it again with
// more events than were processed of the old one: none of them may pass for processed.
func TestTopicMadeAnewIsNotTakenForTheOldOne(t *testing.T) {
	r := newRig(t, 1)
	_, stop := r.operate(t)
	if err := r.produceRows(t.Context(), outageEvents(0, 2), 1000); err != nil {
		t.Fatal(err)
	}
	r.waitOutputs(t, 10)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.conn.Client().DeleteTopics(t.Context(), &kafka.DeleteTopicsRequest{Topics: []string{r.name}}); err != nil {
		t.Fatal(err)
	}
	again := kafka.TopicConfig{Topic: r.name, NumPartitions: 1, ReplicationFactor: 1}
	until(t, time.Minute, "topic made anew", func() bool {
		res, err := r.conn.Client().CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{again}})
		return err == nil && res.Errors[r.name] == nil
	})
	if err := r.produceRows(t.Context(), outageEvents(2, 6), 1000); err != nil {
		t.Fatal(err)
	}
	var log lockedBuffer
	svc, _ := r.operateTo(t, &log)
	until(t, time.Minute, "the partition to stop", func() bool { return strings.Contains(log.String(), "made anew") })
	if svc.telemetry.health.Ready() {
		t.Error("ready, though a partition has stopped")
	}
}

// TestCrashBeforeTheFirstCheckpointKeepsTheBeginning kills a reader that began at the
// topic's end before it has saved a state: the next one begins where the first did.
func TestCrashBeforeTheFirstCheckpointKeepsTheBeginning(t *testing.T) {
	r := newRig(t, 1)
	rows := outageEvents(0, 4)
	if err := r.produceRows(t.Context(), rows[:1], 1000); err != nil {
		t.Fatal(err)
	}
	latest := []string{"input.initial_offset=latest", "state.checkpoint.every=1h"}
	op := startOperator(t, r, latest...)
	until(t, time.Minute, "partition opened", func() bool { return strings.Contains(op.log.String(), "partition opened") })
	if err := r.produceRows(t.Context(), rows[1:2], 1000); err != nil {
		t.Fatal(err)
	}
	r.waitOutputs(t, 5)
	kill(t, op.Cmd)
	if err := r.produceRows(t.Context(), rows[2:], 1000); err != nil {
		t.Fatal(err)
	}
	r.operate(t, latest...)
	r.waitOutputs(t, 15)
}

// TestGracefulStopLeavesNothingToReplay stops an operator and starts another: the second
// one processes nothing again.
func TestGracefulStopLeavesNothingToReplay(t *testing.T) {
	r := newRig(t, 2)
	rows := outageEvents(0, 40)
	for i := range 4 {
		_, stop := r.operate(t)
		if err := r.produceRows(t.Context(), rows[i*10:(i+1)*10], 1000); err != nil {
			t.Fatal(err)
		}
		r.waitOutputs(t, (i+1)*50)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
	if again := compareOutputs(t, r, rows); again != 0 {
		t.Errorf("%d outputs were written twice", again)
	}
}
