package operator

// RowSize is the length of one row of FeatureRows.
const RowSize = nFeatures + 2

// FeatureRows appends one row of RowSize numbers to dst for each value of a
// stream but the first: the model's inputs for the step that forecasts the
// value, then the coordinate that the value turned out to have, then the gap
// before it in typical gaps. They are what a model is trained on, and computed
// by the code that serves it. times are Unix milliseconds.
func FeatureRows(dst []float32, times []int64, values []float64) []float32 {
	var n normalizer
	for i, x := range values {
		gap := 0.0
		if i > 0 {
			gap = float64(times[i]-times[i-1]) / 1000
			ratio := n.gapRatio(gap)
			row := len(dst)
			dst = append(dst, make([]float32, RowSize)...)
			n.features(dst[row:], ratio)
			dst[row+nFeatures] = float32(n.axis().coordinate(x))
			dst[row+nFeatures+1] = float32(ratio)
		}
		n.observe(x, gap)
	}
	return dst
}
