package operator

import (
	"encoding/binary"
	"fmt"
	"math"
)

const (
	// nHorizons is the number of horizons.
	nHorizons = 3
	// nAhead is how many forecasts wait for their value: those of the further horizons.
	nAhead = 8 + 64
	// foresightSize is the length of an encoded foresight in bytes.
	foresightSize = nAhead*16 + int(nCandidates)*8
)

// horizons are how many events ahead a model forecasts, the next event first.
var horizons = [nHorizons]int{1, 8, 64}

// An expectation is a forecast of one value in its field's unit: the median, and half the
// width of the central 90% band, which is above 0. The zero expectation is none.
type expectation struct{ median, spread float64 }

// known says whether there was a forecast.
func (l expectation) known() bool { return l.spread > 0 }

// A foresight holds the forecasts of one field's values to come, so that a value can be
// held against what was expected of it long before, and how well the next was forecast.
// Its size is fixed.
type foresight struct {
	// ahead is a ring for each further horizon of h events, with the forecast of value
	// number k (the first is 0) at place k mod h.
	ahead [nAhead]expectation
	trial trial
}

// recall completes the model's forecasts, from the events before value number n, by what
// was forecast of that value 8 and 64 events before it.
func (f *foresight) recall(d *distribution, n uint64) {
	d.candidate = f.trial.best()
	d.expected = d.expectations()
	start := 0
	for k, h := range horizons[1:] {
		d.expected[k+1] = f.ahead[start+int(n%uint64(h))]
		start += h
	}
}

// learn keeps the forecasts of values to come until they are there: from the events before
// value number n, which is x, those of values n+7 and n+63.
func (f *foresight) learn(d *distribution, x float64, n uint64) {
	f.trial.judge(d, x, n)
	now, start := d.expectations(), 0
	for k, h := range horizons[1:] {
		f.ahead[start+int((n+uint64(h)-1)%uint64(h))] = now[k+1]
		start += h
	}
}

// appendBinary appends the foresightSize bytes of f: the expectations in order, median and
// spread in 8 bytes each, then the trial, little-endian.
func (f *foresight) appendBinary(b []byte) []byte {
	for _, l := range f.ahead {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(l.median))
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(l.spread))
	}
	for _, miss := range f.trial {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(miss))
	}
	return b
}

// decode reads what appendBinary wrote. Bytes that no foresight writes are an error.
func (f *foresight) decode(b []byte) error {
	if len(b) != foresightSize {
		return fmt.Errorf("foresight of %d bytes, want %d", len(b), foresightSize)
	}
	var d foresight
	for i := range d.ahead {
		l := expectation{
			median: math.Float64frombits(binary.LittleEndian.Uint64(b[16*i:])),
			spread: math.Float64frombits(binary.LittleEndian.Uint64(b[16*i+8:])),
		}
		if !(math.Abs(l.median) <= limit && l.spread >= 0 && l.spread <= limit) {
			return fmt.Errorf("foresight of %v ± %v", l.median, l.spread)
		}
		d.ahead[i] = l
	}
	for i := range d.trial {
		miss := math.Float64frombits(binary.LittleEndian.Uint64(b[16*nAhead+8*i:]))
		if !(miss >= 0 && miss <= maxMiss) {
			return fmt.Errorf("forecasts that missed by %v", miss)
		}
		d.trial[i] = miss
	}
	*f = d
	return nil
}
