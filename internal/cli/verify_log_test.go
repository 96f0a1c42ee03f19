package cli

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weirstream/weir/pipeline"
)

// processed is a rig whose operator has scored 40 rows of five streams and a record that
// is no event, and has stopped.
func processed(t *testing.T, settings ...string) *rig {
	t.Helper()
	r := newRig(t, 2)
	if err := r.produceRows(t.Context(), outageEvents(0, 40), 1000); err != nil {
		t.Fatal(err)
	}
	if err := r.produce(t.Context(), 1, []pipeline.Message{{Value: []byte("no JSON")}}); err != nil {
		t.Fatal(err)
	}
	_, stop := r.operate(t, settings...)
	r.waitOutputs(t, 200)
	until(t, time.Minute, "the dead letter", func() bool {
		n, err := r.ends(t.Context(), r.name+".dlq")
		return err == nil && n >= 1
	})
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	return r
}

// verifyLog runs weir verify-log and returns its counts by column, summed over partitions,
// the lines below the table, and its exit code.
func (r *rig) verifyLog(t *testing.T, args ...string) (counts map[string]int, examples []string, code int) {
	t.Helper()
	var out, faults bytes.Buffer
	code = Main(t.Context(), slices.Concat([]string{"verify-log"}, r.settings(), args), nil, &out, &faults)
	t.Logf("exit code %d\n%s%s", code, out.String(), faults.String())
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	columns := strings.Fields(lines[0])
	counts = map[string]int{}
	for _, line := range lines[1:] {
		cells := strings.Fields(line)
		if cells[0] != r.name {
			examples = append(examples, line)
			continue
		}
		for i := 4; i < len(columns); i++ {
			n, err := strconv.Atoi(cells[i])
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			counts[columns[i]] += n
		}
	}
	return counts, examples, code
}

func TestVerifyLogFindsNothingWrongWithWhatWasLeftAlone(t *testing.T) {
	r := processed(t)
	counts, examples, code := r.verifyLog(t)
	if code != exitOK || counts["equal"] != 201 || sum(counts) != 201 || len(examples) != 0 {
		t.Errorf("exit code %d, %v, %q; want 201 equal and nothing else", code, counts, examples)
	}
	counts, _, code = r.verifyLog(t, "--from", "10", "--to", "20")
	if code != exitOK || counts["equal"] != 20 || sum(counts) != 20 {
		t.Errorf("offsets 10 to 20: exit code %d, %v; want ten of each partition", code, counts)
	}
	counts, _, code = r.verifyLog(t, "--from", "10", "--to", "20", "--partition", "1")
	if code != exitOK || counts["equal"] != 10 || sum(counts) != 10 {
		t.Errorf("offsets 10 to 20 of partition 1: exit code %d, %v; want ten", code, counts)
	}
	counts, _, code = r.verifyLog(t, "--to", time.Now().Add(time.Hour).Format(time.RFC3339))
	if code != exitOK || counts["equal"] != 201 || sum(counts) != 201 {
		t.Errorf("to a time after the end: exit code %d, %v; want all", code, counts)
	}
	if _, _, code = r.verifyLog(t, "--from", time.Now().Add(time.Hour).Format(time.RFC3339)); code != exitRuntime {
		t.Errorf("from a time after the end: exit code %d; a comparison of nothing must not pass", code)
	}
	if _, _, code = r.verifyLog(t, "--from", "yesterday"); code != exitUsage {
		t.Errorf("from yesterday: exit code %d", code)
	}
}

func sum(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// TestVerifyLogFindsEachKindOfFault copies a good output topic to another with faults.
func TestVerifyLogFindsEachKindOfFault(t *testing.T) {
	r := processed(t)
	bad := r.name + ".bad"
	topic := kafka.TopicConfig{Topic: bad, NumPartitions: 2, ReplicationFactor: 1}
	if _, err := r.conn.Client().CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{topic}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = r.conn.Client().DeleteTopics(t.Context(), &kafka.DeleteTopicsRequest{Topics: []string{bad}})
	})
	until(t, time.Minute, "leaders of "+bad, func() bool { _, err := r.ends(t.Context(), bad); return err == nil })
	for p := range 2 {
		msgs := r.read(t, r.name+".scores", p)
		if p == 0 {
			at := slices.IndexFunc(msgs, func(m pipeline.Message) bool { return bytes.Contains(m.Value, []byte(`"n":7,`)) })
			msgs[at].Value = bytes.Replace(msgs[at].Value, []byte(`"is_anomaly":false`), []byte(`"is_anomaly":true`), 1)
			lost, again, stray := msgs[20], msgs[30], msgs[40]
			stray.Headers = slices.Clone(stray.Headers)
			for i, h := range stray.Headers {
				if h.Key == "weir-source" {
					stray.Headers[i].Value = append(slices.Clone(h.Value), "-3"...)
				}
			}
			msgs = slices.DeleteFunc(msgs, func(m pipeline.Message) bool { return bytes.Equal(m.Value, lost.Value) })
			msgs = append(msgs, again, stray)
		}
		if err := pipeline.NewKafkaSink(r.conn.Client(), bad, p).Write(t.Context(), msgs); err != nil {
			t.Fatal(err)
		}
	}
	counts, examples, code := r.verifyLog(t, "--set", "output.scores.topic="+bad)
	if code != exitRuntime || counts["differing"] != 1 || counts["missing"] != 1 || counts["duplicated"] != 1 ||
		counts["unexpected"] != 1 || counts["equal"] != 199 || len(examples) != 4 {
		t.Errorf("exit code %d, %v, %d examples; want one of each fault, shown", code, counts, len(examples))
	}
}

// TestVerifyLogDoesNotJudgeWhatRetentionTook cuts off the log's beginning: the streams that
// began there cannot be computed, one that began later can.
func TestVerifyLogDoesNotJudgeWhatRetentionTook(t *testing.T) {
	r := processed(t)
	var newcomer []pipeline.Message
	for i := range 5 {
		newcomer = append(newcomer, pipeline.Message{
			Value: fmt.Appendf(nil, `{"stream":"newcomer","ts":%d,"value":%d}`, 1795429680000+i*60000, i),
		})
	}
	if err := r.produce(t.Context(), 0, newcomer); err != nil {
		t.Fatal(err)
	}
	_, stop := r.operate(t)
	r.waitOutputs(t, 205)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	r.cut(t, 0, 30)
	left := len(r.read(t, r.name, 0))
	counts, _, code := r.verifyLog(t, "--partition", "0")
	if code != exitOK || counts["unknown"] != left-5 || counts["equal"] != 5 || sum(counts) != left {
		t.Errorf("exit code %d, %v; want 5 of the %d events that are left equal, the others unknown", code, counts, left)
	}
}

// cut deletes a partition's records before an offset, which kafka-go cannot.
func (r *rig) cut(t *testing.T, partition int32, before int64) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(r.kafka))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	p := kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Partition, p.Offset = partition, before
	topic := kmsg.NewDeleteRecordsRequestTopic()
	topic.Topic, topic.Partitions = r.name, append(topic.Partitions, p)
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.Topics = append(req.Topics, topic)
	res, err := req.RequestWith(t.Context(), client)
	if err == nil {
		err = kerr.ErrorForCode(res.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
}
