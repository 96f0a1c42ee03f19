package operator

// nCombined is how many of an event's fields its surprise is taken from: an
// incident shows in a few fields, and a mean over all would drown it.
const nCombined = 5

// combine is the surprise of an event with many fields: the mean of the
// nCombined largest surprises of its fields. Of no fields it is 0.
func combine(surprises []float64) float64 {
	var largest [nCombined]float64 // descending
	for _, s := range surprises {
		for i := range largest {
			if s > largest[i] {
				s, largest[i] = largest[i], s
			}
		}
	}
	sum := 0.0
	for _, s := range largest {
		sum += s
	}
	return sum / float64(max(min(len(surprises), nCombined), 1))
}

// attribute appends each field's share of the event's surprise to dst. The
// shares sum to 1; without any surprise they are equal.
func attribute(dst, surprises []float64) []float64 {
	sum := 0.0
	for _, s := range surprises {
		sum += s
	}
	for _, s := range surprises {
		if sum > 0 {
			dst = append(dst, s/sum)
		} else {
			dst = append(dst, 1/float64(len(surprises)))
		}
	}
	return dst
}
