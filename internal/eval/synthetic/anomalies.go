package synthetic

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/weirstream/weir/internal/eval"
)

// An Anomaly is a way in which a stream goes wrong. Sizes are in standard deviations of
// the values around their mean over 25 events, before the onset.
type Anomaly struct {
	Kind string
	// Window is how many events from the onset on an alarm counts as having found it.
	Window int
	// Daily anomalies need a stream with a daily pattern.
	Daily bool
	// change changes one field's values from the onset on.
	change func(x []float64, at int, size, sign float64)
	// silence is how many events are missing before the onset.
	silence int
}

// Day is how many events of the streams with a daily pattern make a day.
const Day = 288

// Anomalies are all, the first of them none: what is found of it is found by chance.
var Anomalies = []Anomaly{
	{Kind: "nothing", Window: 100},
	{Kind: "value, 5 sd", Window: 10, change: spike(5)},
	{Kind: "value, 10 sd", Window: 10, change: spike(10)},
	{Kind: "value, 25 sd", Window: 10, change: spike(25)},
	{Kind: "level shift, 2 sd", Window: 100, change: shift(2)},
	{Kind: "level shift, 5 sd", Window: 100, change: shift(5)},
	{Kind: "level shift, 10 sd", Window: 100, change: shift(10)},
	{Kind: "variance, sd × 2", Window: 100, change: widen(2)},
	{Kind: "variance, sd × 4", Window: 100, change: widen(4)},
	{Kind: "stuck for 30 events", Window: 40, change: stick(30)},
	{Kind: "stuck for 100 events", Window: 110, change: stick(100)},
	{Kind: "10 beats missing", Window: 10, silence: 10},
	{Kind: "60 beats missing", Window: 10, silence: 60},
	{Kind: "daily pattern stays away", Window: Day, Daily: true, change: flatten},
}

func spike(sds float64) func([]float64, int, float64, float64) {
	return func(x []float64, at int, size, sign float64) { x[at] += sign * sds * size }
}

func shift(sds float64) func([]float64, int, float64, float64) {
	return func(x []float64, at int, size, sign float64) {
		for i := at; i < len(x); i++ {
			x[i] += sign * sds * size
		}
	}
}

func widen(factor float64) func([]float64, int, float64, float64) {
	return func(x []float64, at int, _, _ float64) {
		before := slices.Clone(x)
		for i := at; i < len(x); i++ {
			centre := around(before, i)
			x[i] = centre + factor*(x[i]-centre)
		}
	}
}

func stick(events int) func([]float64, int, float64, float64) {
	return func(x []float64, at int, _, _ float64) {
		for i := at; i < min(at+events, len(x)); i++ {
			x[i] = x[at-1]
		}
	}
}

// flatten leaves a day's noise, at the lowest level of the day before.
func flatten(x []float64, at int, _, _ float64) {
	before := slices.Clone(x)
	low := math.Inf(1)
	for i := at - Day; i < at; i++ {
		low = min(low, around(before, i))
	}
	for i := at; i < min(at+Day, len(x)); i++ {
		x[i] = low + before[i] - around(before, i)
	}
}

// around is the mean of the 25 values around i.
func around(x []float64, i int) float64 {
	sum, n := 0.0, 0
	for k := max(i-12, 0); k <= min(i+12, len(x)-1); k++ {
		if !math.IsNaN(x[k]) {
			sum, n = sum+x[k], n+1
		}
	}
	return sum / float64(max(n, 1))
}

// sized is how many events before the onset sizes are taken from.
const sized = 500

// Size is the standard deviation of a field's values around their mean over 25 events,
// in the 500 events before the given one; 0 for a field that does not move.
func Size(s *eval.Series, field, at int) float64 {
	x := column(s, field)
	sum, n := 0.0, 0
	for i := max(at-sized, 0); i < at; i++ {
		if d := x[i] - around(x[:at], i); !math.IsNaN(d) {
			sum, n = sum+d*d, n+1
		}
	}
	return math.Sqrt(sum / float64(max(n, 1)))
}

func column(s *eval.Series, field int) []float64 {
	x := make([]float64, len(s.Values))
	for i, row := range s.Values {
		x[i] = row[field]
	}
	return x
}

// Inject returns a copy of a series with an anomaly in the given fields from event at on,
// which ends with the anomaly's window, its only label. The series must be longer than
// that, and at > Day.
func (a Anomaly) Inject(s *eval.Series, fields []int, at int, seed uint64) *eval.Series {
	end := at + a.Window
	if at <= Day || end > len(s.Times) {
		panic(fmt.Sprintf("a window from event %d to %d of %d", at, end, len(s.Times)))
	}
	out := &eval.Series{
		Name: s.Name + ", " + a.Kind, Times: slices.Clone(s.Times[:end]), Fields: s.Fields,
		Values: make([][]float64, end), Labels: []eval.Range{{First: at, Last: end - 1}},
	}
	for i := range out.Values {
		out.Values[i] = slices.Clone(s.Values[i])
	}
	rng := rand.New(rand.NewPCG(seed, hash(a.Kind)))
	for _, f := range fields {
		size, sign := Size(s, f, at), float64(2*rng.IntN(2)-1)
		if a.change == nil {
			continue
		}
		x := column(s, f)
		a.change(x, at, size, sign)
		for i := at; i < end; i++ {
			out.Values[i][f] = x[i]
		}
	}
	gap := s.Times[at] - s.Times[at-1]
	for i := at; i < end; i++ {
		out.Times[i] += int64(a.silence) * gap
	}
	return out
}
