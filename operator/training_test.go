package operator

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestFeatureRowsAreWhatTheOperatorFeedsTheModel(t *testing.T) {
	times := []int64{0, 60_000, 120_000, 420_000}
	values := []float64{1, 3, 2, 10}
	rows := FeatureRows(nil, times, values)
	if len(rows) != 3*RowSize {
		t.Fatalf("%d numbers, want %d", len(rows), 3*RowSize)
	}
	var n normalizer
	n.observe(1, 0)
	n.observe(3, 60)
	n.observe(2, 60)
	want := make([]float32, RowSize)
	ratio := n.gapRatio(300)
	n.features(want, ratio)
	want[nFeatures] = float32(n.axis().coordinate(10))
	for k := 1; k < nHorizons; k++ {
		want[nFeatures+k] = float32(math.NaN()) // the stream ends before
	}
	want[RowSize-1] = float32(ratio)
	if diff := cmp.Diff(want, rows[2*RowSize:], cmpopts.EquateNaNs()); diff != "" {
		t.Error(diff)
	}
	if math.Abs(ratio-5) > 1e-9 {
		t.Errorf("a gap of five minutes after gaps of one is %v typical gaps", ratio)
	}
}
