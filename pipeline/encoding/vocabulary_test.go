package encoding_test

import (
	"testing"

	"github.com/weirstream/weir/pipeline"
	"github.com/weirstream/weir/pipeline/encoding"
)

func TestReasonsAndLimitsAreThePipelines(t *testing.T) {
	for mine, theirs := range map[any]any{
		encoding.ReasonTombstone:    pipeline.ReasonTombstone,
		encoding.ReasonEmptyValue:   pipeline.ReasonEmptyValue,
		encoding.ReasonNotJSON:      pipeline.ReasonNotJSON,
		encoding.ReasonNoStream:     pipeline.ReasonNoStream,
		encoding.ReasonBadStream:    pipeline.ReasonBadStream,
		encoding.ReasonNoValue:      pipeline.ReasonNoValue,
		encoding.ReasonBadValue:     pipeline.ReasonBadValue,
		encoding.ReasonBadTime:      pipeline.ReasonBadTime,
		encoding.ReasonDuplicateKey: pipeline.ReasonDuplicateKey,
		encoding.ReasonTooLarge:     pipeline.ReasonTooLarge,
	} {
		if mine != theirs {
			t.Errorf("%v here is %v in the pipeline", mine, theirs)
		}
	}
	if encoding.MaxStreamBytes != pipeline.MaxStreamBytes || encoding.MaxFields != pipeline.MaxFields ||
		encoding.MaxFieldNameBytes != pipeline.MaxFieldNameBytes {
		t.Error("the limits of a point are not the pipeline's")
	}
}
