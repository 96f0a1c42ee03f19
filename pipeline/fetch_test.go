package pipeline

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/weirstream/weir/statestore"
)

// emptied turns an encoded batch into what compaction leaves where it has removed all of its
// records: the head, with its offsets.
func emptied(batch []byte, base int64, n int) []byte {
	b := bytes.Clone(batch[:batchHeaderBytes])
	binary.BigEndian.PutUint64(b, uint64(base))
	binary.BigEndian.PutUint32(b[batchLength:], batchHeaderBytes-12)
	binary.BigEndian.PutUint32(b[batchLastDelta:], uint32(n-1))
	binary.BigEndian.PutUint32(b[batchCount:], 0)
	binary.BigEndian.PutUint32(b[batchCRC:], crc32.Checksum(b[batchAttributes:], castagnoli))
	return b
}

// moved is an encoded batch at another base offset, which its checksum does not cover.
func moved(batch []byte, base int64, epoch int32) []byte {
	b := bytes.Clone(batch)
	binary.BigEndian.PutUint64(b, uint64(base))
	binary.BigEndian.PutUint32(b[12:], uint32(epoch))
	return b
}

// A cannedAnswer is a connection whose other end gives one answer.
type cannedAnswer struct {
	io.Reader
	io.Writer
}

// answered is a fetch's answer of version 11 that holds batches.
func answered(batches ...[]byte) cannedAnswer {
	records := bytes.Join(batches, nil)
	var b []byte
	b = binary.BigEndian.AppendUint32(b, 1)
	b = append(b, make([]byte, 4+2+4)...)
	b = binary.BigEndian.AppendUint32(b, 1)
	b = append(b, 0, 6)
	b = append(b, "events"...)
	b = binary.BigEndian.AppendUint32(b, 1)
	b = append(b, make([]byte, 4+2)...)
	b = binary.BigEndian.AppendUint64(b, 1000)
	b = binary.BigEndian.AppendUint64(b, 1000)
	b = append(b, make([]byte, 8+4+4)...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(records)))
	b = append(b, records...)
	return cannedAnswer{bytes.NewReader(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)), io.Discard}
}

