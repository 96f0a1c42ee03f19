// Command _asm writes the vector versions of package kernel, AVX2 with FMA and
// AVX-512. Run it with go generate in the directory above.
//
// Each version computes the bits of the package's Go loops: the comments here
// give the line of Go that an instruction stands for.
package main

import . "github.com/mmcloughlin/avo/build"

func main() {
	ConstraintExpr("!purego")
	for _, v := range []vec{{name: "AVX2", lanes: 8}, {name: "AVX512", lanes: 16}} {
		v.convSiLU()
		v.scanStep()
		v.rmsNorm()
		v.peakFMA()
		v.peakExp()
		v.update()
	}
	for _, rows := range []int{8, 4, 2, 1} {
		gemm("AVX512", rows, 2, 16)
		gemm("AVX512", rows, 1, 16)
	}
	gemm("AVX512", 1, 4, 16)
	gemm("AVX512", 1, 3, 16)
	for _, rows := range []int{4, 2, 1} {
		gemm("AVX2", rows, 2, 8)
	}
	Generate()
}
