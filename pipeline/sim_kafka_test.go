package pipeline

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/addoffsetstotxn"
	"github.com/segmentio/kafka-go/protocol/addpartitionstotxn"
	"github.com/segmentio/kafka-go/protocol/endtxn"
	"github.com/segmentio/kafka-go/protocol/fetch"
	"github.com/segmentio/kafka-go/protocol/initproducerid"
	"github.com/segmentio/kafka-go/protocol/listoffsets"
	"github.com/segmentio/kafka-go/protocol/offsetcommit"
	"github.com/segmentio/kafka-go/protocol/offsetfetch"
	"github.com/segmentio/kafka-go/protocol/produce"
	"github.com/segmentio/kafka-go/protocol/rawproduce"
	"github.com/segmentio/kafka-go/protocol/txnoffsetcommit"
)

// A simKafka answers kafka-go's requests as Kafka does, out of memory: as much of one
// group, of one input partition's transactional id and of the two output partitions as the
// delivery relies on. A partition knows of producers only what is in its log, the
// coordinator ends a transaction some time after it said so, and what is wrong is refused
// with Kafka's codes.
type simKafka struct {
	rng        *rand.Rand
	logs       map[string]*simLog // by topic
	generation int32

	committed simOffset
	pending   *simOffset // in the open transaction

	producer int64
	epoch    int16
	open     []*simLog // the transaction's
	inTxn    bool
	ending   bool // its end is promised
	commit   bool // what the last end was

	broken *mutation
}

type simOffset struct {
	offset int64
	note   string
}

const simNoOffset = -1

func newSimKafka(rng *rand.Rand, broken *mutation) *simKafka {
	return &simKafka{
		rng: rng, broken: broken, producer: 4711, epoch: -1, committed: simOffset{offset: simNoOffset},
		logs: map[string]*simLog{simScores: {writers: map[int64]*simWriter{}}, simLetters: {writers: map[int64]*simWriter{}}},
	}
}

const (
	simGroup   = "weir"
	simScores  = "scores"
	simLetters = "letters"
)

// answer is the broker's answer to a request.
func (k *simKafka) answer(req protocol.Message) (protocol.Message, error) {
	k.settle()
	switch r := req.(type) {
	case *rawproduce.Request:
		return k.produce(r)
	case *fetchExchange:
		return &fetchResponse{Response: *k.fetch(&r.Request)}, nil
	case *listoffsets.Request:
		return k.listOffsets(r), nil
	case *heartbeatRequest:
		return &heartbeatResponse{ErrorCode: k.member(r.GenerationID)}, nil
	case *offsetcommit.Request:
		return k.commitOffset(r), nil
	case *offsetfetch.Request:
		return &offsetfetch.Response{Topics: []offsetfetch.ResponseTopic{{Name: testPartition.Topic, Partitions: []offsetfetch.ResponsePartition{
			{PartitionIndex: int32(testPartition.Number), CommittedOffset: k.committed.offset, Metadata: k.committed.note},
		}}}}, nil
	case *initproducerid.Request:
		return k.initProducer(), nil
	case *addpartitionstotxn.Request:
		return k.addPartitions(r), nil
	case *addoffsetstotxn.Request:
		return &addoffsetstotxn.Response{ErrorCode: k.begin(r.ProducerID, r.ProducerEpoch)}, nil
	case *txnoffsetcommit.Request:
		return k.txnOffset(r), nil
	case *endtxn.Request:
		return &endtxn.Response{ErrorCode: k.end(r)}, nil
	}
	return nil, fmt.Errorf("the simulated Kafka does not know %T", req)
}

func code(err kafka.Error) int16 { return int16(err) }

// member says whether the generation is the group's present one.
func (k *simKafka) member(generation int32) int16 {
	if generation != k.generation {
		return code(kafka.IllegalGeneration)
	}
	return 0
}

func (k *simKafka) commitOffset(r *offsetcommit.Request) *offsetcommit.Response {
	part := r.Topics[0].Partitions[0]
	failed := k.member(r.GenerationID)
	if failed == 0 {
		k.committed = simOffset{part.CommittedOffset, part.CommittedMetadata}
	}
	return &offsetcommit.Response{Topics: []offsetcommit.ResponseTopic{{
		Name: r.Topics[0].Name, Partitions: []offsetcommit.ResponsePartition{{PartitionIndex: part.PartitionIndex, ErrorCode: failed}},
	}}}
}

// settle ends the transaction whose end was promised, sooner or later.
func (k *simKafka) settle() {
	if k.ending && k.rng.IntN(3) == 0 {
		k.mark(k.commit, k.epoch)
	}
}

// mark ends the open transaction.
func (k *simKafka) mark(commit bool, epoch int16) {
	for _, l := range k.open {
		l.mark(k.producer, epoch, commit, k.broken.is(noFence))
	}
	if commit && k.pending != nil {
		k.committed = *k.pending
	}
	k.open, k.pending, k.inTxn, k.ending = nil, nil, false, false
}

