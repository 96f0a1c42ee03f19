package train

import "github.com/weirstream/weir/ssm/internal/layer"

// A convolution is the causal depthwise convolution with SiLU of one block.
// Everything is in rows over channels, wide apart.
type convolution struct {
	wide, taps int
	w          []float32 // (d_conv, wide): a row a tap, oldest input first
	bias       []float32 // (wide)
}

// newConvolution copies w (channels, taps) and bias, which may be nil.
func newConvolution(w, bias []float32, channels, taps, wide int) convolution {
	c := convolution{wide, taps, make([]float32, taps*wide), make([]float32, wide)}
	layer.Transpose(c.w, wide, w, taps, channels, taps)
	copy(c.bias, bias)
	return c
}

// before computes into pre (wide) what SiLU is applied to at row t.
func (c *convolution) before(pre, x []float32, t int) {
	copy(pre, c.bias)
	for j := range c.taps {
		from := t - c.taps + 1 + j
		if from < 0 {
			continue
		}
		w, in := c.w[j*c.wide:][:len(pre)], x[from*c.wide:][:len(pre)]
		for i := range pre {
			pre[i] += w[i] * in[i]
		}
	}
}

// back turns dy, the gradient of the output, into that of what SiLU is applied to,
// and computes from it dx, the gradient of the input x, and adds the taps' gradient
// to dw (d_conv, wide) and the bias' to dbias (wide).
func (c *convolution) back(dx, dw, dbias, dy, x []float32, rows int) {
	pre := make([]float32, c.wide)
	clear(dx[:rows*c.wide])
	for t := range rows {
		c.before(pre, x, t)
		dpre := dy[t*c.wide:][:c.wide]
		for i, v := range pre {
			_, slope := layer.SiLUSlope(v)
			dpre[i] *= slope
		}
		layer.AddTo(dbias, dpre)
		for j := range c.taps {
			from := t - c.taps + 1 + j
			if from < 0 {
				continue
			}
			w, dwRow := c.w[j*c.wide:][:len(dpre)], dw[j*c.wide:][:len(dpre)]
			in, din := x[from*c.wide:][:len(dpre)], dx[from*c.wide:][:len(dpre)]
			for i, g := range dpre {
				dwRow[i] += g * in[i]
				din[i] += g * w[i]
			}
		}
	}
}
