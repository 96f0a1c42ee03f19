package operator

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirstream/weir/ssm"
	"github.com/weirstream/weir/ssm/fmath"
	"github.com/weirstream/weir/statestore"
)

// wantSane fails unless a prediction keeps what its type promises.
func wantSane(t rapid.TB, p *Prediction) {
	t.Helper()
	for i, f := range p.Forecasts {
		if !(f.Lower <= f.YHat && f.YHat <= f.Upper) || math.IsInf(f.Lower, 0) || math.IsInf(f.Upper, 0) {
			t.Fatalf("event %d, field %d: forecast %v", p.Offset, i, f)
		}
	}
	if !(p.PValue > 0 && p.PValue <= 1) || !(p.AnomalyScore >= 0 && p.AnomalyScore <= math.MaxFloat64) {
		t.Fatalf("event %d: p-value %v, score %v", p.Offset, p.PValue, p.AnomalyScore)
	}
	if p.IsAnomaly != (p.AnomalyScore > 1) {
		t.Fatalf("event %d: score %v, anomaly %v", p.Offset, p.AnomalyScore, p.IsAnomaly)
	}
	if math.Signbit(p.PValue) || math.Signbit(p.AnomalyScore) {
		t.Fatalf("event %d: a negative zero among p-value %v and score %v", p.Offset, p.PValue, p.AnomalyScore)
	}
	if (p.Phase == Warming || p.Phase == Late) && p.IsAnomaly {
		t.Fatalf("event %d: an alarm while %s", p.Offset, p.Phase)
	}
}

func TestAnomalyScoreAboveOneExactlyWhenAnomaly(t *testing.T) {
	m := tinyModel(t, 1)
	for _, direction := range []Direction{Both, Above, Below} {
		for _, alarmsPerSecond := range []float64{0, 1e-9, 1.0 / (7 * 86400), 1.0 / 3600, 1.0 / 60, 1000} {
			cfg := Config{FalseAlarms: alarmsPerSecond, Direction: direction, MaxStreams: 10}
			o, _ := open(t, m, statestore.NewMemory(), 1, cfg)
			alarms, quiet := 0, 0
			var past []float64 // p-values of alarms, else 1
			for _, ev := range minutely("s", 0, 1500) {
				gap := float64(defaultGap)
				if s := o.cache.live["s"]; s != nil {
					gap = s.typicalGap()
				}
				p := apply(t, o, ev).Predictions[0]
				wantSane(t, &p)
				if p.IsAnomaly {
					alarms++
				} else {
					quiet++
				}
				block := int(gateBlock(firstLevel(-fmath.Log(min(max(gap*alarmsPerSecond, 1e-15), 0.5)))))
				if lately := past[max(len(past)-block, 0):]; p.IsAnomaly && p.PValue >= slices.Min(lately) {
					t.Fatalf("event %d: an alarm of p-value %v after %v", p.Offset, p.PValue, lately)
				}
				if !p.IsAnomaly {
					p.PValue = 1
				}
				past = append(past, p.PValue)
			}
			if often := alarmsPerSecond >= 1.0/3600; often != (alarms > 0) && direction == Both || quiet == 0 {
				t.Errorf("budget %v a second, direction %d: %d alarms in %d events", alarmsPerSecond, direction, alarms, alarms+quiet)
			}
		}
	}
}

