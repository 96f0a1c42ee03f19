package detector

import (
	"math"
	"slices"
)

const (
	// judged is how many of the latest surprises a new one is compared with.
	judged = 5000
	// tailShare and tailEvents say where ranks end and the fitted tail begins: at the
	// surprise with this share, and at least this many, above it.
	tailShare, tailEvents = 0.02, 32
	// maxShape bounds the generalised Pareto distribution's shape, whose variance the
	// fit uses.
	maxShape = 0.45
	// warmEvents is how many events raise no alarm.
	warmEvents = 100
)

// A Judge turns the surprises of a stream into p-values under the stream's own past: the
// rank among the latest, and a generalised Pareto tail beyond.
type Judge struct {
	falseAlarms float64 // a second
	ring        []float64
	next        int
	sorted      []float64
	logGap      running // of the times between events, in seconds
	last        int64
	n           int
}

// NewJudge returns a judge with a budget of false alarms a second.
func NewJudge(falseAlarms float64) *Judge { return &Judge{falseAlarms: falseAlarms} }

// Score returns what the operator calls the anomaly score: the logarithm of the surprise's
// p-value over that of the p-value which events as frequent as these reach as often as the
// budget allows. Above 1 it is an alarm. t is the event's time in Unix milliseconds.
func (j *Judge) Score(t int64, surprise float64) float64 {
	threshold := min(max(math.Exp(j.logGap.mean)*j.falseAlarms, 1e-15), 0.5)
	score := max(math.Log(j.pvalue(surprise))/math.Log(threshold), 0)
	if j.n < warmEvents {
		score = min(score, 1)
	}
	if j.n > 0 {
		j.logGap.add(math.Log(max(float64(t-j.last)/1000, 1e-3)), math.Ln2/100)
	}
	j.last = t
	j.n++
	j.learn(surprise)
	return score
}

// pvalue is the probability of a surprise at least this great. It is above 0.
func (j *Judge) pvalue(surprise float64) float64 {
	n := len(j.sorted)
	at, _ := slices.BinarySearch(j.sorted, surprise)
	tail := max(tailEvents, int(tailShare*float64(n)))
	if n < 2*tailEvents || n-at > tail {
		return float64(n-at+1) / float64(n+1)
	}
	edge := j.sorted[n-tail]
	share := float64(tail+1) / float64(n+1)
	return max(share*paretoSurvival(surprise-edge, j.sorted[n-tail:], edge), 1e-300)
}

// paretoSurvival is the probability of an excess of at least y under the generalised
// Pareto distribution with the moments of the tail's excesses over the edge.
func paretoSurvival(y float64, tail []float64, edge float64) float64 {
	first, second := 0.0, 0.0
	for _, s := range tail {
		first += (s - edge) / float64(len(tail))
		second += (s - edge) * (s - edge) / float64(len(tail))
	}
	if y <= 0 {
		return 1
	}
	variance := second - first*first
	if first == 0 || variance <= 0 {
		// The past's greatest surprises were all the same.
		return 1 / float64(len(tail)+1)
	}
	shape := min(max((1-first*first/variance)/2, 0), maxShape)
	scale := first * (1 - shape)
	if shape < 1e-6 {
		return math.Exp(-y / scale)
	}
	return math.Pow(1+shape*y/scale, -1/shape)
}

// learn replaces the oldest surprise by the latest.
func (j *Judge) learn(surprise float64) {
	if len(j.ring) < judged {
		j.ring = append(j.ring, surprise)
		at, _ := slices.BinarySearch(j.sorted, surprise)
		j.sorted = slices.Insert(j.sorted, at, surprise)
		return
	}
	old := j.ring[j.next]
	j.ring[j.next] = surprise
	j.next = (j.next + 1) % judged
	from, _ := slices.BinarySearch(j.sorted, old)
	to, _ := slices.BinarySearch(j.sorted, surprise)
	if to > from {
		to--
		copy(j.sorted[from:to], j.sorted[from+1:to+1])
	} else {
		copy(j.sorted[to+1:from+1], j.sorted[to:from])
	}
	j.sorted[to] = surprise
}
