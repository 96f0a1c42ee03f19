package pipeline

import (
	"bytes"
	"io"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"pgregory.net/rapid"
)

// readBatch decodes a record set with kafka-go.
func readBatch(t interface{ Fatal(...any) }, set []byte) (batch *protocol.RecordBatch, msgs []Message) {
	var rs protocol.RecordSet
	if _, err := rs.ReadFrom(bytes.NewReader(set)); err != nil {
		t.Fatal(err)
	}
	batch = rs.Records.(*protocol.RecordStream).Records[0].(*protocol.RecordBatch)
	for {
		r, err := batch.ReadRecord()
		if err != nil {
			return batch, msgs
		}
		m := Message{Offset: r.Offset, Time: r.Time.UnixMilli(), Headers: r.Headers}
		for from, to := range map[protocol.Bytes]*[]byte{r.Key: &m.Key, r.Value: &m.Value} {
			if from != nil {
				if *to, err = io.ReadAll(from); err != nil {
					t.Fatal(err)
				}
			}
		}
		msgs = append(msgs, m)
	}
}

func TestAnotherDecoderReadsABatchAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.Custom(func(t *rapid.T) []byte {
			if rapid.Bool().Draw(t, "nil") {
				return nil
			}
			return append(make([]byte, rapid.SampledFrom([]int{0, 1, 63, 64, 8191, 8192}).Draw(t, "zeros")), "tail"...)
		})
		var msgs []Message
		for i := range rapid.IntRange(1, 5).Draw(t, "records") {
			m := Message{Offset: int64(i), Time: rapid.Int64Range(0, 1<<41).Draw(t, "time"), Key: some.Draw(t, "key"), Value: some.Draw(t, "value")}
			for range rapid.IntRange(0, 3).Draw(t, "headers") {
				m.Headers = append(m.Headers, kafka.Header{Key: rapid.StringN(0, 70, -1).Draw(t, "name"), Value: append([]byte{1}, some.Draw(t, "header")...)})
			}
			msgs = append(msgs, m)
		}
		id := batchID{
			producer: rapid.Int64Range(0, math.MaxInt64).Draw(t, "producer"), epoch: rapid.Int16Range(0, math.MaxInt16).Draw(t, "epoch"),
			sequence: rapid.Int32Range(0, math.MaxInt32).Draw(t, "sequence"), transactional: rapid.Bool().Draw(t, "transactional"),
		}
		batch, got := readBatch(t, appendBatch(nil, id, msgs))
		if diff := cmp.Diff(msgs, got); diff != "" {
			t.Fatalf("records (-written +read):\n%s", diff)
		}
		read := batchID{batch.ProducerID, batch.ProducerEpoch, batch.BaseSequence, batch.Attributes.Transactional()}
		if read != id {
			t.Fatalf("writer %+v, want %+v", read, id)
		}
	})
}

// TestBatchOfNobodyIsKafkaGosOwn compares with the encoder of another author, byte for byte.
func TestBatchOfNobodyIsKafkaGosOwn(t *testing.T) {
	msgs := []Message{
		{Time: 1_780_000_000_000, Key: []byte("k"), Value: []byte("first")},
		{Time: 1_779_999_999_999, Value: bytes.Repeat([]byte("v"), 300), Headers: []kafka.Header{{Key: "h", Value: []byte("x")}, {Key: "", Value: nil}}},
		{Time: 1_780_000_123_456, Key: []byte{}, Value: nil},
	}
	var records []protocol.Record
	for _, m := range msgs {
		records = append(records, protocol.Record{
			Time: time.UnixMilli(m.Time), Key: kafka.NewBytes(m.Key), Value: kafka.NewBytes(m.Value), Headers: m.Headers,
		})
	}
	var want bytes.Buffer
	if _, err := (&protocol.RecordSet{Version: 2, Records: protocol.NewRecordReader(records...)}).WriteTo(&want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Bytes(), appendBatch(nil, nobody, msgs)); diff != "" {
		t.Errorf("(-kafka-go +Weir):\n%s", diff)
	}
}

func TestSequenceGoesOnFromZeroAfterTheGreatest(t *testing.T) {
	for _, c := range []struct {
		sequence int32
		n        int
		want     int32
	}{{0, 1, 1}, {math.MaxInt32 - 1, 1, math.MaxInt32}, {math.MaxInt32, 1, 0}, {math.MaxInt32 - 2, 10, 7}} {
		if got := following(c.sequence, c.n); got != c.want {
			t.Errorf("%d records after %d: %d, want %d", c.n, c.sequence, got, c.want)
		}
	}
}
