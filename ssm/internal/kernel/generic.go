package kernel

import "math"

func gemmGeneric(dst []float32, ldd int, a []float32, lda, m int, p *Panels, add bool) {
	var acc [panelWidth]float32
	for j := 0; j < p.Width(); j += panelWidth {
		panel, width := p.panel(j)
		for i := range m {
			sum := acc[:width]
			copy(sum, panel)
			for k, v := range a[i*lda:][:p.K] {
				fmaRow(sum, v, panel[(k+1)*width:])
			}
			out := dst[i*ldd+j:][:width]
			if !add {
				copy(out, sum)
				continue
			}
			for l, s := range sum {
				out[l] += s
			}
		}
	}
}

// fmaRow computes sum[l] = fma(v, w[l], sum[l]).
func fmaRow(sum []float32, v float32, w []float32) {
	w = w[:len(sum)]
	v64 := float64(v)
	for l := range sum {
		s := float64(v64*float64(w[l])) + float64(sum[l])
		if math.Float64bits(s)&(1<<28-1) == 0 { // see fma32
			sum[l] = fma32Odd(v, w[l], sum[l])
			continue
		}
		sum[l] = float32(s)
	}
}

func convSiLUGeneric(dst, x, conv, w, bias []float32, taps int, _ []float32) {
	for c := range x {
		block, lane := c/Lanes, c%Lanes
		past := conv[block*(taps-1)*Lanes:][:(taps-1)*Lanes]
		tap := w[block*taps*Lanes:][:taps*Lanes]
		acc, newest := bias[c], x[c]
		for j := lane; j < len(past); j += Lanes {
			acc = fma32(tap[j], past[j], acc)
			if j+Lanes < len(past) {
				past[j] = past[j+Lanes]
			} else {
				past[j] = newest
			}
		}
		dst[c] = silu(fma32(tap[len(past)+lane], newest, acc))
	}
}

func scanStepGeneric(y, h, dt, x, z, b, c, a, d []float32, gap float32, _ []float32) {
	dState := len(b)
	for ch := range x {
		at := ch/Lanes*dState*Lanes + ch%Lanes
		delta := softplus(dt[ch]) * gap
		u := delta * x[ch]
		var sum float32
		for n := range dState {
			i := at + n*Lanes
			h[i] = fma32(h[i], exp2Neg(float32(delta*a[i])), float32(u*b[n]))
			sum = fma32(h[i], c[n], sum)
		}
		y[ch] = fma32(d[ch], x[ch], sum) * silu(z[ch])
	}
}

func rmsNormGeneric(dst, x, w []float32, dim int, eps float32) {
	var sum [Lanes]float32
	for i, v := range x {
		sum[i%Lanes] = fma32(v, v, sum[i%Lanes])
	}
	for apart := Lanes / 2; apart > 0; apart /= 2 {
		for l := range apart {
			sum[l] += sum[l+apart]
		}
	}
	mean := sum[0] / float32(dim)
	inv := 1 / float32(math.Sqrt(float64(mean+eps)))
	for i, v := range x {
		dst[i] = float32(v*inv) * w[i]
	}
}
