package eval

import "math"

// NABAt is the normalised score of the standard profile where all scores of at least
// threshold are alarms. It is NaN without windows.
func NABAt(all []Scored, threshold float64) float64 {
	raw, windows := nabTotal(all, threshold)
	return nabNormalised(raw, windows)
}

// nabTotal sums the raw scores of the standard profile and counts the windows.
func nabTotal(all []Scored, threshold float64) (raw float64, windows int) {
	for _, s := range all {
		raw += NABScore(s, threshold, Profiles[0])
		windows += len(countedWindows(s))
	}
	return raw, windows
}

func nabNormalised(raw float64, windows int) float64 {
	null := -float64(windows) * Profiles[0].FN
	if windows == 0 {
		return math.NaN()
	}
	return 100 * (raw - null) / (float64(windows)*Profiles[0].TP - null)
}

// NABHalves is the normalised score of the standard profile where the alarms of every
// second series are those of the threshold that is best for the others: what is left of
// a threshold chosen in hindsight. It is NaN where either half is without windows.
func NABHalves(all []Scored) float64 {
	var halves [2][]Scored
	for i, s := range all {
		halves[i%2] = append(halves[i%2], s)
	}
	raw, windows := 0.0, 0
	for i, half := range halves {
		other := SweepNAB(halves[1-i], Profiles[0])
		r, n := nabTotal(half, other.Threshold)
		if n == 0 {
			return math.NaN()
		}
		raw, windows = raw+r, windows+n
	}
	return nabNormalised(raw, windows)
}
