package operator

import "slices"

// A Part is a set of parts of the scoring. Measurements leave parts out to see what they
// are worth; nothing else does.
type Part uint16

// The parts of the scoring.
const (
	// PartSeason is the distance from what is usual at this hour of the day.
	PartSeason Part = 1 << iota
	// PartOffset is the average distance from the long-run centre, to one side.
	PartOffset
	// PartLevel is the distance from the long-run centre.
	PartLevel
	// PartForecasts are the errors of the model's forecasts.
	PartForecasts
	// PartActivity is the size of changes.
	PartActivity
	// PartCalibration turns signals into probabilities under the stream's own past.
	PartCalibration
	// PartGate lets only what is rarer than all of late raise an alarm.
	PartGate
	// PartLoudest takes the loudest of many fields only.
	PartLoudest
)

// Parts are all parts, one by one.
var Parts = []Part{PartSeason, PartOffset, PartLevel, PartForecasts, PartActivity, PartCalibration, PartGate, PartLoudest}

// String names one part.
func (p Part) String() string {
	names := [...]string{
		"the season", "the offset", "the level", "the model's forecasts", "the activity",
		"calibration", "the gate", "choosing the loudest fields",
	}
	if i := slices.Index(Parts, p); i >= 0 {
		return names[i]
	}
	return "nothing"
}

// has says whether a part is in the set.
func (p Part) has(part Part) bool { return p&part != 0 }
