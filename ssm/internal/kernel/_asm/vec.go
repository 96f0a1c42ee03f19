package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A vec emits vector code of one width. A block of sixteen channels takes one
// vector of AVX-512 or two of AVX2.
type vec struct {
	name  string
	lanes int
}

func (v vec) reg() reg.VecVirtual {
	if v.lanes == 16 {
		return ZMM()
	}
	return YMM()
}

// parts is the number of vectors of a block.
func (v vec) parts() int { return 16 / v.lanes }

// The constants of math.go, each as a full vector in memory.
var (
	constants Mem
	constAt   = map[string]int{}
)

func init() {
	type constant struct {
		name string
		bits uint32
	}
	f := func(name string, v float64) constant { return constant{name, math.Float32bits(float32(v))} }
	list := []constant{
		f("exp0", 1), f("exp1", 0.6931471824645996), f("exp2", 0.24022646248340607), f("exp3", 0.05550328642129898),
		f("exp4", 0.009618489071726799), f("exp5", 0.0013399930903688073), f("exp6", 0.0001534581242594868),
		f("log0", -0.4999990165233612), f("log1", 0.3332996368408203), f("log2", -0.24954134225845337),
		f("log3", 0.1967593878507614), f("log4", -0.15305592119693756), f("log5", 0.10603654384613037),
		f("log6", -0.05695953220129013), f("log7", 0.019851459190249443), f("log8", -0.003244024468585849),
		f("magic", 1.5*(1<<23)+127), f("log2eHi", 1.4426950216293335), f("log2eLo", 1.925963033500011e-8),
		f("expMin", -87), f("expMax", 87), f("exp2Min", -126), {"sign", 1 << 31},
	}
	constants = GLOBL("constants", RODATA|NOPTR)
	for i, c := range list {
		constAt[c.name] = 64 * i
		for l := range 16 {
			DATA(64*i+4*l, U32(c.bits)) // as an integer: avo prints F32(1) as one
		}
	}
}

func (v vec) mem(name string) Mem {
	at, ok := constAt[name]
	if !ok {
		panic("no constant " + name)
	}
	return constants.Offset(at)
}

// load returns a constant in a register.
func (v vec) load(name string) reg.VecVirtual {
	r := v.reg()
	VMOVUPS(v.mem(name), r)
	return r
}

// or and xor work on the bits; AVX-512's own names for it need less of the CPU.
func (v vec) or(m Op, x, dst reg.VecVirtual) {
	if v.lanes == 16 {
		VPORD(m, x, dst)
		return
	}
	VPOR(m, x, dst)
}

func (v vec) xor(m Op, x, dst reg.VecVirtual) {
	if v.lanes == 16 {
		VPXORD(m, x, dst)
		return
	}
	VPXOR(m, x, dst)
}

// horner returns p = c[n] ; p = fma(p, x, c[i]) down to c[0].
func (v vec) horner(c func(i int) Op, n int, x reg.VecVirtual) reg.VecVirtual {
	p := v.reg()
	VMOVUPS(c(n), p)
	for i := n - 1; i >= 0; i-- {
		VFMADD213PS(c(i), x, p)
	}
	return p
}

func (v vec) fromMemory(prefix string) func(i int) Op {
	return func(i int) Op { return v.mem(prefix + string(rune('0'+i))) }
}

// times2n multiplies p by 2ⁿ, n being in the low bits of t.
func (v vec) times2n(p, t reg.VecVirtual) {
	VPSLLD(U8(23), t, t)
	VMULPS(t, p, p) // horner(exp2Poly, r) * 2ⁿ
}

// exp is exp of math.go.
func (v vec) exp(x reg.VecVirtual) reg.VecVirtual {
	t, n, r := v.load("magic"), v.reg(), v.reg()
	hi := v.load("log2eHi")
	VFMADD231PS(hi, x, t)               // t := fma(x, log2eHi, magic)
	VSUBPS(v.mem("magic"), t, n)        // n := t - magic
	VMOVAPS(x, r)                       //
	VFMSUB213PS(n, hi, r)               // r = fma(x, log2eHi, -n)
	VFMADD231PS(v.mem("log2eLo"), x, r) // r = fma(x, log2eLo, r)
	p := v.horner(v.fromMemory("exp"), 6, r)
	v.times2n(p, t)
	return p
}

// softplus is softplus of math.go.
func (v vec) softplus(x reg.VecVirtual) reg.VecVirtual {
	a, least, zero := v.reg(), v.load("expMin"), v.reg()
	v.or(v.mem("sign"), x, a)
	VMAXPS(a, least, a) // maxf(expMin, -|v|)
	e := v.exp(a)
	p, square := v.horner(v.fromMemory("log"), 8, e), v.reg()
	VMULPS(e, e, square)
	VFMADD213PS(e, square, p) // fma(e², log1pPoly(e), e)
	v.xor(zero, zero, zero)
	VMAXPS(x, zero, zero) // maxf(0, v)
	VADDPS(zero, p, p)
	return p
}

// silu is silu of math.go.
func (v vec) silu(x reg.VecVirtual) reg.VecVirtual {
	num, a, least, most := v.reg(), v.reg(), v.load("expMin"), v.load("expMax")
	VMAXPS(x, least, num) // v = maxf(expMin, v)
	VMINPS(num, most, a)
	v.xor(v.mem("sign"), a, a) // -minf(-expMin, v)
	e := v.exp(a)
	VADDPS(v.mem("exp0"), e, e) // 1 + e
	VDIVPS(e, num, num)
	return num
}
