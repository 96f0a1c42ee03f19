package main

import (
	"fmt"

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
	c := conv{
		vec: v,
		dst: Load(Param("dst"), GP64()), x: Load(Param("x"), GP64()), conv: Load(Param("conv"), GP64()),
		w: Load(Param("w"), GP64()), bias: Load(Param("bias"), GP64()), next: Load(Param("next"), GP64()),
	}
	blocks := Load(Param("blocks"), GP64())
	c.past = Load(Param("taps"), GP64())
	DECQ(c.past)
	SHLQ(U8(6), c.past)

	if v.lanes == 16 { // two blocks at once as long as there are two
		Label("two")
		SUBQ(U8(2), blocks)
		JL(LabelRef("rest"))
		c.blocks(2)
		JMP(LabelRef("two"))
		Label("rest")
		ADDQ(U8(2), blocks)
		JZ(LabelRef("done"))
	}
	Label("one")
	c.blocks(1)
	DECQ(blocks)
	JNZ(LabelRef("one"))
	Label("done")
	VZEROUPPER()
	RET()
}

type conv struct {
	vec
	dst, x, conv, w, bias, next reg.Register
	past                        reg.Register // bytes of a block's earlier inputs
}

// blocks writes count blocks, and moves on behind them.
func (c conv) blocks(count int) {
	before, taps := c.conv, c.w // of the last of the blocks
	if count == 2 {
		b, t := GP64(), GP64()
		LEAQ(Mem{Base: c.conv, Index: c.past, Scale: 1}, b)
		LEAQ(Mem{Base: c.w, Index: c.past, Scale: 1, Disp: 64}, t)
		before, taps = b, t
	}
	// A vector of AVX2 is half a block; there, a block's vectors come one by one.
	for part := range c.parts() {
		c.vectors(labels("", count*10+part), 4*c.lanes*part, []reg.Register{c.conv, before}[:count], []reg.Register{c.w, taps}[:count])
	}
	LEAQ(Mem{Base: before, Index: c.past, Scale: 1}, c.conv)
	LEAQ(Mem{Base: taps, Index: c.past, Scale: 1, Disp: 64}, c.w)
	for range count {
		ADDQ(c.past, c.next)
	}
	for _, p := range []reg.Register{c.dst, c.x, c.bias} {
		ADDQ(U32(64*count), p)
	}
}

// vectors writes one vector of each block, at the given offset in it.
func (c conv) vectors(label string, at int, before, taps []reg.Register) {
	acc, in, old, j := c.wide(len(before)), c.wide(len(before)), c.wide(len(before)), GP64()
	acc.each(func(i int) { VMOVUPS(Mem{Base: c.bias, Disp: at + 64*i}, acc[i]) }) // acc = bias
	in.each(func(i int) { VMOVUPS(Mem{Base: c.x, Disp: at + 64*i}, in[i]) })
	earlier := func(i, disp int) Mem { return Mem{Base: before[i], Index: j, Scale: 1, Disp: at + disp} }
	tap := func(i int) Mem { return Mem{Base: taps[i], Index: j, Scale: 1, Disp: at} }
	XORQ(j, j)
	TESTQ(c.past, c.past)
	JZ(LabelRef("newest" + label))

	Label("tap" + label)
	old.each(func(i int) { VMOVUPS(earlier(i, 0), old[i]) })
	if at == 0 {
		c.fetch(j, len(before))
	}
	acc.each(func(i int) { VFMADD231PS(tap(i), old[i], acc[i]) }) // acc = fma(w[j], conv[j], acc)
	ADDQ(U8(64), j)
	CMPQ(j, c.past)
	JE(LabelRef("last" + label))
	old.each(func(i int) { VMOVUPS(earlier(i, 0), old[i]) })
	old.each(func(i int) { VMOVUPS(old[i], earlier(i, -64)) }) // conv[j-1] = conv[j]
	JMP(LabelRef("tap" + label))
	Label("last" + label)
	in.each(func(i int) { VMOVUPS(in[i], earlier(i, -64)) }) // conv[taps-2] = x

	Label("newest" + label)
	acc.each(func(i int) { VFMADD231PS(tap(i), in[i], acc[i]) }) // acc = fma(w[taps-1], x, acc)
	out := c.silu(acc)
	out.each(func(i int) { VMOVUPS(out[i], Mem{Base: c.dst, Disp: at + 64*i}) })
}

// fetch asks for line j of the next conv state's blocks.
func (c conv) fetch(j reg.Register, count int) {
	PREFETCHT1(Mem{Base: c.next, Index: j, Scale: 1})
	if count == 2 {
		second := GP64()
		LEAQ(Mem{Base: c.next, Index: c.past, Scale: 1}, second)
		PREFETCHT1(Mem{Base: second, Index: j, Scale: 1})
	}
}

func labels(name string, n int) string { return fmt.Sprintf("%s%d", name, n) }
