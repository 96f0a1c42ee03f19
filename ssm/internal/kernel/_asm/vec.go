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
	table   Mem
	constAt = map[string]int{}
)

func init() {
	type constant struct {
		name string
		bits uint32
	}
	f := func(name string, v float64) constant { return constant{name, math.Float32bits(float32(v))} }
	list := []constant{
		f("two0", 1), f("two1", 0.6931471824645996), f("two2", 0.24022646248340607), f("two3", 0.05550328642129898),
		f("two4", 0.009618489071726799), f("two5", 0.0013399930903688073), f("two6", 0.0001534581242594868),
		f("exp0", 1), f("exp1", 1), f("exp2", 0.49999991059303284), f("exp3", 0.16666419804096222),
		f("exp4", 0.04166822507977486), f("exp5", 0.008374816738069057), f("exp6", 0.001383684459142387),
		f("log0", -0.4999990165233612), f("log1", 0.3332996368408203), f("log2", -0.24954134225845337),
		f("log3", 0.1967593878507614), f("log4", -0.15305592119693756), f("log5", 0.10603654384613037),
		f("log6", -0.05695953220129013), f("log7", 0.019851459190249443), f("log8", -0.003244024468585849),
		f("magic", 1.5*(1<<23)+127), f("log2e", 1.4426950216293335),
		f("ln2Hi", 0.6931471824645996), f("ln2Lo", -1.904654212125934e-9),
		f("expMin", -87), f("expMax", 87), f("exp2Min", -126), f("half", 0.5),
		{"sign", 1 << 31},
	}
	table = GLOBL("constants", RODATA|NOPTR)
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
	return table.Offset(at)
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

// A wide is several vectors that are computed side by side: instruction by
// instruction, each for all of them. The functions here are long chains, and one
// chain after the other would fill the processor's scheduler with instructions
// that wait.
type wide []reg.VecVirtual

func (v vec) wide(n int) wide {
	w := make(wide, n)
	for i := range w {
		w[i] = v.reg()
	}
	return w
}

// loaded returns n registers that hold a constant each.
func (v vec) loaded(n int, name string) wide {
	w := v.wide(n)
	for _, r := range w {
		VMOVUPS(v.mem(name), r)
	}
	return w
}

func (w wide) each(write func(i int)) {
	for i := range w {
		write(i)
	}
}

// horner returns p = c[n] ; p = fma(p, x, c[i]) down to c[0].
func (v vec) horner(c func(i int) Op, n int, x wide) wide {
	p := v.wide(len(x))
	p.each(func(i int) { VMOVUPS(c(n), p[i]) })
	for k := n - 1; k >= 0; k-- {
		ck := v.once(c(k), len(x))
		p.each(func(i int) { VFMADD213PS(ck, x[i], p[i]) })
	}
	return p
}

// once returns an operand that n instructions read: a register, where they are
// several and it is in memory.
func (v vec) once(op Op, n int) Op {
	if _, inMemory := op.(Mem); !inMemory || n == 1 {
		return op
	}
	r := v.reg()
	VMOVUPS(op, r)
	return r
}

// constants returns a polynomial's coefficients, in memory.
func (v vec) constants(prefix string) func(i int) Op {
	return func(i int) Op { return v.mem(prefix + string(rune('0'+i))) }
}

// reduce is reduce of math.go. It leaves r in x.
func (v vec) reduce(x wide) (scale wide) {
	t, n := v.loaded(len(x), "magic"), v.wide(len(x))
	constant := func(name string) Op { return v.once(v.mem(name), len(x)) }
	log2e, magic, hi, lo := constant("log2e"), constant("magic"), constant("ln2Hi"), constant("ln2Lo")
	x.each(func(i int) { VFMADD231PS(log2e, x[i], t[i]) }) // t := fma(x, log2e, magic)
	x.each(func(i int) { VSUBPS(magic, t[i], n[i]) })      // n := t - magic
	x.each(func(i int) { VFNMADD231PS(hi, n[i], x[i]) })   // r = fma(n, -ln2Hi, x)
	x.each(func(i int) { VFNMADD231PS(lo, n[i], x[i]) })   // r = fma(n, -ln2Lo, r)
	x.each(func(i int) { VPSLLD(U8(23), t[i], t[i]) })
	return t
}

// softplus is softplus of math.go.
func (v vec) softplus(x wide) wide {
	a, least := v.wide(len(x)), v.load("expMin")
	x.each(func(i int) { v.or(v.mem("sign"), x[i], a[i]) })
	x.each(func(i int) { VMAXPS(a[i], least, a[i]) }) // maxf(expMin, -|v|)
	scale := v.reduce(a)
	e := v.horner(v.constants("exp"), 6, a)
	x.each(func(i int) { VMULPS(scale[i], e[i], e[i]) }) // exp

	p, square, relu := v.horner(v.constants("log"), 8, e), v.wide(len(x)), v.reg()
	v.xor(relu, relu, relu)
	x.each(func(i int) { VMAXPS(x[i], relu, x[i]) }) // maxf(0, v)
	x.each(func(i int) { VMULPS(e[i], e[i], square[i]) })
	x.each(func(i int) { VFMADD213PS(x[i], square[i], p[i]) }) // fma(e², log1pPoly(e), maxf(0, v))
	x.each(func(i int) { VADDPS(e[i], p[i], p[i]) })
	return p
}

// silu is silu of math.go.
func (v vec) silu(x wide) wide {
	a, least, most := v.wide(len(x)), v.load("expMin"), v.load("expMax")
	x.each(func(i int) { VMAXPS(x[i], least, x[i]) }) // v = maxf(expMin, v)
	x.each(func(i int) { VMINPS(x[i], most, a[i]) })
	x.each(func(i int) { v.xor(v.mem("sign"), a[i], a[i]) }) // -minf(-expMin, v)
	scale := v.reduce(a)
	tail := v.constants("exp")
	w := v.horner(func(i int) Op { return tail(i + 1) }, 5, a)
	x.each(func(i int) { VMULPS(a[i], w[i], w[i]) })
	x.each(func(i int) { VFMADD213PS(v.mem("exp0"), scale[i], w[i]) }) // fma(w, scale, 1)
	x.each(func(i int) { VADDPS(scale[i], w[i], w[i]) })
	x.each(func(i int) { VDIVPS(w[i], x[i], x[i]) })
	return x
}
