package eval

import (
	"math"
	"slices"
)

const (
	// Buffer is the longest buffer of VUS, in events: half of it lies on each side of a
	// label. It is one for all series, the default of TSB-AD, rather than each series'
	// period as in the paper: scores of series do not depend on how a period is guessed.
	Buffer = 100
	// thresholds is how many quantiles of the scores the curves are drawn through.
	thresholds = 250
)

// VUS returns the volumes under the precision-recall and the ROC surface: the areas under
// the range-based curves averaged over all buffers from 0 to the given length. Both are
// NaN where all events or none are labelled.
func VUS(scores []float64, labels []Range, buffer int) (pr, roc float64) {
	v := newVolume(scores, labels)
	if v.positives == 0 || v.positives == len(scores) {
		return math.NaN(), math.NaN()
	}
	for length := range buffer + 1 {
		p, r := v.areas(length)
		pr += p
		roc += r
	}
	return pr / float64(buffer+1), roc / float64(buffer+1)
}

// A volume is what the areas of all buffers share.
type volume struct {
	labels    []Range
	inside    []bool
	positives int
	// rank is, of each event, the first threshold, from the highest, that it reaches.
	rank []int
	// alarms counts the events that reach a threshold, (thresholds).
	alarms []float64
}

func newVolume(scores []float64, labels []Range) *volume {
	s := Series{Times: make([]int64, len(scores)), Labels: labels}
	v := &volume{labels: labels, inside: s.labelled(), rank: make([]int, len(scores)), alarms: make([]float64, thresholds)}
	v.positives = count(v.inside)
	sorted := slices.Clone(scores)
	slices.SortFunc(sorted, func(a, b float64) int { return -cmpFloat(a, b) })
	var cuts [thresholds]float64
	step := float64(len(scores)-1) / (thresholds - 1)
	for k := range cuts {
		cuts[k] = sorted[min(int(float64(k)*step), len(sorted)-1)]
	}
	cuts[thresholds-1] = sorted[len(sorted)-1]
	for i, score := range scores {
		v.rank[i], _ = slices.BinarySearchFunc(cuts[:], score, func(cut, score float64) int {
			if cut <= score {
				return 0
			}
			return -1
		})
		v.alarms[v.rank[i]]++
	}
	for k := 1; k < thresholds; k++ {
		v.alarms[k] += v.alarms[k-1]
	}
	return v
}

func cmpFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// areas returns the areas under the two curves with labels extended by a buffer.
func (v *volume) areas(length int) (pr, roc float64) {
	fading, reached := v.extend(length)
	var hits, found [thresholds]float64
	for i, weight := range fading {
		hits[v.rank[i]] += weight
	}
	for _, rank := range reached {
		found[rank]++
	}
	certain, soft := v.certain(), 0.0
	hit, existing, tprBefore, fprBefore := 0.0, 0.0, 0.0, 0.0
	for k := range thresholds {
		soft += hits[k]
		existing += found[k]
		hit = certain[k] + soft
		// Half of the positives are the labels as they are, half the extended ones of
		// which this threshold sees some.
		positives := (float64(v.positives) + float64(v.positives) + soft) / 2
		tpr := min(hit/positives, 1) * existing / float64(len(reached))
		fpr := (v.alarms[k] - hit) / (float64(len(v.rank)) - positives)
		pr += (tpr - tprBefore) * hit / v.alarms[k]
		roc += (fpr - fprBefore) * (tpr + tprBefore) / 2
		tprBefore, fprBefore = tpr, fpr
	}
	return pr, roc + (1-fprBefore)*(1+tprBefore)/2
}

// certain counts the labelled events that reach each threshold.
func (v *volume) certain() (n [thresholds]float64) {
	for _, r := range v.labels {
		for i := r.First; i <= r.Last; i++ {
			n[v.rank[i]]++
		}
	}
	for k := 1; k < thresholds; k++ {
		n[k] += n[k-1]
	}
	return n
}

// extend returns the weights of the unlabelled events near labels, which fade out with
// the distance over half of the buffer, and the first threshold that each extended label
// reaches. Labels whose extensions touch are one.
func (v *volume) extend(length int) (fading []float64, reached []int) {
	fading = make([]float64, len(v.rank))
	half := length / 2
	add := func(i, distance int) {
		if i >= 0 && i < len(v.rank) && !v.inside[i] {
			fading[i] = min(fading[i]+math.Sqrt(1-float64(distance)/float64(length)), 1)
		}
	}
	end := -1
	for k, r := range v.labels {
		for d := 1; d <= half; d++ {
			add(r.First-d, d)
			add(r.Last+d, d)
		}
		if k == 0 || end < r.First-half {
			reached = append(reached, thresholds)
		}
		from := max(r.First-half, 0)
		if k > 0 && end >= r.First-half {
			from = end + 1
		}
		end = min(r.Last+half, len(v.rank)-1)
		for i := from; i <= end; i++ {
			reached[len(reached)-1] = min(reached[len(reached)-1], v.rank[i])
		}
	}
	return fading, reached
}