func TestExtremeValuesStayFinite(t *testing.T) {
	m := tinyModel(t, 1)
	series := map[string]func(i int64) float64{
		"constant":           func(int64) float64 { return 5 },
		"zero":               func(int64) float64 { return 0 },
		"negative zero":      func(i int64) float64 { return math.Copysign(0, float64(i%2)-1) },
		"greatest":           func(int64) float64 { return math.MaxFloat64 },
		"±1e308":             func(i int64) float64 { return 1e308 * float64(1-2*(i%2)) },
		"denormals":          func(i int64) float64 { return math.SmallestNonzeroFloat64 * float64(i%5) },
		"one step to 1e308":  func(i int64) float64 { return math.Pow(1e308, float64(i/300)) },
		"powers of ten":      func(i int64) float64 { return math.Pow(10, float64(i%617-308)) },
		"constant, one jump": func(i int64) float64 { return 1 + 1e300*float64(i/299%2) },
		"least difference":   func(i int64) float64 { return math.Nextafter(1e15, float64(i%2)*1e16) },
		"1 and denormal":     func(i int64) float64 { return math.Pow(5e-324, float64(i%2)) },
	}
	gaps := map[string]func(i int64) int64{
		"one a minute":    func(i int64) int64 { return start + 60_000*i },
		"all at once":     func(int64) int64 { return start },
		"years apart":     func(i int64) int64 { return -62_135_596_800_000 + 500_000_000_000*i },
		"first and last":  func(i int64) int64 { return math.MinInt64/2 + math.MaxInt64*(i%2) },
		"backwards":       func(i int64) int64 { return start - 60_000*i },
		"within the year": func(i int64) int64 { return start + i*i*i*1009%31_536_000_000 },
	}
	for valuesName, value := range series {
		for gapsName, at := range gaps {
			t.Run(valuesName+", "+gapsName, func(t *testing.T) {
				o, _ := open(t, m, statestore.NewMemory(), 1, testConfig)
				for i := range int64(600) {
					v := value(i)
					ev := Event{Stream: []byte("s"), Offset: i, Time: at(i), Fields: []Field{{Name: []byte("x"), Value: v}, {Name: []byte("y"), Value: -v}}}
					wantSane(t, &apply(t, o, ev).Predictions[0])
				}
				if err := new(stream).decode(o.record("s"), m); err != nil {
					t.Errorf("its own record cannot be read again: %v", err)
				}
			})
		}
	}
}

func TestAnyFiniteValuesStayFinite(t *testing.T) {
	m := tinyModel(t, 1)
	values := rapid.OneOf(rapid.Float64(), rapid.Float64Range(-1, 1), rapid.SampledFrom([]float64{0, 1, 1e-320, math.MaxFloat64, -math.MaxFloat64}))
	times := rapid.OneOf(rapid.Int64Range(start, start+1e7), rapid.Int64Range(-62_135_596_800_000, 253_402_300_799_999))
	rapid.Check(t, func(rt *rapid.T) {
		o, _ := open(t, m, statestore.NewMemory(), 1, testConfig)
		for i, v := range rapid.SliceOfN(values, 1, 200).Draw(rt, "values") {
			at := times.Draw(rt, "time")
			r, err := o.Apply(t.Context(), []Event{{Stream: []byte("s"), Offset: int64(i), Time: at, Fields: []Field{{Value: v}}}})
			if err != nil {
				rt.Fatal(err)
			}
			wantSane(rt, &r.Predictions[0])
		}
		if err := new(stream).decode(o.record("s"), m); err != nil {
			rt.Fatalf("its own record cannot be read again: %v", err)
		}
	})
}

// scaledModel is the tiny model with one of its parameters times factor.
func scaledModel(t *testing.T, name string, factor float32) *Model {
	t.Helper()
	m := tinyModel(t, 1)
	tensors := m.ssm.Tensors()
	for i := range tensors {
		if tensors[i].Name != name {
			continue
		}
		tensors[i].Data = slices.Clone(tensors[i].Data)
		for j := range tensors[i].Data {
			tensors[i].Data[j] *= factor
		}
	}
	var err error
	if m.ssm, err = ssm.New(m.ssm.Dims(), tensors, m.ssm.Extra()); err != nil {
		t.Fatal(err)
	}
	return m
}

// A broken model may overflow on any event; its stream must go on, and what it leaves
// must be readable.
func TestModelThatOverflowsBreaksNoRecord(t *testing.T) {
	const mixer = "backbone.layers.0.mixer."
	for _, name := range []string{
		"weir.input.weight", mixer + "in_proj.weight", mixer + "conv1d.weight", mixer + "x_proj.weight",
		mixer + "dt_proj.weight", mixer + "D", mixer + "out_proj.weight", "backbone.norm_f.weight", "weir.head.weight",
	} {
		for _, factor := range []float32{1e12, 1e25, 1e37} {
			t.Run(fmt.Sprintf("%s times %g", name, factor), func(t *testing.T) {
				o, _ := open(t, scaledModel(t, name, factor), statestore.NewMemory(), 1, testConfig)
				for i := range int64(100) {
					at := 60 * float64(i)
					if i%10 == 9 {
						at -= 600
					}
					for _, p := range apply(t, o, plain("s", i, at, wave(i))).Predictions {
						wantSane(t, &p)
					}
					if err := new(stream).decode(o.record("s"), o.model); err != nil {
						t.Fatalf("event %d: its own record cannot be read again: %v", i, err)
					}
				}
			})
		}
	}
}
