package detector

import "math"

// A lastValue expects that nothing changes.
type lastValue struct {
	last float64
	n    int
	scale
}

func (d *lastValue) score(_ int64, x float64) float64 {
	change := x - d.last
	d.last = x
	d.n++
	if d.n == 1 {
		return 0
	}
	return d.surprise(change)
}

// An ewma expects an exponentially weighted moving average with a half-life of 20 events.
type ewma struct {
	centre running
	scale
}

const shortRate = math.Ln2 / 20

func (d *ewma) score(_ int64, x float64) float64 {
	deviation := x - d.centre.mean
	d.centre.add(x, shortRate)
	if d.centre.n == 1 {
		return 0
	}
	return d.surprise(deviation)
}

// A gaussian takes values for draws from one normal distribution, its mean and variance
// with a half-life of 5000 events.
type gaussian struct{ first, second running }

const gaussianRate = math.Ln2 / 5000

func (d *gaussian) score(_ int64, x float64) float64 {
	deviation := x - d.first.mean
	deviationScale := math.Sqrt(d.second.mean)
	known := d.first.n > 1
	d.first.add(x, gaussianRate)
	if d.first.n > 1 {
		// West's update of the variance: the deviations from the old and the new mean.
		d.second.add(deviation*(x-d.first.mean), gaussianRate)
	}
	switch {
	case !known || deviation == 0:
		return 0
	case deviationScale == 0:
		return maxField
	}
	return min(math.Abs(deviation)/deviationScale, 1e9)
}

const (
	day   = 24 * 3600 * 1000
	slots = 24 * 60
)

// A seasonal expects what was seen at the same minute a day before, or, where nothing
// was, the last value.
type seasonal struct {
	profile [slots]slot
	lastValue
}

// A slot is one minute of the day: the last value of the day that it was last seen on,
// and of the one before.
type slot struct {
	day             int64
	value, previous float64
	seen, before    bool
}

func (d *seasonal) score(t int64, x float64) float64 {
	expected := d.expect(t)
	s := &d.profile[(t%day+day)%day/60_000]
	s.day, s.value, s.seen = (t-(t%day+day)%day)/day, x, true
	d.last = x
	d.n++
	if d.n == 1 {
		return 0
	}
	return d.surprise(x - expected)
}

// expect is what the value at t is expected to be.
func (d *seasonal) expect(t int64) float64 {
	s := &d.profile[(t%day+day)%day/60_000]
	if s.seen && s.day != (t-(t%day+day)%day)/day {
		s.previous, s.before = s.value, true
	}
	if s.before {
		return s.previous
	}
	return d.last
}
