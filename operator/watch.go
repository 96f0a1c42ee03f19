package operator

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/weirstream/weir/ssm/fmath"
)

const (
	// watchRate is the least rate at which a watch learns what is usual: a half-life of
	// 10,000 events, ten times the normalizer's, so that an incident of hours stays unusual.
	watchRate = math.Ln2 / 10000
	// outlier is the multiple of a root mean square above which a deviation is learnt only
	// with its logarithm.
	outlier = 6
	// offsetRate, seasonRate and activityRate are those of averages over about 10, 5 and 20
	// events: what lasts that long need not be great to be rare.
	offsetRate, seasonRate, activityRate = 0.1, 0.2, 0.05
	// capped bounds what one field can say in averages and products, in deviations.
	capped = 20
	// leastActivity is the activity below which a field counts as still, and leastCalm the
	// least size of a difference in its logarithm.
	leastActivity, leastCalm = 0.05, 0.1
	// watchSize is the length of an encoded watch in bytes.
	watchSize = 3*8 + len(watch{}.statistics)*8 + seasonSize
)

// A watch remembers of one field what makes its values unusual, in fixed size, from the
// events scored so far. (The normalizer's statistics, which the model sees, may be ahead of
// the event that is scored: many of a stream are stepped together.)
type watch struct {
	n          uint64 // values
	seasoned   uint64 // of them, those held against the season
	since      int64  // the first value's time, in Unix milliseconds
	statistics [11]float64
	season     season
}

// The statistics of a watch. Sizes are robust root mean squares.
const (
	wLast      = iota // the last value
	wLevel            // long-run mean
	wLevelSize        // of the distance from it
	wSeason           // size of the distance from the season
	wResidual         // size of the forecast's error
	wChange           // size of the change from value to value
	wOffset           // moving average of the signed distance from the normalizer's centre
	wDaily            // moving average of the distance from the season
	wActivity         // moving average of the changes' sizes
	wCalm             // long-run mean of the activity's logarithm
	wCalmSize         // size of the distance from it
)

// signs are what a field's value says, each in sizes of its own and not below 0.
type signs struct {
	unusual  float64 // distance from the long-run mean, at most capped
	level    float64 // distance from the normalizer's centre, which follows sooner
	forecast float64 // distance from the forecast
	daily    float64 // distance from what is usual at this hour
	dailyRun float64 // its average over the last few values
	offset   float64 // average signed distance from the centre over the last few values
	activity float64 // distance of the changes' average size from the usual one
	seasoned bool    // whether there is a season to hold daily against
}

// begin takes in the first value.
func (w *watch) begin(x float64, p *pending) {
	x = min(max(x, -limit), limit)
	*w = watch{n: 1, since: p.event.Time}
	w.statistics[wLast], w.statistics[wLevel] = x, x
	w.season.learn(p.event.Time, x, p.typicalGap)
}

// see takes in one more value, and returns the signs in it: against what was known before it.
// The axis is as of before it too.
func (w *watch) see(x float64, p *pending, a axis, forecast float64, direction Direction) (s signs) {
	x = min(max(x, -limit), limit)
	v := &w.statistics
	rate := max(1/float64(w.n+1), watchRate)
	in := func(deviation, size float64) float64 {
		return min(max(deviation/w.scale(size, a.unit), -math.MaxFloat64), math.MaxFloat64)
	}
	s.unusual = min(damped(directed(in(x-v[wLevel], v[wLevelSize]), direction)), capped)
	s.forecast = min(damped(directed(in(x-forecast, v[wResidual]), direction)), maxSurprise)
	v[wResidual] = meanSquare(v[wResidual], x-forecast, rate)
	w.seeSeason(&s, x, p, in, direction)
	away := (x - a.centre) / a.spread
	s.level = min(damped(directed(away, direction)), maxSurprise)
	v[wOffset] = towards(v[wOffset], min(max(away, -capped), capped), offsetRate)
	s.offset = directed(v[wOffset], direction)
	s.activity = w.seeChange(x-v[wLast], in, direction)
	w.learn(x, rate)
	w.season.learn(p.event.Time, x, p.typicalGap)
	return s
}

// scale is a size as a divisor: not below a part of the typical change, which a field that
// seldom changes is measured in, nor below what rounding makes; greater while it is young.
func (w *watch) scale(size, unit float64) float64 {
	size = max(size, 0.3*unit, resolution*math.Abs(w.statistics[wLevel]), minSize)
	return min(size*(1+8/float64(w.n)), limit)
}