// exchanged reads an answer as a source at the given position does.
func exchanged(t *testing.T, position int64, answer io.ReadWriter) Batch {
	t.Helper()
	r := &fetchExchange{}
	if !r.Required(map[protocol.ApiKey]int16{protocol.Fetch: fetchVersion}) {
		t.Fatal("the exchange is left to kafka-go")
	}
	res, err := r.RawExchange(answer)
	if err != nil {
		t.Fatal(err)
	}
	s, b := &KafkaSource{position: position}, Batch{}
	b.Reset()
	b.Next = position
	if err := s.readBatches(&res.(*fetchResponse).Topics[0].Partitions[0], res.(*fetchResponse).heads, &b); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFetchStepsOverWhatCompactionEmptied reads batches that compaction has left without a
// record, or without their last ones, in one step each.
func TestFetchStepsOverWhatCompactionEmptied(t *testing.T) {
	batch := appendBatch(nil, nobody, []Message{{Time: 1, Value: []byte("a")}, {Time: 2, Value: []byte("b")}})[4:]
	shortened := moved(batch, 700, 4)
	binary.BigEndian.PutUint32(shortened[batchLastDelta:], 49) // 700 to 749, of which the first two are left
	binary.BigEndian.PutUint32(shortened[batchCRC:], crc32.Checksum(shortened[batchAttributes:], castagnoli))
	for name, c := range map[string]struct {
		answer cannedAnswer
		want   string
	}{
		"one emptied batch":     {answered(emptied(batch, 100, 600)), "next 700 epoch -1:"},
		"emptied ones between":  {answered(moved(batch, 100, 3), emptied(batch, 102, 598), moved(batch, 700, 4)), "next 702 epoch 4: 100 101 700 701"},
		"the last records gone": {answered(shortened), "next 750 epoch 4: 700 701"},
		"cut off in a batch":    {answered(moved(batch, 100, 3), batch[:len(batch)-1]), "next 102 epoch 3: 100 101"},
		"cut off in a head":     {answered(moved(batch, 100, 3), batch[:30]), "next 102 epoch 3: 100 101"},
		"nothing":               {answered(), "next 100 epoch -1:"},
	} {
		b := exchanged(t, 100, c.answer)
		got := fmt.Sprintf("next %d epoch %d:", b.Next, b.Epoch)
		for _, m := range b.Messages {
			got += fmt.Sprint(" ", m.Offset)
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func FuzzBatchHeads(f *testing.F) {
	batch := appendBatch(nil, nobody, []Message{{Value: []byte("a")}})[4:]
	whole, err := io.ReadAll(answered(batch, batch).Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole[4:])
	f.Add(whole[4 : len(whole)-5])
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, answer []byte) {
		heads, err := batchHeads(answer)
		if err != nil && (!errors.Is(err, errFetchAnswer) || heads != nil) {
			t.Fatalf("%v with %d heads", err, len(heads))
		}
		for _, h := range heads {
			if h.last < h.first && h.first < 1<<62 {
				t.Fatalf("a batch from %d to %d", h.first, h.last)
			}
		}
	})
}

// TestFetchTakesTheBrokersTimeWhereTheTopicSaysSo writes records dated into the past to a
// topic that stamps them on arrival.
func TestFetchTakesTheBrokersTimeWhereTheTopicSaysSo(t *testing.T) {
	conn, topic := newTopic(t)
	if os.Getenv("WEIR_TEST_KAFKA") == "" {
		t.Skip("the embedded broker leaves the producer's times as they are")
	}
	stamped := topic + ".stamped"
	createTopic(t, conn, kafka.TopicConfig{
		Topic: stamped, NumPartitions: 1, ReplicationFactor: 1,
		ConfigEntries: []kafka.ConfigEntry{{ConfigName: "message.timestamp.type", ConfigValue: "LogAppendTime"}},
	})
	before := time.Now().UnixMilli()
	old := []Message{{Time: 1000, Value: []byte("a")}, {Time: 2000, Value: []byte("b")}}
	writeNew(t.Context(), t, NewKafkaSink(conn.Client(), stamped, 0), old)
	writeNew(t.Context(), t, NewKafkaSink(conn.Client(), topic, 0), old)
	times := func(topic string) (got []int64) {
		s := NewKafkaSource(conn.Client(), topic, 0, false, nil)
		for s.position < 2 {
			var b Batch
			if err := s.Fetch(t.Context(), &b); err != nil {
				t.Fatal(err)
			}
			for _, m := range b.Messages {
				got = append(got, m.Time)
			}
			if b.Epoch == NoEpoch {
				t.Error("the leader's epoch is not known")
			}
		}
		return got
	}
	if diff := cmp.Diff([]int64{1000, 2000}, times(topic)); diff != "" {
		t.Errorf("producer's times (-want +got):\n%s", diff)
	}
	got := times(stamped)
	if len(got) != 2 || got[0] != got[1] || got[0] < before-60_000 {
		t.Errorf("the broker's times are %v, written after %d", got, before)
	}
}

// A ledSource has a new leader from an offset on, which may have lost the record before it.
type ledSource struct {
	*sliceSource
	change int64
	cut    bool
}

func (s *ledSource) Fetch(ctx context.Context, b *Batch) error {
	s.size = 4
	err := s.sliceSource.Fetch(ctx, b)
	b.Epoch = 1
	if len(b.Messages) > 0 && b.Messages[len(b.Messages)-1].Offset >= s.change {
		b.Epoch = 2
		if s.cut && s.change == b.Messages[0].Offset+1 {
			b.Messages[0].Value = []byte("another one")
		}
	}
	return err
}

// TestNewLeaderThatLostRecordsIsNoticed has a leader election cut the log below what was
// processed, and write on: the position is an offset again, of another record.
func TestNewLeaderThatLostRecordsIsNoticed(t *testing.T) {
	for _, cut := range []bool{false, true} {
		log := minutely("a", 0, 40)
		scores := &sliceSink{}
		w := newWorker(t, newOperator(tinyModel(t), statestore.NewMemory()), &ledSource{&sliceSource{log: log}, 20, cut}, scores, &sliceSink{})
		w.Alive = func(context.Context) error { return nil }
		err := w.Run(t.Context())
		if cut != errors.Is(err, ErrLogReplaced) || !cut && err != nil {
			t.Errorf("log cut %v: %v", cut, err)
		}
		if want := map[bool]int{true: 20, false: 40}[cut]; len(scores.log) != want {
			t.Errorf("log cut %v: %d scores, want %d", cut, len(scores.log), want)
		}
	}
}
