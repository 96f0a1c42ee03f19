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
	CMPQ(at, end)
	JNE(LabelRef("block"))
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

// prepare writes the loop that turns dt into Δ and z into silu(z). In a loop of
// their own these long chains of one block run beside those of the next.
func (s scan) prepare(at, end reg.Register) {
	param, err := Param("gap").Resolve()
	if err != nil {
		panic(err)
	}
	gap, in := s.reg(), s.reg()
	VBROADCASTSS(param.Addr, gap)
	XORQ(at, at)
	Label("prepare")
	delta := Mem{Base: s.dt, Index: at, Scale: 1}
	VMOVUPS(delta, in)
	soft := s.softplus(in)
	VMULPS(gap, soft, soft) // Δ = softplus(dt) · gap
	VMOVUPS(soft, delta)
	gate := Mem{Base: s.z, Index: at, Scale: 1}
	VMOVUPS(gate, in)
	VMOVUPS(s.silu(in), gate)
	ADDQ(U8(4*s.lanes), at)
	CMPQ(at, end)
	JNE(LabelRef("prepare"))
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
	n, off := GP64(), GP64()
	XORQ(n, n)
	XORQ(off, off)

	loop := labels("n", part)
	Label(loop)
	state := Mem{Base: s.h, Index: off, Scale: 1, Disp: disp}
	e := s.exp2Neg(Mem{Base: s.a, Index: off, Scale: 1, Disp: disp}, delta)
	hReg := s.reg()
	VMOVUPS(state, hReg)
	if part == 0 {
		PREFETCHT1(Mem{Base: s.next, Index: off, Scale: 1})
	}
	s.update(hReg, e, u, sum, Mem{Base: s.b, Index: n, Scale: 4}, Mem{Base: s.c, Index: n, Scale: 4})
	VMOVUPS(hReg, state)
	ADDQ(U8(64), off)
	INCQ(n)
	CMPQ(n, s.dState)
	JNE(LabelRef(loop))
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

// exp2Neg is exp2Neg of math.go, of Δ·A'.
func (s scan) exp2Neg(a Mem, delta reg.VecVirtual) reg.VecVirtual {
	y, t, r := s.reg(), s.reg(), s.reg()
	VMULPS(a, delta, y)
	VMAXPS(y, s.least, y) // y = maxf(exp2Min, y)
	VADDPS(s.magic, y, t) // t := y + magic
	VSUBPS(s.magic, t, r) //
	VSUBPS(r, y, r)       // r := y - (t - magic)
	p := s.horner(func(i int) Op { return s.poly[i] }, 6, r)
	VPSLLD(U8(23), t, t)
	VMULPS(t, p, p) // horner(exp2Poly, r) · 2ⁿ
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
