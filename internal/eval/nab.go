package eval

import (
	"cmp"
	"math"
	"slices"
)

// A Profile weighs the kinds of NAB's outcomes.
type Profile struct {
	Name       string
	TP, FP, FN float64
}

// Profiles are NAB's three: standard, and those that punish false positives or false
// negatives twice as hard.
var Profiles = [3]Profile{
	{Name: "standard", TP: 1, FP: 0.11, FN: 1},
	{Name: "low FP", TP: 1, FP: 0.22, FN: 1},
	{Name: "low FN", TP: 1, FP: 0.11, FN: 2},
}

const (
	// probationShare of a file's events, at most of probationEvents, are not scored.
	probationShare, probationEvents = 0.15, 5000
	// farBehind is the distance behind a window, in window widths, from which on a
	// false positive costs its full weight.
	farBehind = 3
)

// probation is how many events at the start of n are not scored.
func probation(n int) int {
	return int(math.Floor(probationShare * min(float64(n), probationEvents)))
}

// position is NAB's scaled sigmoid: the worth of an alarm by its relative position, -1 at
// a window's left edge (0.987), 0 at its right edge (0), above 0 behind it.
func position(y float64) float64 {
	if y >= farBehind {
		return -1
	}
	return 2/(1+math.Exp(5*y)) - 1
}

// A Scored is what NAB's scorer needs of one series.
type Scored struct {
	Labels []Range
	Scores []float64
}

// NABScore is the raw score of one series where all scores of at least threshold are
// alarms.
func NABScore(s Scored, threshold float64, p Profile) float64 {
	total := 0.0
	best := make(map[int]float64)
	for _, pt := range points(s) {
		if pt.score < threshold {
			continue
		}
		if pt.window < 0 {
			total += pt.worth * p.FP
			continue
		}
		best[pt.window] = max(best[pt.window], pt.worth)
	}
	for w := range countedWindows(s) {
		if worth, found := best[w]; found {
			total += worth * p.TP
		} else {
			total -= p.FN
		}
	}
	return total
}

// A point is one event that counts: what an alarm there is worth, before weights, and
// its window, -1 for none.
type point struct {
	score, worth float64
	window       int
}

// points are the events after the probation.
func points(s Scored) []point {
	start := probation(len(s.Scores))
	all := make([]point, 0, len(s.Scores)-start)
	next := 0 // the first window that has not ended before the event
	for i, score := range s.Scores {
		for next < len(s.Labels) && s.Labels[next].Last < i {
			next++
		}
		if i < start {
			continue
		}
		pt := point{score: score, window: -1, worth: -1}
		switch {
		case next < len(s.Labels) && i >= s.Labels[next].First:
			w := s.Labels[next]
			width := float64(w.Last - w.First + 1)
			pt.window = next
			pt.worth = position(-float64(w.Last-i+1)/width) / position(-1)
		case next > 0:
			w := s.Labels[next-1]
			// A window of one event has no width: all behind it is far.
			pt.worth = position(float64(i-w.Last) / float64(w.Last-w.First))
		}
		all = append(all, pt)
	}
	return all
}

// countedWindows are the windows that reach beyond the probation.
func countedWindows(s Scored) map[int]bool {
	counted := make(map[int]bool)
	for w, r := range s.Labels {
		if r.Last >= probation(len(s.Scores)) {
			counted[w] = true
		}
	}
	return counted
}

// A Sweep is NAB's score over several series at the best of all thresholds.
type Sweep struct {
	// Score is normalised: 0 for a detector that never speaks, 100 for the perfect one.
	Score     float64
	Threshold float64
	// Found and Windows count the windows with an alarm, and all.
	Found, Windows int
	// FalsePositives counts events that raise an alarm outside of windows.
	FalsePositives int
}

// SweepNAB goes through all thresholds, from the highest score down, and returns the best.
// The score is NaN without windows: there is nothing to normalise by.
func SweepNAB(all []Scored, p Profile) Sweep {
	type place struct{ series, window int }
	type placed struct {
		point
		series int
	}
	var pts []placed
	windows := 0
	for k, s := range all {
		windows += len(countedWindows(s))
		for _, pt := range points(s) {
			pts = append(pts, placed{pt, k})
		}
	}
	slices.SortStableFunc(pts, func(a, b placed) int { return cmp.Compare(b.score, a.score) })
	null := -float64(windows) * p.FN
	best := Sweep{Threshold: math.Inf(1), Windows: windows}
	raw, bestRaw, falsePositives := null, null, 0
	found := make(map[place]float64)
	for i, pt := range pts {
		at := place{pt.series, pt.window}
		if worth, seen := found[at]; pt.window < 0 {
			raw += pt.worth * p.FP
			falsePositives++
		} else if !seen {
			raw += p.FN + pt.worth*p.TP
			found[at] = pt.worth
		} else if pt.worth > worth {
			raw += (pt.worth - worth) * p.TP
			found[at] = pt.worth
		}
		last := i+1 == len(pts) || pts[i+1].score != pt.score
		if last && raw > bestRaw {
			bestRaw = raw
			best.Threshold, best.Found, best.FalsePositives = pt.score, len(found), falsePositives
		}
	}
	best.Score = 100 * (bestRaw - null) / (float64(windows)*p.TP - null)
	return best
}
