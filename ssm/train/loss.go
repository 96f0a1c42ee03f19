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
