package operator

// nLoudest is how many of an event's fields a stream's signal is taken from: an incident
// shows in a few fields, and a mean over all would drown it.
const nLoudest = 5

// loudest keeps the nLoudest greatest of the values added to it.
type loudest struct {
	greatest [nLoudest]float64 // descending
	n        int               // values added
	sum      float64           // of all of them
	all      bool              // the mean is that of all
}

// add takes in one value, at least 0.
func (l *loudest) add(x float64) {
	l.n++
	l.sum += x
	for i := range l.greatest {
		if x > l.greatest[i] {
			x, l.greatest[i] = l.greatest[i], x
		}
	}
}

// mean is that of the values kept, 0 of none.
func (l *loudest) mean() float64 {
	if l.all {
		return l.sum / float64(max(l.n, 1))
	}
	sum := 0.0
	for _, x := range l.greatest {
		sum += x
	}
	return sum / float64(max(min(l.n, nLoudest), 1))
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
