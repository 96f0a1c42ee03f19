package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// convSiLU writes ConvSiLU. The loop over the taps carries the input before, so
// that each is loaded once and stored one place earlier.
func (v vec) convSiLU() {
	TEXT("convSiLU"+v.name, NOSPLIT, "func(dst, x, conv, w, bias, next *float32, blocks, taps int)")
	Pragma("noescape")
	Doc("convSiLU" + v.name + " is ConvSiLU for 16·blocks channels.")
	dst, x := Load(Param("dst"), GP64()), Load(Param("x"), GP64())
	conv, w := Load(Param("conv"), GP64()), Load(Param("w"), GP64())
	bias, next := Load(Param("bias"), GP64()), Load(Param("next"), GP64())
	blocks, taps := Load(Param("blocks"), GP64()), Load(Param("taps"), GP64())
	past := GP64() // bytes of a block's earlier inputs
	MOVQ(taps, past)
	DECQ(past)
	SHLQ(U8(6), past)

	Label("block")
	for part := range v.parts() {
		v.convPart(part, dst, x, conv, w, bias, next, past)
	}
	ADDQ(past, conv)
	ADDQ(past, next)
	ADDQ(past, w)
	ADDQ(U8(64), w)
	ADDQ(U8(64), dst)
	ADDQ(U8(64), x)
	ADDQ(U8(64), bias)
	DECQ(blocks)
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}

func (v vec) convPart(part int, dst, x, conv, w, bias, next, past reg.Register) {
	at := 4 * v.lanes * part
	loop, newest := labels("tap", part), labels("newest", part)
	acc, in, old, j := v.reg(), v.reg(), v.reg(), GP64()
	VMOVUPS(Mem{Base: bias, Disp: at}, acc) // acc = bias
	VMOVUPS(Mem{Base: x, Disp: at}, in)
	XORQ(j, j)
	TESTQ(past, past)
	JZ(LabelRef(newest))

	Label(loop)
	VMOVUPS(Mem{Base: conv, Index: j, Scale: 1, Disp: at}, old)
	if part == 0 {
		PREFETCHT1(Mem{Base: next, Index: j, Scale: 1})
	}
	VFMADD231PS(Mem{Base: w, Index: j, Scale: 1, Disp: at}, old, acc) // acc = fma(w[j], conv[j], acc)
	ADDQ(U8(64), j)
	CMPQ(j, past)
	JE(LabelRef(labels("last", part)))
	VMOVUPS(Mem{Base: conv, Index: j, Scale: 1, Disp: at}, old)
	VMOVUPS(old, Mem{Base: conv, Index: j, Scale: 1, Disp: at - 64}) // conv[j-1] = conv[j]
	JMP(LabelRef(loop))
	Label(labels("last", part))
	VMOVUPS(in, Mem{Base: conv, Index: j, Scale: 1, Disp: at - 64}) // conv[taps-2] = x

	Label(newest)
	VFMADD231PS(Mem{Base: w, Index: j, Scale: 1, Disp: at}, in, acc) // acc = fma(w[taps-1], x, acc)
	VMOVUPS(v.silu(acc), Mem{Base: dst, Disp: at})
}

func labels(name string, part int) string { return name + string(rune('0'+part)) }
