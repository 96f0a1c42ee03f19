package layer

import "math"

// NormBack adds to dx the gradient of x through RMSNorm, y = w·x/rms(x), of rows
// of dim values, wide apart, and to dw that of w. Padding is left alone.
//
//	dx += (g - x·mean(g·x)/(mean(x²) + eps)) / rms,   g = dy·w
func NormBack(dx, dw, dy, x, w []float32, dim, wide, rows int, eps float32) {
	for i := range rows {
		dyRow, xRow, dxRow := dy[i*wide:][:dim], x[i*wide:][:dim], dx[i*wide:][:dim]
		var squares, dot float32
		for j, v := range xRow {
			squares += v * v
			dot += dyRow[j] * w[j] * v
		}
		mean := squares/float32(dim) + eps
		inv := 1 / float32(math.Sqrt(float64(mean)))
		back := dot / (float32(dim) * mean)
		for j, v := range xRow {
			dw[j] += dyRow[j] * v * inv
			dxRow[j] += (dyRow[j]*w[j] - v*back) * inv
		}
	}
}