func (k *simKafka) initProducer() *initproducerid.Response {
	if k.ending {
		return &initproducerid.Response{ErrorCode: code(kafka.ConcurrentTransactions)}
	}
	if k.inTxn { // abort it, as of an epoch that nobody has
		k.epoch++
		k.mark(false, k.epoch)
	}
	k.epoch++
	return &initproducerid.Response{ProducerID: k.producer, ProducerEpoch: k.epoch}
}

// begin opens a transaction if there is none.
func (k *simKafka) begin(producer int64, epoch int16) int16 {
	switch {
	case producer != k.producer:
		return code(kafka.InvalidProducerIDMapping)
	case epoch != k.epoch:
		return code(kafka.ProducerFenced)
	case k.ending:
		return code(kafka.ConcurrentTransactions)
	}
	k.inTxn = true
	return 0
}

func (k *simKafka) addPartitions(r *addpartitionstotxn.Request) *addpartitionstotxn.Response {
	name := r.Topics[0].Name
	failed := k.begin(r.ProducerID, r.ProducerEpoch)
	if l := k.logs[name]; failed == 0 && !slices.Contains(k.open, l) {
		k.open = append(k.open, l)
	}
	return &addpartitionstotxn.Response{Results: []addpartitionstotxn.ResponseResult{{
		Name: name, Results: []addpartitionstotxn.ResponsePartition{{PartitionIndex: r.Topics[0].Partitions[0], ErrorCode: failed}},
	}}}
}

func (k *simKafka) txnOffset(r *txnoffsetcommit.Request) *txnoffsetcommit.Response {
	part := r.Topics[0].Partitions[0]
	failed := k.member(r.GenerationID)
	switch {
	case r.ProducerID != k.producer || r.ProducerEpoch != k.epoch:
		failed = code(kafka.InvalidProducerEpoch)
	case !k.inTxn:
		failed = code(kafka.InvalidTransactionState)
	}
	if failed == 0 {
		k.pending = &simOffset{part.CommittedOffset, part.CommittedMetadata}
	}
	return &txnoffsetcommit.Response{Topics: []txnoffsetcommit.ResponseTopic{{
		Name: r.Topics[0].Name, Partitions: []txnoffsetcommit.ResponsePartition{{Partition: part.Partition, ErrorCode: failed}},
	}}}
}

func (k *simKafka) end(r *endtxn.Request) int16 {
	switch {
	case r.ProducerID != k.producer || r.ProducerEpoch != k.epoch:
		return code(kafka.ProducerFenced)
	case k.ending:
		return code(kafka.ConcurrentTransactions)
	case k.inTxn:
		k.ending, k.commit = true, r.Committed
		return 0
	case k.commit == r.Committed:
		return 0 // asked again
	}
	return code(kafka.InvalidTransactionState)
}

func (k *simKafka) listOffsets(r *listoffsets.Request) *listoffsets.Response {
	topic := r.Topics[0]
	l := k.logs[topic.Topic]
	res := listoffsets.ResponseTopic{Topic: topic.Topic}
	for _, p := range topic.Partitions {
		offset := l.stable()
		if p.Timestamp == kafka.FirstOffset {
			offset = l.first
		}
		res.Partitions = append(res.Partitions, listoffsets.ResponsePartition{Partition: p.Partition, Timestamp: p.Timestamp, Offset: offset})
	}
	return &listoffsets.Response{Topics: []listoffsets.ResponseTopic{res}}
}

func (k *simKafka) produce(r *rawproduce.Request) (protocol.Message, error) {
	topic := r.Topics[0]
	var set bytes.Buffer
	if _, err := set.ReadFrom(topic.Partitions[0].RecordSet.Reader); err != nil {
		return nil, err
	}
	l := k.logs[topic.Topic]
	batch, err := decodeSimBatch(set.Bytes())
	if err != nil {
		return nil, err
	}
	if k.broken.is(noSequence) {
		batch.id = nobody
	}
	offset, failed := int64(-1), int16(0)
	if batch.id.transactional && (!k.inTxn || k.ending || batch.id.epoch != k.epoch || !slices.Contains(k.open, l)) {
		failed = code(kafka.InvalidTransactionState)
	} else {
		offset, failed = l.append(batch)
	}
	return &produce.Response{Topics: []produce.ResponseTopic{{
		Topic: topic.Topic, Partitions: []produce.ResponsePartition{{ErrorCode: failed, BaseOffset: offset}},
	}}}, nil
}

func (k *simKafka) fetch(r *fetch.Request) *fetch.Response {
	topic := r.Topics[0]
	part := k.logs[topic.Topic].fetch(topic.Partitions[0].FetchOffset, 1+k.rng.IntN(6), k.broken.is(noReading))
	if k.broken.is(noWaiting) && k.ending && part.RecordSet.Records == nil {
		marker := protocol.NewControlBatch(protocol.ControlRecord{Offset: topic.Partitions[0].FetchOffset, Type: 1})
		marker.ProducerID, marker.ProducerEpoch = k.producer, k.epoch
		part.RecordSet.Records = &protocol.RecordStream{Records: []protocol.RecordReader{marker}}
	}
	return &fetch.Response{Topics: []fetch.ResponseTopic{{Topic: topic.Topic, Partitions: []fetch.ResponsePartition{part}}}}
}
