package operator

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/weirstream/weir/ssm/fmath"
)

// The evidence of an event is -log of its p-value. Were p-values and events independent,
// evidence above L would come once in exp(L) events. It does not: the signals hang
// together, their probabilities are bounded, and of a peak only the first event is an alarm.
const (
	nPeakLevels = 5
	// peakFirst and peakStep are the levels that peaks are learnt at: once in 120 events,
	// and each next e^1.5 times as seldom.
	peakFirst, peakStep = 4.8, 1.5
	// priorShift and priorSlope say what evidence a level has in a stream without a past:
	// what fits over many kinds of streams in which nothing happens.
	priorShift, priorSlope = 0.5, 0.95
	// priorPeaks is how many peaks the prior is worth, and keptPeaks how many the past is at most.
	priorPeaks, keptPeaks = 5.0, 40.0
	// blocksOf is how many blocks of the gate come in the time of one peak of the first level.
	blocksOf = 4.7
	// leastPart and mostPart bound the evidence of a level, in parts of the level.
	leastPart, mostPart = 0.25, 2.0
	// leastStep keeps the evidence of levels apart.
	leastStep = 0.1
	peaksSize = 8 * nPeakLevels
)

// peaks learn how great the evidence of a stream's peaks is: per level, the evidence that
// they exceed once in exp(level) events, as its distance from the prior's. Each is tracked
// by stochastic approximation (Robbins and Monro 1951; as a threshold with a rate to keep:
// Gibbs and Candès 2021): an excess raises it, all other events lower it a little. Of a
// level that has seen little, the next lower one tells. The zero value is the prior.
type peaks [nPeakLevels]float64

// firstLevel is the lowest level learnt where alarms are asked for at the given level: not
// a greater one, so that alarms that are wanted often are learnt as often.
func firstLevel(alarms float64) float64 { return min(peakFirst, alarms) }

// evidence returns what each level from the first has.
func (k *peaks) evidence(first float64) (e [nPeakLevels]float64) {
	least := 0.0
	for i := range e {
		level := first + float64(peakStep*float64(i))
		e[i] = float64(priorSlope*level) - priorShift + k[i]
		e[i] = max(min(max(e[i], float64(leastPart*level)), float64(mostPart*level)), least)
		least = e[i] + leastStep
	}
	return e
}

// needed is the evidence that a stream's news exceed once in exp(level) events, for a level
// from the first on.
func (k *peaks) needed(level, first float64) float64 {
	at := k.evidence(first)
	steps := (level - first) / peakStep
	if steps >= nPeakLevels-1 {
		return at[nPeakLevels-1] + float64(priorSlope*peakStep*(steps-(nPeakLevels-1)))
	}
	i := int(steps)
	return towards(at[i], at[i+1], steps-float64(i))
}

// learn takes in event number n, the first is 1: news of this evidence after others of at
// most the evidence before, or 0 and 0 if it was no news.
func (k *peaks) learn(n uint64, evidence, before, first float64) {
	at := k.evidence(first)
	rate := fmath.Exp(-first)
	change := 0.0
	for i := range k {
		level := first + float64(peakStep*float64(i))
		excess := -rate
		if evidence > at[i] && before <= at[i] {
			excess = 1 - rate
		}
		expected := min(float64(rate*float64(n)), keptPeaks)
		own := excess / (expected + priorPeaks)
		if i == 0 {
			change = own
		} else {
			trust := priorPeaks / (expected + priorPeaks)
			change = float64(trust*change) + float64((1-trust)*own)
		}
		prior := float64(priorSlope*level) - priorShift
		k[i] = min(max(at[i]+change, float64(leastPart*level)), float64(mostPart*level)) - prior
		rate *= rarer
	}
}

// rarer is how much rarer each level is than the one before.
var rarer = fmath.Exp(-peakStep)

// gateBlock is the length in events of the gate's blocks: refractory, and less where
// alarms are wanted so often that it would swallow them.
func gateBlock(first float64) uint64 {
	return uint64(max(min(fmath.Exp(first)/blocksOf, refractory), 1))
}

// appendBinary appends the peaksSize bytes of k, little-endian.
func (k *peaks) appendBinary(b []byte) []byte {
	for _, v := range k {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

// maxPeak bounds what is learnt of a level: no level is as great.
const maxPeak = 100

// decode reads what appendBinary wrote. Bytes that no peaks write are an error.
func (k *peaks) decode(b []byte) error {
	for i := range k {
		v := math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
		if !(math.Abs(v) <= maxPeak) {
			return fmt.Errorf("peaks of level %d are %v off", i, v)
		}
		k[i] = v
	}
	return nil
}
