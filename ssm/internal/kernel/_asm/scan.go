package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// scanStep writes ScanStep. Lanes are channels, so the loop over d_state needs
// no sum across lanes; h and A are read front to back.
func (v vec) scanStep() {
	TEXT("scanStep"+v.name, NOSPLIT, "func(y, h, dt, x, z, b, c, a, d, next *float32, gap float32, blocks, dState int)")
	Pragma("noescape")
	Doc("scanStep" + v.name + " is ScanStep for 16·blocks channels.")
	s := scan{
		vec: v,
		y:   Load(Param("y"), GP64()), h: Load(Param("h"), GP64()), dt: Load(Param("dt"), GP64()),
		x: Load(Param("x"), GP64()), z: Load(Param("z"), GP64()), b: Load(Param("b"), GP64()),
		c: Load(Param("c"), GP64()), a: Load(Param("a"), GP64()), d: Load(Param("d"), GP64()),
		next: Load(Param("next"), GP64()), dState: Load(Param("dState"), GP64()),
	}
	at, end := GP64(), Load(Param("blocks"), GP64()) // byte offsets within a row
	SHLQ(U8(6), end)
	s.prepare(at, end)
	s.constants()

	XORQ(at, at)
	Label("block")
	for part := range v.parts() {
		s.part(part, at)
	}
	// h, a and next now stand at the following block.
	ADDQ(U8(64), at)
	DECQ(s.param("blocks")) // in memory: no register is left
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}

type scan struct {
	vec
	y, h, dt, x, z, b, c, a, d, next, dState reg.Register

	poly         [7]Op
	magic, least reg.VecVirtual
}

// constants brings what exp2Neg needs into registers, of which AVX2 has too few
// for the polynomial.
func (s *scan) constants() {
	for i := range s.poly {
		name := "two" + string(rune('0'+i))
		if s.lanes == 16 {
			s.poly[i] = s.load(name)
		} else {
			s.poly[i] = s.mem(name)
		}
	}
	s.magic, s.least = s.load("magic"), s.load("exp2Min")
}

// param addresses an argument where the caller put it.
func (s scan) param(name string) Mem {
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return p.Addr
}

// prepare writes the loop that turns dt into Δ and z into silu(z), some vectors at
// once as long as there are so many left.
func (s scan) prepare(at, end reg.Register) {
	gap := s.reg()
	VBROADCASTSS(s.param("gap"), gap)
	XORQ(at, at)
	if s.lanes == 16 {
		const several = 2
		SUBQ(U8(64*(several-1)), end) // the last at which several begin lies before it
		Label("prepareSeveral")
		CMPQ(at, end)
		JGE(LabelRef("prepareRest"))
		s.activate(several, at, gap)
		JMP(LabelRef("prepareSeveral"))
		Label("prepareRest")
		ADDQ(U8(64*(several-1)), end)
		CMPQ(at, end)
		JE(LabelRef("prepared"))
	}
	Label("prepare")
	s.activate(1, at, gap)
	CMPQ(at, end)
	JNE(LabelRef("prepare"))
	Label("prepared")
}

// activate writes Δ and silu(z) of count vectors.
func (s scan) activate(count int, at reg.Register, gap reg.VecVirtual) {
	row := func(base reg.Register, i int) Mem { return Mem{Base: base, Index: at, Scale: 1, Disp: 4 * s.lanes * i} }
	dt := s.wide(count)
	dt.each(func(i int) { VMOVUPS(row(s.dt, i), dt[i]) })
	delta := s.softplus(dt)
	delta.each(func(i int) { VMULPS(gap, delta[i], delta[i]) }) // Δ = softplus(dt) · gap
	delta.each(func(i int) { VMOVUPS(delta[i], row(s.dt, i)) })
	z := s.wide(count)
	z.each(func(i int) { VMOVUPS(row(s.z, i), z[i]) })
	gate := s.silu(z)
	gate.each(func(i int) { VMOVUPS(gate[i], row(s.z, i)) })
	ADDQ(U8(4*s.lanes*count), at)
}

