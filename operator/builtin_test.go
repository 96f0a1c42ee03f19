package operator

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/weirstream/weir/internal/sample"
	"github.com/weirstream/weir/operator/builtin"
	"github.com/weirstream/weir/ssm"
	"github.com/weirstream/weir/statestore"
)

func loadBuiltin(tb testing.TB) *Model {
	tb.Helper()
	fsys, err := builtin.Open("telemetry-s")
	if err != nil {
		tb.Fatal(err)
	}
	m, err := LoadModel(fsys, "telemetry-s")
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// A track is what came of one stream of the sample: errors of one-step forecasts
// by method, and whether the 90% band held the value.
type track struct {
	name       string
	scale      float64
	errors     map[string][]float64
	covered    []bool
	normalizer normalizer
	foresight  foresight
	state      ssm.State
	mean       float64
}

// evaluate plays the sample to the model, all streams side by side.
func evaluate(tb testing.TB, m *Model, warm int) []*track {
	tb.Helper()
	streams, err := sample.Streams()
	if err != nil {
		tb.Fatal(err)
	}
	tracks := make([]*track, len(streams))
	states := make([]ssm.State, len(streams))
	for i, s := range streams {
		states[i] = m.ssm.NewState()
		tracks[i] = &track{name: s.Name, scale: spread(s.Values), errors: map[string][]float64{}, state: states[i]}
		tracks[i].normalizer.observe(s.Values[0], 0)
		tracks[i].mean = s.Values[0]
	}
	x, out := make([]float32, len(streams)*nFeatures), make([]float32, len(streams)*nOutputs)
	gap := make([]float32, len(streams))
	stepper := m.ssm.NewStepper(16)
	for t := 1; t < len(streams[0].Values); t++ {
		for i, tr := range tracks {
			ratio := tr.normalizer.gapRatio(60)
			tr.normalizer.features(x[i*nFeatures:][:nFeatures], ratio)
			gap[i] = float32(ratio)
		}
		stepper.Step(out, x, gap, states)
		for i, tr := range tracks {
			d, err := newDistribution(out[i*nOutputs:], tr.normalizer.axis())
			if err != nil {
				tb.Fatal(err)
			}
			tr.foresight.recall(&d, tr.normalizer.n)
			tr.see(&d, streams[i].Values[t], t, t >= warm)
		}
	}
	return tracks
}

// see scores the forecasts of x, the value at t, then learns it.
func (tr *track) see(d *distribution, x float64, t int, warm bool) {
	if warm {
		f := d.forecast()
		for method, yhat := range map[string]float64{"model": f.YHat, "last value": tr.normalizer.last, "running mean": tr.mean} {
			tr.errors[method] = append(tr.errors[method], math.Abs(x-yhat)/tr.scale)
		}
		tr.covered = append(tr.covered, f.Lower <= x && x <= f.Upper)
	}
	tr.foresight.learn(d, x, tr.normalizer.n)
	tr.normalizer.observe(x, 60)
	tr.mean += (x - tr.mean) / float64(t+1)
}

// spread is the distance between a stream's 5% and 95% quantiles, or its whole
// range where that is 0.
func spread(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	if d := s[len(s)*95/100] - s[len(s)*5/100]; d > 0 {
		return d
	}
	return s[len(s)-1] - s[0]
}

func medianOf(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	return s[len(s)/2]
}

func TestBuiltinBeatsTrivialForecasts(t *testing.T) {
	methods := []string{"model", "last value", "running mean"}
	pooled, pooledMoving, means := map[string][]float64{}, map[string][]float64{}, map[string]float64{}
	moving, better, inside, total := 0, 0, 0, 0
	for _, tr := range evaluate(t, loadBuiltin(t), 64) {
		still := medianOf(tr.errors["last value"]) == 0
		covered := 0
		for _, c := range tr.covered {
			if c {
				covered++
			}
		}
		inside, total = inside+covered, total+len(tr.covered)
		row := fmt.Sprintf("%-16s covered %.3f  median error", tr.name, float64(covered)/float64(len(tr.covered)))
		for _, method := range methods {
			e := medianOf(tr.errors[method])
			row += fmt.Sprintf("  %s %.5f", method, e)
			pooled[method] = append(pooled[method], tr.errors[method]...)
			if !still {
				pooledMoving[method] = append(pooledMoving[method], tr.errors[method]...)
				means[method] += e
			}
		}
		if !still {
			moving++
			if medianOf(tr.errors["model"]) < medianOf(tr.errors["last value"]) {
				better++
			}
		}
		t.Log(row)
	}
	coverage := float64(inside) / float64(total)
	t.Logf("%d streams whose last value is not mostly repeated; the model's median error is below the last value's in %d", moving, better)
	for _, method := range methods {
		t.Logf("%-12s  pooled median %.6f  pooled over moving streams %.6f  mean of moving streams' medians %.6f", method,
			medianOf(pooled[method]), medianOf(pooledMoving[method]), means[method]/float64(moving))
	}
	t.Logf("90%% band covers %.4f", coverage)
	for _, trivial := range methods[1:] {
		if medianOf(pooledMoving["model"]) >= medianOf(pooledMoving[trivial]) || means["model"] >= means[trivial] {
			t.Errorf("the model's median error is not below that of the %s", trivial)
		}
	}
	for _, e := range []map[string][]float64{pooled, pooledMoving} {
		if best := medianOf(e["last value"]); medianOf(e["model"]) > 0.85*best {
			t.Errorf("the model's median error is %v, want 15%% less than the last value's %v", medianOf(e["model"]), best)
		}
	}
	if coverage < 0.85 || coverage > 0.95 {
		t.Errorf("the 90%% band covers %v of the events", coverage)
	}
}

// A harmonic mean of probabilities is not uniform, only never far off. A twelfth of the
// sample's events are incidents, which are left out.
func TestPValuesOnTheSampleAreNearUniform(t *testing.T) {
	streams, err := sample.Streams()
	if err != nil {
		t.Fatal(err)
	}
	o, _ := open(t, loadBuiltin(t), statestore.NewMemory(), 1, testConfig)
	levels := []float64{0.3, 0.1, 0.01, 0.001}
	below, total := make([]float64, len(levels)), 0.0
	for at := range streams[0].Values {
		for i, s := range streams {
			p := apply(t, o, plain(s.Name, int64(at*len(streams)+i), float64(60*at), s.Values[at])).Predictions[0]
			if at < 1000 || slices.ContainsFunc(s.Incidents, func(in sample.Incident) bool {
				return s.Times[at] >= in.Start && s.Times[at] <= in.End
			}) {
				continue
			}
			total++
			for k, level := range levels {
				if p.PValue < level {
					below[k]++
				}
			}
		}
	}
	for k, level := range levels {
		ratio := below[k] / total / level
		t.Logf("P(p < %v) is %.2f times %v", level, ratio, level)
		if limit := 5.0; ratio > limit || level >= 0.01 && ratio < 1/limit {
			t.Errorf("P(p < %v) is %v times what it should be", level, ratio)
		}
	}
}
