package pipeline

import (
	"testing"
	"time"

	"github.com/weirstream/weir/statestore"
)

func TestReplayDepthIsBoundedHoweverRareCheckpointsAre(t *testing.T) {
	w := newWorker(t, newOperator(tinyModel(t), statestore.NewMemory()), &sliceSource{}, &sliceSink{}, &sliceSink{})
	w.CheckpointEvery, w.savedAt = 24*time.Hour, time.Now()
	w.base, w.position = 5, 5+maxReplay-1
	if w.due() {
		t.Error("a checkpoint is due before there is much to replay")
	}
	w.position++
	if !w.due() {
		t.Error("no checkpoint is due")
	}
}
