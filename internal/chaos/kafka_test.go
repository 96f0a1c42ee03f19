package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// brokers are the Kafka cluster. The suite speaks to it with franz-go, so that what Weir's
// own client gets wrong does not look right; and behind the proxies' back, so that it sees
// what is there while the operators are cut off.
type brokers struct {
	dir    string
	admin  *kgo.Client
	fronts []*proxy // what the operators' connections go through, one a broker
}

func openBrokers(dir string) (*brokers, error) {
	lines, err := os.ReadFile(filepath.Join(dir, "fronts"))
	if err != nil {
		return nil, fmt.Errorf("no Kafka cluster: start one with .ci/kafka.sh start %s 3: %w", dir, err)
	}
	b := &brokers{dir: dir}
	var seeds []string
	for line := range strings.Lines(string(lines)) {
		listen, target, _ := strings.Cut(strings.TrimSpace(line), " ")
		p, err := newProxy(listen, target)
		if err != nil {
			return nil, err
		}
		b.fronts = append(b.fronts, p)
	}
	for i := range b.fronts {
		addr, err := b.address(i + 1)
		if err != nil {
			return nil, err
		}
		seeds = append(seeds, addr)
	}
	b.admin, err = kgo.NewClient(kgo.SeedBrokers(seeds...), kgo.MetadataMinAge(200*time.Millisecond),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	return b, err
}

// address reads a broker's own address from its settings.
func (b *brokers) address(id int) (string, error) {
	text, err := os.ReadFile(filepath.Join(b.dir, strconv.Itoa(id), "server.properties"))
	if err != nil {
		return "", err
	}
	_, rest, _ := strings.Cut(string(text), "listeners=PLAINTEXT://")
	addr, _, ok := strings.Cut(rest, ",")
	if !ok {
		return "", fmt.Errorf("broker %d: no listeners in its settings", id)
	}
	return addr, nil
}

func (b *brokers) close() {
	b.admin.Close()
	for _, p := range b.fronts {
		p.close()
	}
}

// bootstrap is kafka.brokers for the operators.
func (b *brokers) bootstrap() string {
	var all []string
	for _, p := range b.fronts {
		all = append(all, p.listen)
	}
	return strings.Join(all, ",")
}

// kill ends a broker as a crash would; resume starts it again.
func (b *brokers) kill(t *testing.T, id int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, strconv.Itoa(id), "pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatalf("kill broker %d: %v", id, err)
	}
}

func (b *brokers) resume(t *testing.T, id int) {
	t.Helper()
	script := filepath.Join("..", "..", ".ci", "kafka.sh")
	if out, err := exec.Command("bash", script, "resume", b.dir, strconv.Itoa(id)).CombinedOutput(); err != nil {
		t.Fatalf("resume broker %d: %v\n%s", id, err, out)
	}
}

// create makes a topic of the given number of partitions, three copies of each.
func (b *brokers) create(ctx context.Context, topic string, partitions int) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = topic, int32(partitions), 3
	req.Topics = append(req.Topics, rt)
	res, err := req.RequestWith(ctx, b.admin)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(res.Topics[0].ErrorCode)
}

func (b *brokers) remove(ctx context.Context, topics ...string) error {
	req := kmsg.NewPtrDeleteTopicsRequest()
	for _, topic := range topics {
		rt := kmsg.NewDeleteTopicsRequestTopic()
		rt.Topic = new(topic)
		req.Topics = append(req.Topics, rt)
		req.TopicNames = append(req.TopicNames, topic)
	}
	res, err := req.RequestWith(ctx, b.admin)
	if err != nil {
		return err
	}
	var errs []error
	for _, rt := range res.Topics {
		errs = append(errs, kerr.ErrorForCode(rt.ErrorCode))
	}
	return errors.Join(errs...)
}

// ends returns a topic's first offsets where first is set, else its end offsets.
func (b *brokers) ends(ctx context.Context, topic string, partitions int, first bool) ([]int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	rt := kmsg.NewListOffsetsRequestTopic()
	rt.Topic = topic
	for p := range partitions {
		rp := kmsg.NewListOffsetsRequestTopicPartition()
		rp.Partition, rp.Timestamp = int32(p), -1
		if first {
			rp.Timestamp = -2
		}
		rt.Partitions = append(rt.Partitions, rp)
	}
	req.Topics = append(req.Topics, rt)
	ends := make([]int64, partitions)
	for _, shard := range b.admin.RequestSharded(ctx, req) {
		if shard.Err != nil {
			return nil, shard.Err
		}
		for _, st := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, sp := range st.Partitions {
				if err := kerr.ErrorForCode(sp.ErrorCode); err != nil {
					return nil, err
				}
				ends[sp.Partition] = sp.Offset
			}
		}
	}
	return ends, nil
}

// read returns what a topic's partitions hold now, as a reader of committed data sees it.
func (b *brokers) read(ctx context.Context, topic string, partitions int) ([][]*kgo.Record, error) {
	ends, err := b.ends(ctx, topic, partitions, false)
	if err != nil {
		return nil, err
	}
	from := map[string]map[int32]kgo.Offset{topic: {}}
	left := 0
	for p, end := range ends {
		if end > 0 {
			from[topic][int32(p)] = kgo.NewOffset().AtStart()
			left++
		}
	}
	all := make([][]*kgo.Record, partitions)
	if left == 0 {
		return all, nil
	}
	client, err := kgo.NewClient(append(b.admin.Opts(), kgo.ConsumePartitions(from), kgo.KeepControlRecords(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	// The end of an aborted transaction is not seen, only that nothing comes any more.
	for quiet := 0; left > 0 && quiet < 3; quiet++ {
		wait, cancel := context.WithTimeout(ctx, time.Second)
		fetches := client.PollFetches(wait)
		cancel()
		fetches.EachPartition(func(f kgo.FetchTopicPartition) {
			for _, r := range f.Records {
				quiet = -1
				if r.Offset >= ends[f.Partition] {
					continue
				}
				if r.Offset == ends[f.Partition]-1 {
					left--
				}
				if !r.Attrs.IsControl() {
					all[f.Partition] = append(all[f.Partition], r)
				}
			}
		})
	}
	return all, ctx.Err()
}
