package eval

import (
	"cmp"
	"math"
	"slices"
)

// AveragePrecision is the area under the precision-recall curve of single events: the
// mean of the precision at each labelled event, events of one score taken together. NaN
// where all events or none are labelled.
func AveragePrecision(scores []float64, labelled []bool) float64 {
	area, before := 0.0, 0.0
	positives := count(labelled)
	if positives == 0 || positives == len(labelled) {
		return math.NaN()
	}
	eachThreshold(scores, labelled, func(hits, alarms int) {
		recall := float64(hits) / float64(positives)
		area += (recall - before) * float64(hits) / float64(alarms)
		before = recall
	})
	return area
}

// BestF1 is the greatest F1 of single events over all thresholds, without point
// adjustment. It knows the labels: a bound, not what a user would get. NaN where all
// events or none are labelled.
func BestF1(scores []float64, labelled []bool) float64 {
	best := 0.0
	positives := count(labelled)
	if positives == 0 || positives == len(labelled) {
		return math.NaN()
	}
	eachThreshold(scores, labelled, func(hits, alarms int) {
		best = max(best, 2*float64(hits)/float64(positives+alarms))
	})
	return best
}

// eachThreshold calls f with the number of labelled events and of all events at or above
// each distinct score, from the highest score down.
func eachThreshold(scores []float64, labelled []bool, f func(hits, alarms int)) {
	order := descending(scores)
	hits := 0
	for n, i := range order {
		if labelled[i] {
			hits++
		}
		if n+1 == len(order) || scores[order[n+1]] != scores[i] {
			f(hits, n+1)
		}
	}
}

// descending returns the indices of scores, the highest score first.
func descending(scores []float64) []int {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	return order
}

func count(set []bool) int {
	n := 0
	for _, in := range set {
		if in {
			n++
		}
	}
	return n
}
