package roofline

import (
	"math"
	"testing"

	"github.com/weirstream/weir/ssm"
)

// TestWorkOfAKnownModel counts by hand: d_model 64, d_inner 128, d_state 16, dt_rank 4,
// two layers, from one input to one output.
func TestWorkOfAKnownModel(t *testing.T) {
	w := Of(ssm.Dims{DModel: 64, DInner: 128, DState: 16, DConv: 4, DTRank: 4, NLayer: 2, NInput: 1, NOutput: 1})
	want := Work{GEMM: 118_784 + 256, Scan: 81_920, Activation: 22_528, State: 2 * 19_456}
	if w != want {
		t.Errorf("work is %+v, want %+v", w, want)
	}
	// 223,488 operations at 117.2 GFLOPS are 1,907 ns; the state at 57.1 GB/s takes 681 ns.
	p := Peaks{FMA: 117.2e9, Memory: 57.1e9}
	if hot, cold := w.Limit(p, true), w.Limit(p, false); math.Abs(hot-524.4e3) > 100 || cold != hot {
		t.Errorf("limits are %.0f and %.0f steps/s, want 524,400", hot, cold)
	}
	p.Memory = 5.71e9
	if cold := w.Limit(p, false); math.Abs(cold-146.8e3) > 100 {
		t.Errorf("limit with slow memory is %.0f steps/s, want 146,800", cold)
	}
}

func TestEverySampleKeepsTheBestPeaks(t *testing.T) {
	m := NewMeter()
	var last Peaks
	for range 3 {
		m.Measure()
		p := m.Peaks()
		if p.FMA < last.FMA || p.Exp < last.Exp || p.Memory < last.Memory || p.FMA == 0 || p.Exp == 0 || p.Memory == 0 {
			t.Fatalf("after %+v came %+v", last, p)
		}
		last = p
	}
}
