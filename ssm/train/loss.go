package train

import (
	"math"

	"github.com/weirstream/weir/ssm/fmath"
	"github.com/weirstream/weir/ssm/internal/layer"
)

// A LossFunc reads the model's outputs of rows events from first, in rows of ld,
// and returns the sum of their losses. It overwrites the outputs with the sum's
// gradient times scale.
type LossFunc func(w *Window, out []float32, ld, first, rows int, scale float32) float64

// CrossEntropy is the loss of a token model: -log of the probability that the
// softmax of row t's logits gives the window's label of that row.
func CrossEntropy(vocab int) LossFunc {
	return func(w *Window, out []float32, ld, first, rows int, scale float32) float64 {
		total := 0.0
		for i := range rows {
			logits := out[i*ld:][:vocab]
			label := w.label(first + i)
			if label < 0 {
				clear(logits)
				continue
			}
			most := logits[0]
			for _, v := range logits {
				most = max(most, v)
			}
			sum := 0.0
			for j, v := range logits {
				e := layer.Exp(v - most)
				logits[j] = e
				sum += float64(e)
			}
			total += fmath.Log(sum) - fmath.Log(max(float64(logits[label]), math.SmallestNonzeroFloat32))
			inv := scale / float32(sum)
			for j := range logits {
				logits[j] *= inv
			}
			logits[label] -= scale
		}
		return total
	}
}

// Quantiles says how an event model's outputs describe the distribution of the
// target, and what its loss is: the weighted quantile (pinball) loss. Output
// Median is the median itself, the others are the distances from level to level
// outwards, as softplus(output) + MinIncrement.
type Quantiles struct {
	Levels       []float64 // ascending, between 0 and 1, one an output
	Weights      []float64 // of each level's loss; they sum to 1
	Median       int       // index
	MinIncrement float64
	TargetBound  float64 // beyond ±TargetBound only a target's side matters
}

// loss returns the model's loss function.
func (q *Quantiles) loss() LossFunc {
	return func(w *Window, out []float32, ld, first, rows int, scale float32) float64 {
		total := 0.0
		slopes := make([]float64, len(q.Levels)) // softplus', then by level dloss/dquantile
		at := make([]float64, len(q.Levels))
		for i := range rows {
			row := out[i*ld:][:len(q.Levels)]
			if w.Counts != nil && !w.Counts[first+i] {
				clear(row)
				continue
			}
			q.read(at, slopes, row)
			target := min(max(float64(w.Targets[first+i]), -q.TargetBound), q.TargetBound)
			total += q.pinball(at, target)
			q.pull(row, at, slopes, scale)
		}
		return total
	}
}

// read maps outputs to the quantiles at, and keeps softplus's slopes.
func (q *Quantiles) read(at, slopes []float64, out []float32) {
	at[q.Median], slopes[q.Median] = float64(out[q.Median]), 1
	for i := range out {
		if i != q.Median {
			e := fmath.Exp(-math.Abs(float64(out[i])))
			at[i] = max(float64(out[i]), 0) + fmath.Log(1+e) + q.MinIncrement
			slopes[i] = 1 / (1 + e)
			if out[i] < 0 {
				slopes[i] = e / (1 + e)
			}
		}
	}
	for i := q.Median + 1; i < len(at); i++ {
		at[i] = at[i-1] + at[i]
	}
	for i := q.Median - 1; i >= 0; i-- {
		at[i] = at[i+1] - at[i]
	}
}

// pinball returns a row's loss and overwrites the quantiles with its gradient.
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
func (q *Quantiles) pull(out []float32, grad, slopes []float64, scale float32) {
	beyond, sum := 0.0, grad[q.Median]
	for i := len(grad) - 1; i > q.Median; i-- {
		beyond += grad[i]
		sum += grad[i]
		out[i] = float32(beyond*slopes[i]) * scale
	}
	beyond = 0
	for i := range q.Median {
		beyond += grad[i]
		sum += grad[i]
		out[i] = float32(-beyond*slopes[i]) * scale
	}
	out[q.Median] = float32(sum) * scale
}
