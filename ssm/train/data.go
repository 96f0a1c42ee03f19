package train

import (
	"math"
	"math/rand/v2"
	"slices"
)

const (
	// settle is how many rows of a window that begins amid a stream do not count:
	// the true state there is not zero, and has to build up first.
	settle = 16
	// fromStart is the share of windows that begin where the stream does.
	fromStart = 0.25
	// maxHeldOut bounds the windows that the held-out loss is taken over.
	maxHeldOut = 256
)

// A Series is what one stream teaches: rows of n_input inputs, the target at each
// horizon, and the gap, in time order. Rows from Split on are held out.
type Series struct {
	Rows  []float32 // (length, n_input + n_horizon + 1)
	Split int
}

// Data is the series of a training run and how windows are drawn from it. It is
// not changed.
type Data struct {
	nInput, length int
	horizons       []int // how many rows ahead of a row's inputs its targets lie, the next row's being 1
	series         []Series
	upTo           []float64 // the series' weights, added up
}

// NewData returns data of windows of the given length; horizons are how many rows ahead
// each target of a row lies, its own value being 1. Series without a row to train on are
// only held out.
func NewData(nInput, length int, horizons []int, series []Series) *Data {
	d := &Data{nInput: nInput, length: length, horizons: horizons, series: series}
	total := 0.0
	for _, s := range series {
		total += d.weight(s)
		d.upTo = append(d.upTo, total)
	}
	return d
}

// wide is the length of a row.
func (d *Data) wide() int { return d.nInput + len(d.horizons) + 1 }

// weight is how often a series is drawn from: by its length, less where it hardly
// ever changes and teaches the same thing in every window.
func (d *Data) weight(s Series) float64 {
	changed, wide := 0, d.wide()
	for t := range s.Split {
		if s.Rows[t*wide+d.nInput] != 0 {
			changed++
		}
	}
	share := float64(changed) / float64(max(s.Split, 1))
	return float64(s.Split) * min(max(share/0.05, 0.05), 1)
}

// batch draws the n windows of a step. They depend on nothing but seed and step,
// so a run that goes on needs no state of a generator.
func (d *Data) batch(seed uint64, step, n int) []Window {
	rng := rand.New(rand.NewPCG(seed, uint64(step)))
	windows := make([]Window, n)
	for i := range windows {
		total := d.upTo[len(d.upTo)-1]
		at, _ := slices.BinarySearch(d.upTo, (1-rng.Float64())*total) // above 0: no series without weight
		s := &d.series[at]
		first := rng.IntN(max(s.Split-d.length, 0) + 1)
		if rng.Float64() < fromStart {
			first = 0
		}
		counted := first
		if first > 0 {
			counted += settle
		}
		windows[i] = d.window(s, first, min(first+d.length, s.Split), counted, s.Split)
	}
	return windows
}

// window copies rows first … end-1; those from counted on count. Values of row until and
// later are no targets.
func (d *Data) window(s *Series, first, end, counted, until int) Window {
	n, wide := end-first, d.wide()
	w := Window{
		Inputs: make([]float32, n*d.nInput), Gaps: make([]float32, n),
		Targets: make([]float32, n), Counts: make([]bool, n), Further: make([][]float32, len(d.horizons)-1),
	}
	for k := range w.Further {
		w.Further[k] = make([]float32, n)
	}
	for t := range n {
		row := s.Rows[(first+t)*wide:][:wide]
		copy(w.Inputs[t*d.nInput:], row[:d.nInput])
		w.Targets[t], w.Gaps[t] = row[d.nInput], row[wide-1]
		for k, h := range d.horizons[1:] {
			w.Further[k][t] = row[d.nInput+1+k]
			if first+t+h-1 >= until {
				w.Further[k][t] = float32(math.NaN())
			}
		}
		w.Counts[t] = first+t >= counted
	}
	return w
}

// heldOut returns windows that cover the held-out rows, each preceded by as many
// rows that do not count, so that the state is what it would be in service; evenly
// chosen ones where there are too many.
func (d *Data) heldOut() []Window {
	var windows []Window
	half := max(d.length/2, 1)
	for i := range d.series {
		s := &d.series[i]
		rows := len(s.Rows) / d.wide()
		for counted := s.Split; counted < rows; counted += half {
			windows = append(windows, d.window(s, max(counted-half, 0), min(counted+half, rows), counted, rows))
		}
	}
	if len(windows) <= maxHeldOut {
		return windows
	}
	chosen := make([]Window, maxHeldOut)
	for i := range chosen {
		chosen[i] = windows[int(math.Floor(float64(i)*float64(len(windows))/maxHeldOut))]
	}
	return chosen
}
