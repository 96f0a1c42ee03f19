package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// peakChains is how many sums of PeakFMA grow side by side: more than an FMA's
// latency times the FMAs a cycle of any processor so far.
const peakChains = 12

// peakFMA writes PeakFMA: independent chains x = fma(x, ½, ½), which stay at 1.
func (v vec) peakFMA() {
	TEXT("peakFMA"+v.name, NOSPLIT, "func(rounds int)")
	Doc("peakFMA" + v.name + " computes 12 vectors of fused multiply-adds a round.")
	rounds := Load(Param("rounds"), GP64())
	half := v.load("half")
	sums := make([]reg.VecVirtual, peakChains)
	for i := range sums {
		sums[i] = v.load("exp0")
	}
	Label("round")
	for _, sum := range sums {
		VFMADD213PS(half, half, sum)
	}
	DECQ(rounds)
	JNZ(LabelRef("round"))
	VZEROUPPER()
	RET()
}

// peakExp writes PeakExp: four independent exponentials a round.
func (v vec) peakExp() {
	TEXT("peakExp"+v.name, NOSPLIT, "func(rounds int)")
	Doc("peakExp" + v.name + " computes exp2Neg of 4 vectors a round.")
	rounds := Load(Param("rounds"), GP64())
	s := scan{vec: v}
	s.constants()
	delta := v.load("half")
	Label("round")
	x := v.mem("expMin")
	for left := 4; left > 0; left -= s.abreast() {
		s.exp2Neg([]Op{x, x, x, x}[:s.abreast()], delta)
	}
	DECQ(rounds)
	JNZ(LabelRef("round"))
	VZEROUPPER()
	RET()
}

// update writes Update: every number is read, multiplied by 1 and written.
func (v vec) update() {
	TEXT("update"+v.name, NOSPLIT, "func(p *float32, blocks int)")
	Pragma("noescape")
	Doc("update" + v.name + " is Update for 16·blocks numbers.")
	p, blocks := Load(Param("p"), GP64()), Load(Param("blocks"), GP64())
	one, x := v.load("exp0"), v.reg()
	Label("block")
	for part := range v.parts() {
		at := Mem{Base: p, Disp: 4 * v.lanes * part}
		VMULPS(at, one, x)
		VMOVUPS(x, at)
	}
	ADDQ(U8(64), p)
	DECQ(blocks)
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}
