package operator

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/weirstream/weir/ssm"
	"github.com/weirstream/weir/statestore"
)

// ErrUnknownStream is of a stream of which neither memory nor the store has anything.
var ErrUnknownStream = errors.New("unknown stream")

// A Record is a copy of everything that is remembered of one stream.
type Record struct {
	// Offset is that of the last event which the record holds.
	Offset int64
	// Bytes are as in the store.
	Bytes []byte
}

// Record returns a copy of a stream as it is now, from memory or from the store. Errors
// match ErrUnknownStream where there is none.
func (o *Operator) Record(ctx context.Context, name string) (Record, error) {
	s, err := o.recall(ctx, name)
	if err != nil {
		return Record{}, err
	}
	return Record{Offset: s.lsn, Bytes: s.appendBinary(nil, o.model.lineage)}, nil
}

// recall brings a stream that has a past into memory.
func (o *Operator) recall(ctx context.Context, name string) (*stream, error) {
	if err := o.load(ctx, []Event{{Stream: []byte(name)}}); err != nil {
		return nil, err
	}
	s := o.cache.live[name]
	if s.lsn == statestore.NoOffset {
		return nil, fmt.Errorf("stream %.64q: %w", name, ErrUnknownStream)
	}
	return s, nil
}

// A Profile says what a Record holds.
type Profile struct {
	// Events is the number of learnt events, Time the last one's in Unix milliseconds.
	Events int64
	Time   int64
	// TypicalGap is the usual time between two events in seconds.
	TypicalGap float64
	// StateFloats is the number of float32s of one field's SSM state.
	StateFloats int
	Fields      []FieldProfile
}

// A FieldProfile is the part of a Profile that belongs to one field.
type FieldProfile struct {
	Name   string
	Events int64
	Last   float64
	// Centre and Spread are the running mean and the mean distance from it.
	Centre, Spread float64
	// Repeats is the share of values that are those before.
	Repeats float64
	// HalfLives are, ascending, how many events of the typical gap the numbers of the SSM
	// state remember (see ssm.Stepper.HalfLives).
	HalfLives []float64
}

// Profile reads a record that an operator with this model has made.
func (m *Model) Profile(r Record) (Profile, error) {
	var s stream
	if err := s.decode(r.Bytes, m); err != nil {
		return Profile{}, err
	}
	p := Profile{Events: s.n, Time: s.time, TypicalGap: s.typicalGap(), StateFloats: m.ssm.StateLen()}
	stepper := m.ssm.NewStepper(1)
	x := make([]float32, nFeatures)
	for i := range s.fields {
		f := &s.fields[i]
		n := &f.normalizer
		n.features(x, 1)
		p.Fields = append(p.Fields, FieldProfile{
			Name: string(f.name), Events: int64(n.n), Last: n.last, Centre: n.centre, Spread: n.scale, Repeats: n.repeat,
			HalfLives: stepper.HalfLives(x, 1, slices.Clone(f.state)),
		})
	}
	return p, nil
}

// An Outlook is what a field is expected to do next.
type Outlook struct {
	Field string
	// Times are in Unix milliseconds, a typical gap apart.
	Times []int64
	// Quantiles (steps, len(OutlookLevels)) of the value at each of the times.
	Quantiles [][]float64
}

// OutlookLevels are the levels of an Outlook's quantiles.
var OutlookLevels = [5]float64{0.05, 0.25, 0.5, 0.75, 0.95}

// outlookPaths is how many futures an outlook is taken from: one batch of the stepper.
const outlookPaths = batchRows

// still is the coordinate below which a drawn change is none: many streams repeat their
// last value exactly, which quantiles do not say.
const still = 0.2

// Outlook lets each field of a record run on for the given number of steps, along many
// paths whose values are drawn from the model's own forecasts, and returns the quantiles
// of the paths at each step. The same record gives the same outlook.
func (m *Model) Outlook(r Record, steps int) ([]Outlook, error) {
	var s stream
	if err := s.decode(r.Bytes, m); err != nil {
		return nil, err
	}
	var all []Outlook
	for i := range s.fields {
		if s.fields[i].normalizer.n == 0 {
			continue
		}
		o, err := m.runOn(&s.fields[i], s.typicalGap(), steps)
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

// runOn is the outlook of one field.
func (m *Model) runOn(f *field, gap float64, steps int) (Outlook, error) {
	var (
		o      = Outlook{Field: string(f.name)}
		step   = m.ssm.NewStepper(outlookPaths)
		states = make([]ssm.State, outlookPaths)
		pasts  = slices.Repeat([]normalizer{f.normalizer}, outlookPaths)
		x      = make([]float32, outlookPaths*nFeatures)
		out    = make([]float32, outlookPaths*nOutputs)
		values = make([]float64, outlookPaths)
	)
	for i := range states {
		states[i] = slices.Clone(f.state)
	}
	// Each step deals the same evenly spaced levels to the paths, in another order: few
	// paths fill the distribution.
	deal := rand.New(rand.NewPCG(1, 2))
	for k := range steps {
		levels := deal.Perm(outlookPaths)
		for i := range pasts {
			pasts[i].features(x[i*nFeatures:(i+1)*nFeatures], 1)
		}
		step.Step(out, x, nil, states)
		for i := range pasts {
			d, err := newDistribution(out[i*nOutputs:(i+1)*nOutputs], pasts[i].axis())
			if err != nil {
				return o, fmt.Errorf("outlook of field %q: %w", f.name, err)
			}
			values[i] = d.at((float64(levels[i]) + 0.5) / outlookPaths)
			pasts[i].observe(values[i], gap)
		}
		o.Times = append(o.Times, f.time+int64(math.Round(float64(k+1)*gap*1000)))
		o.Quantiles = append(o.Quantiles, quantilesOf(values))
	}
	return o, nil
}

// quantilesOf returns the values at OutlookLevels.
func quantilesOf(values []float64) []float64 {
	sorted := slices.Sorted(slices.Values(values))
	q := make([]float64, len(OutlookLevels))
	for i, level := range OutlookLevels {
		q[i] = sorted[int(level*float64(len(sorted)))]
	}
	return q
}

// at is the quantile at the given level, by straight lines between the model's own.
func (d *distribution) at(level float64) float64 {
	i := 1
	for i < nLevels-1 && level > levels[i] {
		i++
	}
	share := min(max((level-levels[i-1])/(levels[i]-levels[i-1]), 0), 1)
	c := d.coordinates[i-1] + float64(share*(d.coordinates[i]-d.coordinates[i-1]))
	if math.Abs(c) < still {
		c = 0
	}
	return d.axis.value(c)
}
