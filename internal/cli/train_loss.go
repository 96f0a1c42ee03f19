package cli

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/weirstream/weir/ssm"
	"github.com/weirstream/weir/ssm/train"
)

// furtherShare is what a further horizon's loss counts for, the next event's being 1. It
// is little: the shared layers have to serve the next event first, and a horizon's own
// outputs are fitted however little they count.
const furtherShare = 0.1

// forecastsOf returns the loss of a model that operator.LoadModel accepts: it reads
// outputs as package operator does. Within a horizon each level's loss is weighed by
// 1/sqrt(level·(1−level)), which makes them alike in size; of the next event the median
// counts three times, and the edges of the 90% band one and a half times as much.
func forecastsOf(m *ssm.Model) (*train.Forecasts, error) {
	var x struct {
		Quantiles [][]float64 `json:"quantiles"`
	}
	if err := json.Unmarshal(m.Extra(), &x); err != nil {
		return nil, fmt.Errorf("%w: %w", ssm.ErrModel, err)
	}
	f := &train.Forecasts{PointScale: 0.1, PointWeight: 0.6, MinIncrement: 1e-3, TargetBound: 12}
	for k, levels := range x.Quantiles {
		q := train.Quantiles{Levels: levels, Weights: make([]float64, len(levels))}
		total, share := 0.0, 1.0
		for i, level := range levels {
			w := 1 / math.Sqrt(level*(1-level))
			switch {
			case k > 0:
				share = furtherShare
			case i == len(levels)/2:
				w *= 3
			case level == 0.05 || level == 0.95:
				w *= 1.5
			}
			q.Weights[i] = w
			total += w
		}
		for i := range q.Weights {
			q.Weights[i] *= share / total
		}
		f.Horizons = append(f.Horizons, q)
	}
	return f, nil
}
