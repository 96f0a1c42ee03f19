package operator

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/weirstream/weir/ssm/fmath"
)

// The signals of a stream: each says in its own way how unusual an event is, and each is
// calibrated by itself on what it has said before.
const (
	// signalDaily is the distance from what is usual at this hour of the day.
	signalDaily = iota
	// signalDailyRun is the same, averaged over the last few events.
	signalDailyRun
	// signalOffset is the average distance from the long-run centre, to one side.
	signalOffset
	// signalLevel is the distance from the long-run centre.
	signalLevel
	// signalForecast is the distance from the forecast.
	signalForecast
	// signalActivity is how far the size of changes is from what it usually is.
	signalActivity
	// signalExtent is how far the event lies both from the long run and from the forecast;
	// it rises fast and falls slowly, so that it covers an incident from end to end.
	signalExtent
	nSignals
)

// signalWeights are the signals' shares in the evidence. Those that overlap with others,
// or see what is seldom an incident, have less.
var signalWeights = [nSignals]float64{1, 1, 1, 0.3, 0.1, 0.3, 0.3}

// signalParts are the parts that the signals belong to, as far as they can be left out.
var signalParts = [nSignals]Part{
	signalDaily: PartSeason, signalDailyRun: PartSeason, signalOffset: PartOffset, signalLevel: PartLevel,
	signalForecast: PartForecasts, signalActivity: PartActivity,
}

const (
	// extentRise and extentFall are the rates at which the extent follows upwards and down.
	extentRise, extentFall = 0.3, 0.05
	// refractory is the length in events of the two blocks, the current and the one before,
	// whose rarest event another must outdo to be news. See gateBlock.
	refractory = 64
	// leastPValue is where evidence ends.
	leastPValue = 1e-300
	// judgeSize is the length of an encoded judge in bytes.
	judgeSize = 8 + 3*8 + peaksSize + nSignals*calibratorSize
)

// A judge holds what a stream's scores need of its past. Its size is fixed.
type judge struct {
	n           uint64     // events
	extent      float64    // moving average
	rarest      [2]float64 // least p-value of news in the current block and in the one before
	peaks       peaks      // of news
	calibrators [nSignals]calibrator
}

// A verdict is what a judge says of an event.
type verdict struct {
	pvalue float64 // of all signals together
	extent float64 // p-value of the extent alone
	news   bool    // nothing lately was nearly as rare
	reach  float64 // of news: its evidence over that which alarms need
}

// weigh judges an event by the signs of those of its fields that have a past, at least one.
// Alarms are asked for once in exp(alarms) events.
func (j *judge) weigh(fields []signs, alarms float64, without Part) verdict {
	values, has := j.signals(fields, without)
	j.n++
	v := verdict{extent: j.calibrators[signalExtent].pvalue(values[signalExtent])}
	// The harmonic mean of the probabilities: valid however the signals hang together, and
	// close to the least of them.
	sum, weight := 0.0, 0.0
	for i := range j.calibrators {
		if has[i] {
			c := &j.calibrators[i]
			weight += signalWeights[i]
			pvalue := c.pvalue(values[i])
			if without.has(PartCalibration) {
				pvalue = fmath.Exp(-values[i])
			}
			sum += signalWeights[i] / pvalue
			c.observe(values[i])
		}
	}
	v.pvalue = min(weight/sum, 1)
	j.gate(&v, alarms, without)
	return v
}

// gate says whether an event is news, and if so how near news of this stream is to an alarm.
func (j *judge) gate(v *verdict, alarms float64, without Part) {
	first, rarest := firstLevel(alarms), min(j.rarest[0], j.rarest[1])
	// Twice as rare: averages creep upwards while an incident lasts.
	v.news = v.pvalue < rarest/2 || without.has(PartGate)
	if block := gateBlock(first); j.n%block == 1%block {
		j.rarest = [2]float64{1, j.rarest[0]}
	}
	evidence, before := 0.0, 0.0
	if v.news {
		j.rarest[0] = min(j.rarest[0], v.pvalue)
		evidence, before = -fmath.Log(max(v.pvalue, leastPValue)), -fmath.Log(max(rarest, leastPValue))
		v.reach = evidence / j.peaks.needed(alarms, first)
	}
	if j.n > warmEvents {
		j.peaks.learn(j.n-warmEvents, evidence, before, first)
	}
}

// signals combines the signs of fields into those of the stream.
func (j *judge) signals(fields []signs, without Part) (values [nSignals]float64, has [nSignals]bool) {
	var daily, dailyRun, offset, level, forecast, activity, unusual, sudden loudest
	if without.has(PartLoudest) {
		for _, l := range []*loudest{&daily, &dailyRun, &offset, &level, &forecast, &activity, &unusual, &sudden} {
			l.all = true
		}
	}
	for i := range fields {
		f := &fields[i]
		if f.seasoned {
			daily.add(f.daily)
			dailyRun.add(f.dailyRun)
		}
		offset.add(f.offset)
		level.add(f.level)
		forecast.add(f.forecast)
		activity.add(f.activity)
		unusual.add(f.unusual)
		sudden.add(min(f.forecast, capped))
	}
	// A product, since either alone is ordinary: a level that is known and far from the
	// centre, a forecast that fails in the middle of the usual range.
	extent := float64(unusual.mean() * math.Sqrt(sudden.mean()))
	if without.has(PartForecasts) {
		extent = unusual.mean()
	}
	rate := extentFall
	if extent > j.extent {
		rate = extentRise
	}
	j.extent = towards(j.extent, extent, max(rate, 1/float64(j.n+1)))
	values = [nSignals]float64{daily.mean(), dailyRun.mean(), offset.mean(), level.mean(), forecast.mean(), activity.mean(), j.extent / 3}
	for i := range has {
		has[i] = (daily.n > 0 || i != signalDaily && i != signalDailyRun) && !without.has(signalParts[i])
	}
	return values, has
}

// appendBinary appends the judgeSize bytes of j in order, little-endian.
func (j *judge) appendBinary(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, j.n)
	for _, v := range [3]float64{j.extent, j.rarest[0], j.rarest[1]} {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	b = j.peaks.appendBinary(b)
	for i := range j.calibrators {
		b = j.calibrators[i].appendBinary(b)
	}
	return b
}

// decode reads what appendBinary wrote. Bytes that no judge writes are an error.
func (j *judge) decode(b []byte) error {
	if len(b) != judgeSize {
		return fmt.Errorf("judge of %d bytes, want %d", len(b), judgeSize)
	}
	j.n = binary.LittleEndian.Uint64(b)
	for i, v := range [3]*float64{&j.extent, &j.rarest[0], &j.rarest[1]} {
		*v = math.Float64frombits(binary.LittleEndian.Uint64(b[8+8*i:]))
	}
	if !(j.extent >= 0 && j.extent <= maxSurprise) || !(min(j.rarest[0], j.rarest[1]) >= 0 && max(j.rarest[0], j.rarest[1]) <= 1) {
		return fmt.Errorf("judge with an extent of %v, rarest %v", j.extent, j.rarest)
	}
	if err := j.peaks.decode(b[32:]); err != nil {
		return err
	}
	for i := range j.calibrators {
		if err := j.calibrators[i].decode(b[32+peaksSize+i*calibratorSize:][:calibratorSize]); err != nil {
			return fmt.Errorf("signal %d: %w", i, err)
		}
	}
	return nil
}
