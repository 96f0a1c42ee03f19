package operator_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weirstream/weir/internal/eval"
	"github.com/weirstream/weir/internal/eval/synthetic"
	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/operator/builtin"
	"github.com/weirstream/weir/statestore"
)

const (
	// Events come every five minutes, a day of them is aDay; the budget is one false
	// alarm a week.
	everyFive = 5 * time.Minute
	aDay      = 288
	aWeek     = 7 * 24 * time.Hour
)

// live plays n values to the built-in model as one stream, with the default budget, and
// returns what is said of them. No number of it may be anything but finite.
func live(t *testing.T, n int, value func(i int) float64) []operator.Prediction {
	t.Helper()
	fsys, err := builtin.Open(builtin.Names[0])
	if err != nil {
		t.Fatal(err)
	}
	m, err := operator.LoadModel(fsys, builtin.Names[0])
	if err != nil {
		t.Fatal(err)
	}
	cfg := operator.Config{FalseAlarms: 1 / aWeek.Seconds(), MaxStreams: 10}
	o := operator.New(m, statestore.NewMemory(), statestore.Partition{Group: "g", Topic: "t"}, statestore.Token{}, cfg)
	if _, err := o.Claim(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	said := make([]operator.Prediction, n)
	for i := range said {
		ev := operator.Event{
			Stream: []byte("s"), Offset: int64(i), Time: synthetic.Start + int64(i)*everyFive.Milliseconds(),
			Fields: []operator.Field{{Value: value(i)}},
		}
		result, err := o.Apply(t.Context(), []operator.Event{ev})
		if err != nil || len(result.Predictions) != 1 {
			t.Fatalf("event %d: %d predictions, %v", i, len(result.Predictions), err)
		}
		said[i] = result.Predictions[0]
		f := said[i].Forecasts[0]
		for _, x := range []float64{said[i].PValue, said[i].AnomalyScore, f.Lower, f.YHat, f.Upper} {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				t.Fatalf("event %d, value %v: p %v, score %v, forecast %v", i, value(i), said[i].PValue, said[i].AnomalyScore, f)
			}
		}
		if p := said[i].PValue; !(p > 0 && p <= 1) || said[i].AnomalyScore < 0 || !(f.Lower <= f.YHat && f.YHat <= f.Upper) {
			t.Fatalf("event %d: p %v, score %v, forecast %v", i, p, said[i].AnomalyScore, f)
		}
	}
	return said
}

// alarms are the episodes among predictions, by their first and last event.
func alarms(said []operator.Prediction) []eval.Range {
	times, raised := make([]int64, len(said)), make([]bool, len(said))
	for i, p := range said {
		times[i], raised[i] = p.Time, p.IsAnomaly
	}
	return eval.Episodes(times, raised, aWeek)
}

// noise is an autoregression with variance 1 from a seed.
func noise(seed uint64, n int) []float64 {
	rng := rand.New(rand.NewPCG(seed, 1))
	x, last := make([]float64, n), 0.0
	for i := range x {
		last = 0.6*last + 0.8*rng.NormFloat64()
		x[i] = last
	}
	return x
}

// A shift of ten deviations raises an alarm at once. It closes within a day, and after
// four days the new level is as ordinary as the old one was.
func TestALastingLevelShiftRaisesOneAlarmAndBecomesNormal(t *testing.T) {
	const shift = 8 * aDay
	x := noise(1, 16*aDay)
	said := live(t, len(x), func(i int) float64 {
		if i >= shift {
			return 100 + x[i] + 10
		}
		return 100 + x[i]
	})
	all := alarms(said[shift:])
	if len(all) == 0 || all[0].First > 12 || len(all) > 2 || all[len(all)-1].Last > aDay {
		t.Errorf("alarms after the shift: %v", all)
	}
	rare := 0
	for _, p := range said[shift+4*aDay:] {
		if p.PValue < 0.01 {
			rare++
		}
	}
	if most := 4 * aDay / 25; rare > most {
		t.Errorf("%d of %d events at the new level are among the rarest hundredth", rare, 4*aDay)
	}
}

// Half an hour a night of a load never seen before raises an alarm. After a week of
// nights it raises none.
func TestANightlyBatchStopsRaisingAlarmsAfterAWeek(t *testing.T) {
	const first = 6 * aDay
	x := noise(2, 27*aDay)
	batch := func(i int) bool { return i >= first && i%aDay >= 24 && i%aDay < 30 }
	said := live(t, len(x), func(i int) float64 {
		if batch(i) {
			return 20 + x[i]
		}
		return x[i]
	})
	var nights []int
	for _, e := range alarms(said[first:]) {
		nights = append(nights, e.First/aDay)
	}
	late := 0
	for _, n := range nights {
		if n >= 7 {
			late++
		}
	}
	if len(nights) == 0 || nights[0] != 0 || late > 1 {
		t.Errorf("alarms in nights %v", nights)
	}
}

// storm is how many alarms are too many in four weeks where four are allowed.
const storm = 12

// Counters, sparse, bursty and quantised streams are among them.
func TestOrdinaryStreamsRaiseNoStormOfAlarms(t *testing.T) {
	for _, null := range synthetic.Nulls {
		next := null.Stream(11, everyFive)
		said := live(t, 28*aDay, func(int) float64 {
			_, x := next()
			return x
		})
		all := alarms(said)
		if len(all) > storm {
			t.Errorf("%s: %d alarms in four weeks: %v", null.Name, len(all), all)
		}
	}
}

func TestAConstantRaisesOneAlarmWhenItChanges(t *testing.T) {
	for _, level := range []float64{0, 7, -1e300, 1e-300} {
		said := live(t, 12*aDay, func(i int) float64 {
			switch {
			case i < 6*aDay:
				return level
			case i == 6*aDay:
				return level + 1 + math.Abs(level)/2
			}
			return level
		})
		all := alarms(said)
		if len(all) != 1 || all[0].First != 6*aDay || all[0].Last > 6*aDay+12 {
			t.Errorf("constant %v, another value at event %d: alarms %v", level, 6*aDay, all)
		}
	}
}

// A service without traffic goes live: that is an alarm, and then it is a stream as any.
func TestAllZeroThenTrafficIsOneAlarm(t *testing.T) {
	const start = 6 * aDay
	x := noise(3, 20*aDay)
	said := live(t, len(x), func(i int) float64 {
		if i < start {
			return 0
		}
		return 50 + 5*x[i]
	})
	all := alarms(said)
	if len(all) == 0 || all[0].First < start || all[0].First > start+12 || len(all) > 4 || all[0].Last > start+2*aDay {
		t.Errorf("traffic began at event %d: alarms %v", start, all)
	}
}
