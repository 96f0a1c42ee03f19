package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// argument returns where an argument lies on the stack: some are needed too rarely
// to keep them in a register.
func argument(name string) Mem {
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return p.Addr
}

func pointer(name string) reg.GPVirtual {
	r := GP64()
	MOVQ(argument(name), r)
	return r
}

// run writes runGeneric.
func (v vec) run() {
	TEXT("run"+v.name, NOSPLIT, "func(h, decay, events, a, b, c *float32, ld, n, rows int)")
	Pragma("noescape")
	Doc("run" + v.name + " is runGeneric; ld counts bytes.")
	magic, least := v.load(constant(magicAt)), v.load(constant(leastAt))
	v.parts(func(disp int, label func(string) string) {
		before, decay, ev := pointer("h"), pointer("decay"), pointer("events")
		a, b, c, t := pointer("a"), pointer("b"), pointer("c"), pointer("rows")
		n := pointer("n")
		after := GP64() // h one event on
		MOVQ(n, after)
		SHLQ(U8(6), after)
		ADDQ(before, after)

		Label(label("event"))
		delta, u, y := v.load(Mem{Base: ev, Disp: atDelta + disp}), v.load(Mem{Base: ev, Disp: atU + disp}), v.zero()
		k, off := GP64(), GP64()
		XORQ(k, k)
		XORQ(off, off)

		Label(label("state"))
		at := func(base reg.Register) Mem { return Mem{Base: base, Index: off, Scale: 1, Disp: disp} }
		e := v.exp2(at(a), delta, magic, least)
		VMOVUPS(e, at(decay))
		h := v.reg()
		VMULPS(at(before), e, h)
		VFMADD231PS(v.broadcast(Mem{Base: b, Index: k, Scale: 4}), u, h) // h = e·h + u·B
		VMOVUPS(h, at(after))
		VFMADD231PS(v.broadcast(Mem{Base: c, Index: k, Scale: 4}), h, y) // y += C·h
		ADDQ(U8(laneBytes), off)
		INCQ(k)
		CMPQ(k, n)
		JNE(LabelRef(label("state")))

		VMOVUPS(y, Mem{Base: ev, Disp: atY + disp})
		ADDQ(off, before) // off is n lanes now
		ADDQ(off, after)
		ADDQ(off, decay)
		ADDQ(U32(eventBytes), ev)
		ADDQ(argument("ld"), b)
		ADDQ(argument("ld"), c)
		DECQ(t)
		JNE(LabelRef(label("event")))
	})
	VZEROUPPER()
	RET()
}

// exp2 is layer.Exp2 of Δ·A' for a product of at most 0.
func (v vec) exp2(a Mem, delta, magic, least reg.VecVirtual) reg.VecVirtual {
	y, t, r, p := v.reg(), v.reg(), v.reg(), v.reg()
	VMULPS(a, delta, y)
	VMAXPS(least, y, y)
	VADDPS(magic, y, t) // t := y + magic
	VSUBPS(magic, t, r)
	VSUBPS(r, y, r) // r := y - (t - magic)
	VMOVUPS(constant(6), p)
	for i := 5; i >= 0; i-- {
		VFMADD213PS(constant(i), r, p)
	}
	VPSLLD(U8(23), t, t)
	VMULPS(t, p, p)
	return p
}

// back writes backGeneric.
func (v vec) back() {
	TEXT("back"+v.name, NOSPLIT, "func(grad, da, dbc, h, decay, events, a, b, c *float32, ld, n, rows int)")
	Pragma("noescape")
	Doc("back" + v.name + " is backGeneric; ld counts bytes, and all but grad, da and a begin at the last event.")
	v.parts(func(disp int, label func(string) string) {
		g, da, dbc, before := pointer("grad"), pointer("da"), pointer("dbc"), pointer("h")
		decay, ev, a := pointer("decay"), pointer("events"), pointer("a")
		b, c := pointer("b"), pointer("c")
		after, t := GP64(), pointer("rows")
		MOVQ(argument("n"), after)
		SHLQ(U8(6), after)
		ADDQ(before, after)

		Label(label("event"))
		event := func(at int) Mem { return Mem{Base: ev, Disp: at + disp} }
		delta, u, dy := v.load(event(atDelta)), v.load(event(atU)), v.load(event(atDY))
		du, ddecay := v.zero(), v.zero()
		k, off := GP64(), GP64()
		XORQ(k, k)
		XORQ(off, off)

		Label(label("state"))
		at := func(base reg.Register) Mem { return Mem{Base: base, Index: off, Scale: 1, Disp: disp} }
		dB := Mem{Base: dbc, Index: off, Scale: 2, Disp: disp}
		dC := dB.Offset(laneBytes)
		grad, sum := v.load(at(g)), v.load(dB)
		VFMADD231PS(v.broadcast(Mem{Base: c, Index: k, Scale: 4}), dy, grad) // grad = g + dy·C
		VFMADD231PS(u, grad, sum)                                            // dB += grad·u
		VMOVUPS(sum, dB)
		sum = v.load(dC)
		VFMADD231PS(at(after), dy, sum) // dC += dy·h
		VMOVUPS(sum, dC)
		VFMADD231PS(v.broadcast(Mem{Base: b, Index: k, Scale: 4}), grad, du) // du += grad·B
		VMULPS(at(decay), grad, grad)
		VMOVUPS(grad, at(g))
		through := v.reg()
		VMULPS(at(before), grad, through)
		VFMADD231PS(at(a), through, ddecay)
		sum = v.load(at(da))
		VFMADD231PS(delta, through, sum)
		VMOVUPS(sum, at(da))
		ADDQ(U8(laneBytes), off)
		INCQ(k)
		CMPQ(k, argument("n"))
		JNE(LabelRef(label("state")))

		VMOVUPS(du, event(atDU))
		VMOVUPS(ddecay, event(atDDecay))
		SUBQ(off, before) // off is n lanes now
		SUBQ(off, after)
		SUBQ(off, decay)
		SUBQ(off, dbc)
		SUBQ(off, dbc)
		SUBQ(U32(eventBytes), ev)
		SUBQ(argument("ld"), b)
		SUBQ(argument("ld"), c)
		DECQ(t)
		JNE(LabelRef(label("event")))
	})
	VZEROUPPER()
	RET()
}
