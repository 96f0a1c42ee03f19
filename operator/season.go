package operator

import (
	"encoding/binary"
	"fmt"
	"math"
)

const (
	// nHours is how many places of the day a season keeps. Finer ones were no better: each
	// learns from fewer values.
	nHours    = 24
	dayMillis = 24 * 3600 * 1000
	// seasonShare is the part that a day has in what is expected of the next: a season is a
	// mean over about eight days.
	seasonShare = 0.12
	// seasonSize is the length of an encoded season in bytes.
	seasonSize = nHours * (8 + 2)
)

// A season is the mean value of a field by the hour of the day, in UTC.
type season struct {
	level [nHours]float64
	seen  [nHours]uint16 // values, at most the greatest uint16
}

// expected is what is usual at a time in Unix milliseconds, linear between the middles of
// two hours. It is not known while nothing was seen in either.
func (s *season) expected(at int64) (level float64, known bool) {
	place := hourOf(at) - 0.5
	if place < 0 {
		place += nHours
	}
	i := int(place) % nHours
	j := (i + 1) % nHours
	if s.seen[i] == 0 || s.seen[j] == 0 {
		return 0, false
	}
	return towards(s.level[i], s.level[j], place-math.Floor(place)), true
}

// learn takes in the value of a field whose values come typicalGap seconds apart.
func (s *season) learn(at int64, x, typicalGap float64) {
	i := int(hourOf(at)) % nHours
	if s.seen[i] < math.MaxUint16 {
		s.seen[i]++
	}
	visits := 3600 / max(typicalGap, minGap) // values an hour
	rate := min(seasonShare/visits, 1)
	s.level[i] = towards(s.level[i], x, max(rate, 1/float64(s.seen[i])))
}

// hourOf is the time of day in hours, 0 to below 24.
func hourOf(at int64) float64 {
	return float64((at%dayMillis+dayMillis)%dayMillis) / (3600 * 1000)
}

// appendBinary appends the seasonSize bytes of s: the levels in 8 bytes each, then the
// counts in 2, little-endian.
func (s *season) appendBinary(b []byte) []byte {
	for _, v := range s.level {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	for _, n := range s.seen {
		b = binary.LittleEndian.AppendUint16(b, n)
	}
	return b
}

// decode reads what appendBinary wrote from the start of b.
func (s *season) decode(b []byte) error {
	for i := range s.level {
		v := math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
		if !(math.Abs(v) <= limit) {
			return fmt.Errorf("season holds %v", v)
		}
		s.level[i] = v
	}
	for i := range s.seen {
		s.seen[i] = binary.LittleEndian.Uint16(b[8*nHours+2*i:])
	}
	return nil
}
