package train

import (
	"math"

	"github.com/weirstream/weir/ssm/fmath"
)

// Forecasts says what an event model's outputs mean, and what its loss is. Horizon by
// horizon they describe the distribution of the target there; the last one is a point
// forecast of the first target. The loss is the sum of all their losses.
type Forecasts struct {
	Horizons []Quantiles
	// PointScale is the error c up to which a point forecast's loss PointWeight · c ·
	// log(1 + |error|/c) grows in proportion. Beyond it an error hardly matters any more,
	// which makes the forecast the value that is most often near, where the median
	// balances the sides.
	PointScale, PointWeight float64
	MinIncrement            float64
	TargetBound             float64 // beyond ±TargetBound only a target's side matters
}

// Quantiles says how some of an event model's outputs describe the distribution of a
// target: the middle one is the median itself, the others are the distances from level
// to level outwards, as softplus(output) + MinIncrement. The loss is the weighted
// quantile (pinball) loss.
type Quantiles struct {
	Levels  []float64 // ascending, between 0 and 1, as many on either side of the median
	Weights []float64 // of each level's loss
}

// outputs is the number of outputs that f means.
func (f *Forecasts) outputs() int {
	n := 1
	for i := range f.Horizons {
		n += len(f.Horizons[i].Levels)
	}
	return n
}

// loss returns the model's loss function.
func (f *Forecasts) loss() LossFunc {
	outputs := f.outputs()
	return func(w *Window, out []float32, ld, first, rows int, scale float32) float64 {
		total := 0.0
		slopes := make([]float64, outputs) // softplus', then by level dloss/dquantile
		at := make([]float64, outputs)
		for i := range rows {
			row := out[i*ld:][:outputs]
			if w.Counts != nil && !w.Counts[first+i] {
				clear(row)
				continue
			}
			total += f.row(w, first+i, row, at, slopes, scale)
		}
		return total
	}
}

// row is the loss of row t, whose outputs it overwrites with the gradient.
func (f *Forecasts) row(w *Window, t int, out []float32, at, slopes []float64, scale float32) float64 {
	last := len(out) - 1
	total := f.point(&out[last], f.bounded(w.Targets[t]), scale)
	for k := range f.Horizons {
		q := &f.Horizons[k]
		n := len(q.Levels)
		target := w.Targets[t]
		if k > 0 {
			target = w.Further[k-1][t]
		}
		if k > 0 && target != target {
			clear(out[:n])
		} else {
			f.read(at[:n], slopes[:n], out[:n])
			total += q.pinball(at[:n], f.bounded(target))
			pull(out[:n], at[:n], slopes[:n], scale)
		}
		out = out[n:]
	}
	return total
}

func (f *Forecasts) bounded(target float32) float64 {
	return min(max(float64(target), -f.TargetBound), f.TargetBound)
}

// point returns the loss of a point forecast, which it overwrites with the gradient.
func (f *Forecasts) point(out *float32, target float64, scale float32) float64 {
	distance := target - float64(*out)
	far := 1 + math.Abs(distance)/f.PointScale
	*out = float32(math.Copysign(f.PointWeight/far, -distance)) * scale
	return f.PointWeight * f.PointScale * fmath.Log(far)
}

// read maps a horizon's outputs to the quantiles at, and keeps softplus's slopes.
func (f *Forecasts) read(at, slopes []float64, out []float32) {
	median := len(out) / 2
	at[median], slopes[median] = float64(out[median]), 1
	for i := range out {
		if i != median {
			e := fmath.Exp(-math.Abs(float64(out[i])))
			at[i] = max(float64(out[i]), 0) + fmath.Log(1+e) + f.MinIncrement
			slopes[i] = 1 / (1 + e)
			if out[i] < 0 {
				slopes[i] = e / (1 + e)
			}
		}
	}
	for i := median + 1; i < len(at); i++ {
		at[i] = at[i-1] + at[i]
	}
	for i := median - 1; i >= 0; i-- {
		at[i] = at[i+1] - at[i]
	}
}

// pinball returns a horizon's loss and overwrites the quantiles with its gradient.
func (q *Quantiles) pinball(at []float64, target float64) float64 {
	loss := 0.0
	for i, level := range q.Levels {
		distance := target - at[i]
		slope := level // of the loss by the distance
		if distance < 0 {
			slope = level - 1
		}
		loss += q.Weights[i] * slope * distance
		at[i] = -q.Weights[i] * slope
	}
	return loss
}

// pull turns the quantiles' gradient into that of the outputs: an increment moves
// every quantile beyond it.
func pull(out []float32, grad, slopes []float64, scale float32) {
	median := len(grad) / 2
	beyond, sum := 0.0, grad[median]
	for i := len(grad) - 1; i > median; i-- {
		beyond += grad[i]
		sum += grad[i]
		out[i] = float32(beyond*slopes[i]) * scale
	}
	beyond = 0
	for i := range median {
		beyond += grad[i]
		sum += grad[i]
		out[i] = float32(-beyond*slopes[i]) * scale
	}
	out[median] = float32(sum) * scale
}
