package pipeline

import (
	"slices"
	"strconv"

	"github.com/segmentio/kafka-go"

	"github.com/weirstream/weir/pipeline/encoding"
)

// Names of the headers that say why a record is in the dead-letter topic. They and
// their values' form are Kafka Connect's (DeadLetterQueueReporter), so its tools
// read them; all values are UTF-8 text.
const (
	headerTopic            = "__connect.errors.topic"
	headerPartition        = "__connect.errors.partition"
	headerOffset           = "__connect.errors.offset"
	headerConnectorName    = "__connect.errors.connector.name"
	headerTaskID           = "__connect.errors.task.id"
	headerStage            = "__connect.errors.stage"
	headerClassName        = "__connect.errors.class.name"
	headerExceptionClass   = "__connect.errors.exception.class.name"
	headerExceptionMessage = "__connect.errors.exception.message"
)

// Where an event failed, in the words of Connect's stages, and the part of Weir
// that refused it.
const (
	stageDecode = "VALUE_CONVERTER"
	classDecode = "weir.pipeline.Decoder"
	stageApply  = "TASK_PUT"
	classApply  = "weir.operator.Operator"
)

// DeadLetterHeaders returns the headers of a dead letter: those of the record, and
// behind them where it was (topic, partition, offset), who could not use it (the
// service's name) and why. A header that the record has already is kept as it is:
// a record that fails again, further down, still tells of its first failure.
func DeadLetterHeaders(original []kafka.Header, service, topic string, partition int, offset int64, cause *encoding.Fault) []kafka.Header {
	stage, class := stageApply, classApply
	if encoding.IsReason(cause.Reason) {
		stage, class = stageDecode, classDecode
	}
	ours := [...]struct{ key, value string }{
		{headerTopic, topic},
		{headerPartition, strconv.Itoa(partition)},
		{headerOffset, strconv.FormatInt(offset, 10)},
		{headerConnectorName, service},
		{headerTaskID, "0"},
		{headerStage, stage},
		{headerClassName, class},
		{headerExceptionClass, cause.Reason},
		{headerExceptionMessage, cause.Detail},
	}
	headers := make([]kafka.Header, len(original), len(original)+len(ours))
	copy(headers, original)
	for _, h := range ours {
		there := slices.ContainsFunc(original, func(o kafka.Header) bool { return o.Key == h.key })
		if !there {
			headers = append(headers, kafka.Header{Key: h.key, Value: []byte(h.value)})
		}
	}
	return headers
}

// DeadLetterReason returns the reason and its detail from a dead letter's headers.
func DeadLetterReason(headers []kafka.Header) (reason, detail string) {
	for _, h := range headers {
		switch h.Key {
		case headerExceptionClass:
			reason = string(h.Value)
		case headerExceptionMessage:
			detail = string(h.Value)
		}
	}
	return reason, detail
}
