package pipeline

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"

	"github.com/weirstream/weir/pipeline/encoding"
)

func header(key, value string) kafka.Header {
	return kafka.Header{Key: key, Value: []byte(value)}
}

func TestDeadLetterKeepsTheRecordsHeadersAndSaysWhy(t *testing.T) {
	original := make([]kafka.Header, 0, 16) // room that must not be written to
	original = append(original, header("traceparent", "00-1-2-01"), header("traceparent", "again"))
	cause := &encoding.Fault{Point: encoding.WholeRecord, Reason: encoding.ReasonBadValue, Detail: "value is full"}
	got := DeadLetterHeaders(original, "weir", "events", 3, 918273, cause)
	want := []kafka.Header{
		header("traceparent", "00-1-2-01"),
		header("traceparent", "again"),
		header("__connect.errors.topic", "events"),
		header("__connect.errors.partition", "3"),
		header("__connect.errors.offset", "918273"),
		header("__connect.errors.connector.name", "weir"),
		header("__connect.errors.task.id", "0"),
		header("__connect.errors.stage", "VALUE_CONVERTER"),
		header("__connect.errors.class.name", "weir.pipeline.Decoder"),
		header("__connect.errors.exception.class.name", "bad_value"),
		header("__connect.errors.exception.message", "value is full"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if spare := original[:3][2]; spare.Key != "" {
		t.Errorf("the record's own headers were written to: %v", spare)
	}
}

func TestDeadLetterNeverOverwritesAHeader(t *testing.T) {
	first := DeadLetterHeaders(nil, "weir", "events", 3, 7, &encoding.Fault{Point: encoding.WholeRecord, Reason: encoding.ReasonNoValue, Detail: "first"})
	again := DeadLetterHeaders(first, "other", "events.dlq", 0, 1, &encoding.Fault{Point: encoding.WholeRecord, Reason: encoding.ReasonBadTime, Detail: "second"})
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("(-first +again)\n%s", diff)
	}
}

func TestDeadLetterOfTheOperatorNamesItsOwnStage(t *testing.T) {
	for _, h := range DeadLetterHeaders(nil, "weir", "events", 0, 0, &encoding.Fault{Point: encoding.WholeRecord, Reason: "too_many_fields", Detail: "…"}) {
		if h.Key == headerStage && string(h.Value) != stageApply || h.Key == headerClassName && string(h.Value) != classApply {
			t.Errorf("%s is %s", h.Key, h.Value)
		}
	}
}
