package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rmsNorm writes RMSNorm.
func (v vec) rmsNorm() {
	TEXT("rmsNorm"+v.name, NOSPLIT, "func(dst, x, w *float32, blocks int, dim, eps float32)")
	Pragma("noescape")
	Doc("rmsNorm" + v.name + " is RMSNorm for 16·blocks values.")
	dst, x, w := Load(Param("dst"), GP64()), Load(Param("x"), GP64()), Load(Param("w"), GP64())
	bytes, at := Load(Param("blocks"), GP64()), GP64()
	SHLQ(U8(6), bytes)
	XORQ(at, at)
	row := func(base reg.Register, part int) Mem {
		return Mem{Base: base, Index: at, Scale: 1, Disp: 4 * v.lanes * part}
	}

	sum := make([]reg.VecVirtual, v.parts())
	for i := range sum {
		sum[i] = v.reg()
		v.xor(sum[i], sum[i], sum[i])
	}
	in := v.reg()
	Label("square")
	for i := range sum {
		VMOVUPS(row(x, i), in)
		VFMADD231PS(in, in, sum[i]) // sum[l] = fma(v, v, sum[l])
	}
	ADDQ(U8(64), at)
	CMPQ(at, bytes)
	JNE(LabelRef("square"))

	inv := v.reg()
	VBROADCASTSS(v.inverse(v.fold(sum)), inv)
	XORQ(at, at)
	Label("scale")
	for i := range sum {
		VMULPS(row(x, i), inv, in)
		VMULPS(row(w, i), in, in) // v·inv · w
		VMOVUPS(in, row(dst, i))
	}
	ADDQ(U8(64), at)
	CMPQ(at, bytes)
	JNE(LabelRef("scale"))
	VZEROUPPER()
	RET()
}

// fold adds the sixteen partial sums 8, 4, 2 and 1 apart.
func (v vec) fold(sum []reg.VecVirtual) reg.VecVirtual {
	eight := sum[0].AsY()
	if v.lanes == 16 {
		upper := YMM()
		VEXTRACTF64X4(U8(1), sum[0], upper)
		VADDPS(upper, eight, eight)
	} else {
		VADDPS(sum[1], eight, eight)
	}
	four, other := sum[0].AsX(), XMM()
	VEXTRACTF128(U8(1), eight, other)
	VADDPS(other, four, four)
	VMOVHLPS(four, four, other)
	VADDPS(other, four, four)
	VMOVSHDUP(four, other)
	VADDSS(other, four, four)
	total := XMM()
	VMOVAPS(four, total)
	return total
}

// inverse returns 1 / sqrt(sum/dim + eps).
func (v vec) inverse(sum reg.VecVirtual) reg.VecVirtual {
	dim, eps, one := Load(Param("dim"), XMM()), Load(Param("eps"), XMM()), XMM()
	VDIVSS(dim, sum, sum)
	VADDSS(eps, sum, sum)
	VSQRTSS(sum, sum, sum)
	VMOVSS(v.mem("exp0"), one)
	VDIVSS(sum, one, sum)
	return sum
}
