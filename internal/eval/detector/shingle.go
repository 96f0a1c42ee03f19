package detector

import (
	"math"
	"slices"
)

// shingled is how many events a point of a forest holds where there is one field. With
// several fields it is one event.
const shingled = 8

// A shingle makes points for the forests: the last events' values, the oldest first. They
// may be scaled: relative to each field's running mean, in units of its running deviation.
type shingle struct {
	fields int
	scaled bool
	first  []running
	second []running
	point  []float64
	n      int
}

func newShingle(fields int, scaled bool) *shingle {
	length := fields
	if fields == 1 {
		length = shingled
	}
	return &shingle{
		fields: fields, scaled: scaled, first: make([]running, fields), second: make([]running, fields),
		point: make([]float64, length),
	}
}

// add returns the point that ends with x, nil as long as there are too few events. A
// missing value is taken to be as before.
func (s *shingle) add(x []float64) []float64 {
	before := s.point[len(s.point)-s.fields:]
	latest := slices.Clone(before)
	for i, v := range x {
		if math.IsNaN(v) {
			continue
		}
		deviation := v - s.first[i].mean
		if !s.scaled {
			latest[i] = v
		} else if size := math.Sqrt(s.second[i].mean); size > 0 {
			latest[i] = min(max(deviation/size, -10), 10)
		}
		s.first[i].add(v, gaussianRate)
		if s.first[i].n > 1 {
			s.second[i].add(deviation*(v-s.first[i].mean), gaussianRate)
		}
	}
	copy(s.point, s.point[s.fields:])
	copy(s.point[len(s.point)-s.fields:], latest)
	s.n++
	if s.n < len(s.point)/s.fields {
		return nil
	}
	return s.point
}
