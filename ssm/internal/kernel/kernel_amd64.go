//go:build amd64 && !purego

package kernel

import "golang.org/x/sys/cpu"

//go:generate sh -c "cd _asm && go run . -out ../kernel_amd64.s -stubs ../stubs_amd64.go -pkg kernel"

var (
	avx2   = implementation{"avx2", gemmAVX2, convSiLUWith(convSiLUAVX2), scanStepWith(scanStepAVX2), rmsNormWith(rmsNormAVX2), peaks{peakFMAAVX2, peakExpAVX2, updateWith(updateAVX2), 8}}
	avx512 = implementation{"avx512", gemmAVX512, convSiLUWith(convSiLUAVX512), scanStepWith(scanStepAVX512), rmsNormWith(rmsNormAVX512), peaks{peakFMAAVX512, peakExpAVX512, updateWith(updateAVX512), 16}}
)

// supported lists what this processor can run, the fastest first. AVX-512 needs
// no more than its foundation (F).
func supported() []implementation {
	switch {
	case cpu.X86.HasAVX512F && cpu.X86.HasAVX2 && cpu.X86.HasFMA:
		return []implementation{avx512, avx2, generic}
	case cpu.X86.HasAVX2 && cpu.X86.HasFMA:
		return []implementation{avx2, generic}
	}
	return []implementation{generic}
}

type gemmKernel = func(dst *float32, ldd int, a *float32, lda int, panel *float32, stride, k int, add bool)

// gemmTiles computes m rows of one panel, beginning at column j of dst, by the
// tallest kernels that fit. byLog2[i] takes 1<<i rows.
func gemmTiles(byLog2 []gemmKernel, dst []float32, ldd int, a []float32, lda, m int, panel []float32, stride, k int, add bool) {
	top := len(byLog2) - 1
	for i := 0; i < m; {
		for 1<<top > m-i {
			top--
		}
		byLog2[top](&dst[i*ldd], ldd, &a[i*lda], lda, &panel[0], stride, k, add)
		i += 1 << top
	}
}

var (
	gemm32AVX512 = []gemmKernel{gemm1x32AVX512, gemm2x32AVX512, gemm4x32AVX512, gemm8x32AVX512}
	gemm16AVX512 = []gemmKernel{gemm1x16AVX512, gemm2x16AVX512, gemm4x16AVX512, gemm8x16AVX512}
	gemm16AVX2   = []gemmKernel{gemm1x16AVX2, gemm2x16AVX2, gemm4x16AVX2}
)

func gemmAVX512(dst []float32, ldd int, a []float32, lda, m int, p *Panels, add bool) {
	if m == 1 {
		gemmRowAVX512(dst, a, p, add)
		return
	}
	for j := 0; j < p.Width(); j += panelWidth {
		panel, width := p.panel(j)
		kernels := gemm32AVX512
		if width < panelWidth {
			kernels = gemm16AVX512
		}
		gemmTiles(kernels, dst[j:], ldd, a, lda, m, panel, width, p.K, add)
	}
}

// gemmRowAVX512 computes one row, by as many columns at once as there are kernels for.
func gemmRowAVX512(dst, a []float32, p *Panels, add bool) {
	for j := 0; j < p.Width(); {
		panel, width := p.panel(j)
		kernel, cols := gemm1x16AVX512, p.Width()-j
		switch {
		case cols >= 64:
			kernel, cols = gemm1x64AVX512, 64
		case cols == 48:
			kernel = gemm1x48AVX512
		case cols == 32:
			kernel = gemm1x32AVX512
		}
		kernel(&dst[j], 0, &a[0], 0, &panel[0], width, p.K, add)
		j += cols
	}
}

func gemmAVX2(dst []float32, ldd int, a []float32, lda, m int, p *Panels, add bool) {
	for j := 0; j < p.Width(); j += panelWidth {
		panel, width := p.panel(j)
		for half := 0; half < width; half += Lanes {
			gemmTiles(gemm16AVX2, dst[j+half:], ldd, a, lda, m, panel[half:], width, p.K, add)
		}
	}
}

// convSiLUWith turns slices into the pointers and counts an assembly function
// takes. conv is empty, and never read, where there is one tap.
func convSiLUWith(asm func(dst, x, conv, w, bias, next *float32, blocks, taps int)) func(dst, x, conv, w, bias []float32, taps int, next []float32) {
	return func(dst, x, conv, w, bias []float32, taps int, next []float32) {
		if taps == 1 {
			conv, next = x, x
		}
		asm(&dst[0], &x[0], &conv[0], &w[0], &bias[0], &next[0], len(x)/Lanes, taps)
	}
}

func scanStepWith(asm func(y, h, dt, x, z, b, c, a, d, next *float32, gap float32, blocks, dState int)) func(y, h, dt, x, z, b, c, a, d []float32, gap float32, next []float32) {
	return func(y, h, dt, x, z, b, c, a, d []float32, gap float32, next []float32) {
		asm(&y[0], &h[0], &dt[0], &x[0], &z[0], &b[0], &c[0], &a[0], &d[0], &next[0], gap, len(x)/Lanes, len(b))
	}
}

func rmsNormWith(asm func(dst, x, w *float32, blocks int, dim, eps float32)) func(dst, x, w []float32, dim int, eps float32) {
	return func(dst, x, w []float32, dim int, eps float32) {
		asm(&dst[0], &x[0], &w[0], len(x)/Lanes, float32(dim), eps)
	}
}

func updateWith(asm func(p *float32, blocks int)) func(p []float32) {
	return func(p []float32) { asm(&p[0], len(p)/Lanes) }
}