// part writes one vector of channels. h, a and next move on by one block in the
// last part only.
func (s scan) part(part int, at reg.Register) {
	disp := 4 * s.lanes * part
	row := func(base reg.Register) Mem { return Mem{Base: base, Index: at, Scale: 1, Disp: disp} }

	delta, u, sum := s.reg(), s.reg(), s.reg()
	VMOVUPS(row(s.dt), delta)
	VMULPS(row(s.x), delta, u) // u = Δ · x
	s.xor(sum, sum, sum)       // y = 0
	n, off, left := GP64(), GP64(), GP64()
	XORQ(n, n)
	XORQ(off, off)
	MOVQ(s.dState, left)

	several, one, done := labels("several", part), labels("one", part), labels("done", part)
	Label(several)
	SUBQ(U8(s.abreast()), left)
	JL(LabelRef(one + "begin"))
	s.advance(s.abreast(), part, n, off, delta, u, sum)
	JMP(LabelRef(several))
	Label(one + "begin")
	ADDQ(U8(s.abreast()), left)
	JZ(LabelRef(done))
	Label(one)
	s.advance(1, part, n, off, delta, u, sum)
	DECQ(left)
	JNZ(LabelRef(one))
	Label(done)
	if part == s.parts()-1 {
		ADDQ(off, s.h)
		ADDQ(off, s.a)
		ADDQ(off, s.next)
	}

	skip := s.reg()
	VMOVUPS(row(s.d), skip)
	VFMADD231PS(row(s.x), skip, sum) // fma(D, x, y)
	VMULPS(row(s.z), sum, sum)       // · silu(z)
	VMOVUPS(sum, row(s.y))
}

// abreast is how many n of d_state are computed side by side.
func (s scan) abreast() int {
	if s.lanes == 16 {
		return 4
	}
	return 2
}

// advance writes count turns of the loop over d_state, side by side.
func (s scan) advance(count, part int, n, off reg.Register, delta, u, sum reg.VecVirtual) {
	disp := 4 * s.lanes * part
	block := func(base reg.Register, i int) Mem { return Mem{Base: base, Index: off, Scale: 1, Disp: disp + 64*i} }
	single := func(base reg.Register, i int) Mem { return Mem{Base: base, Index: n, Scale: 4, Disp: 4 * i} }
	a := make([]Op, count)
	for i := range a {
		a[i] = block(s.a, i)
		if part == 0 {
			PREFETCHT1(Mem{Base: s.next, Index: off, Scale: 1, Disp: 64 * i})
		}
	}
	for i, e := range s.exp2Neg(a, delta) {
		h := s.reg()
		VMOVUPS(block(s.h, i), h)
		s.update(h, e, u, sum, single(s.b, i), single(s.c, i))
		VMOVUPS(h, block(s.h, i))
	}
	ADDQ(U32(64*count), off)
	ADDQ(U8(count), n)
}

// exp2Neg is exp2Neg of math.go, of Δ·A' for several A'.
func (s scan) exp2Neg(a []Op, delta reg.VecVirtual) wide {
	y, t, r := s.wide(len(a)), s.wide(len(a)), s.wide(len(a))
	y.each(func(i int) { VMULPS(a[i], delta, y[i]) })
	y.each(func(i int) { VMAXPS(y[i], s.least, y[i]) }) // y = maxf(exp2Min, y)
	y.each(func(i int) { VADDPS(s.magic, y[i], t[i]) }) // t := y + magic
	y.each(func(i int) { VSUBPS(s.magic, t[i], r[i]) }) //
	y.each(func(i int) { VSUBPS(r[i], y[i], r[i]) })    // r := y - (t - magic)
	p := s.horner(func(i int) Op { return s.poly[i] }, 6, r)
	y.each(func(i int) { VPSLLD(U8(23), t[i], t[i]) })
	y.each(func(i int) { VMULPS(t[i], p[i], p[i]) }) // horner(exp2Poly, r) · 2ⁿ
	return p
}

// update writes h = fma(h, e, u·B) and sum = fma(h, C, sum).
func (s scan) update(h, e, u, sum reg.VecVirtual, b, c Mem) {
	ub := s.reg()
	if s.lanes == 16 {
		VMULPS_BCST(b, u, ub)
		VFMADD213PS(ub, e, h)
		VFMADD231PS_BCST(c, h, sum)
		return
	}
	cn := s.reg()
	VBROADCASTSS(b, ub)
	VMULPS(ub, u, ub)
	VFMADD213PS(ub, e, h)
	VBROADCASTSS(c, cn)
	VFMADD231PS(cn, h, sum)
}