// seeSeason holds a value against its hour of the day. In the first day there is none.
func (w *watch) seeSeason(s *signs, x float64, p *pending, in func(_, _ float64) float64, direction Direction) {
	level, known := w.season.expected(p.event.Time)
	s.seasoned = known && float64(p.event.Time)-float64(w.since) > dayMillis
	if !s.seasoned {
		return
	}
	v := &w.statistics
	// The distance is measured in those from the level, not in its own: where the season
	// explains little, a small surplus over the usual error means little.
	s.daily = min(damped(directed(in(x-level, v[wLevelSize]), direction)), maxSurprise)
	own := min(directed(in(x-level, v[wSeason]), direction), capped)
	v[wDaily] = towards(v[wDaily], own, seasonRate)
	s.dailyRun = v[wDaily]
	w.seasoned++
	v[wSeason] = meanSquare(v[wSeason], x-level, max(1/float64(w.seasoned), watchRate))
}

// seeChange returns how far the size of the latest changes is from what it usually is: too
// restless as well as too still.
func (w *watch) seeChange(change float64, in func(_, _ float64) float64, direction Direction) float64 {
	v := &w.statistics
	size := min(math.Abs(in(change, v[wChange])), 10)
	v[wActivity] = towards(v[wActivity], size, activityRate)
	log := fmath.Log(v[wActivity] + leastActivity)
	distance := log - v[wCalm]
	unusual := directed(distance, direction) / max(v[wCalmSize], leastCalm)
	rate := max(1/float64(w.n), watchRate)
	if w.n > 1 { // before, nothing is known to be distant from
		v[wCalmSize] = meanSquare(v[wCalmSize], distance, rate)
	}
	v[wCalm] = towards(v[wCalm], log, rate)
	v[wChange] = meanSquare(v[wChange], change, rate)
	return unusual
}

// learn moves the level and its size. A value far out moves them a little.
func (w *watch) learn(x, rate float64) {
	v := &w.statistics
	deviation := x - v[wLevel]
	size := tamed(deviation, v[wLevelSize])
	v[wLevelSize] = meanSquare(v[wLevelSize], deviation, rate)
	v[wLevel] = min(max(v[wLevel]+float64(rate*math.Copysign(size, deviation)), -limit), limit)
	v[wLast] = x
	w.n++
}

// meanSquare moves a root mean square by one deviation.
func meanSquare(size, deviation, rate float64) float64 {
	deviation = tamed(deviation, size)
	if size == 0 {
		return float64(deviation * math.Sqrt(rate))
	}
	// In terms of the ratio, since squares overflow.
	ratio := deviation / size
	return float64(size * math.Sqrt(1+float64(rate*(float64(ratio*ratio)-1))))
}

// tamed is the absolute deviation, beyond outlier sizes only its logarithm. A size of zero
// knows no outliers yet.
func tamed(deviation, size float64) float64 {
	deviation = math.Abs(deviation)
	bound := outlier * size
	if size == 0 || deviation <= bound {
		return deviation
	}
	return min(bound*(1+fmath.Log(min(deviation/bound, math.MaxFloat64))), deviation)
}

// appendBinary appends the watchSize bytes of w in order, little-endian.
func (w *watch) appendBinary(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, w.n)
	b = binary.LittleEndian.AppendUint64(b, w.seasoned)
	b = binary.LittleEndian.AppendUint64(b, uint64(w.since))
	for _, v := range w.statistics {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return w.season.appendBinary(b)
}

// decode reads what appendBinary wrote. Bytes that no watch writes are an error.
func (w *watch) decode(b []byte) error {
	if len(b) != watchSize {
		return fmt.Errorf("watch of %d bytes, want %d", len(b), watchSize)
	}
	d := watch{
		n:        binary.LittleEndian.Uint64(b),
		seasoned: binary.LittleEndian.Uint64(b[8:]),
		since:    int64(binary.LittleEndian.Uint64(b[16:])),
	}
	if d.n >= 1<<53 || d.seasoned > d.n {
		return fmt.Errorf("watch of %d values, %d with a season", d.n, d.seasoned)
	}
	for i := range d.statistics {
		v := math.Float64frombits(binary.LittleEndian.Uint64(b[24+8*i:]))
		signed := i == wLast || i == wLevel || i == wOffset || i == wCalm
		if !(math.Abs(v) <= 2*limit) || v < 0 && !signed {
			return fmt.Errorf("watch holds %v", v)
		}
		d.statistics[i] = v
	}
	if err := d.season.decode(b[24+8*len(d.statistics):]); err != nil {
		return err
	}
	*w = d
	return nil
}
