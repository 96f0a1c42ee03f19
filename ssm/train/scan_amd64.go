//go:build amd64 && !purego

package train

import "golang.org/x/sys/cpu"

//go:generate sh -c "cd _asm && go run . -out ../scan_amd64.s -stubs ../scan_stubs_amd64.go -pkg train"

var (
	avx2Scan   = scanImpl{"avx2", runWith(runAVX2), backWith(backAVX2)}
	avx512Scan = scanImpl{"avx512", runWith(runAVX512), backWith(backAVX512)}
)

// supportedScans lists what this processor can run, the fastest first.
func supportedScans() []scanImpl {
	switch {
	case cpu.X86.HasAVX512F && cpu.X86.HasAVX2 && cpu.X86.HasFMA:
		return []scanImpl{avx512Scan, avx2Scan, genericScan}
	case cpu.X86.HasAVX2 && cpu.X86.HasFMA:
		return []scanImpl{avx2Scan, genericScan}
	}
	return []scanImpl{genericScan}
}

// runWith turns slices into the pointers and counts an assembly function takes.
func runWith(asm func(h, decay, events, a, b, c *float32, ld, n, rows int)) func(s *blockScan, a []lane, b, c []float32, ld, rows int) {
	return func(s *blockScan, a []lane, b, c []float32, ld, rows int) {
		asm(&s.h[0][0], &s.decay[0][0], &s.events[0].delta[0], &a[0][0], &b[0], &c[0], 4*ld, s.dState, rows)
	}
}

func backWith(asm func(g, da, dbc, h, decay, events, a, b, c *float32, ld, n, rows int)) func(s *blockScan, g, da []lane, dbc [][2]lane, a []lane, b, c []float32, ld, rows int) {
	return func(s *blockScan, g, da []lane, dbc [][2]lane, a []lane, b, c []float32, ld, rows int) {
		last := rows - 1
		state := last * s.dState
		asm(&g[0][0], &da[0][0], &dbc[state][0][0], &s.h[state][0], &s.decay[state][0], &s.events[last].delta[0],
			&a[0][0], &b[last*ld], &c[last*ld], 4*ld, s.dState, rows)
	}
}
