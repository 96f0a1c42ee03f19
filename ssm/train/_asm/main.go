// Command _asm writes the vector versions of package train's selective scan, AVX2
// with FMA and AVX-512: the two halves of a blockScan. Run it with go generate in
// the directory above.
//
// A block's 16 channels take one vector of AVX-512, or two of AVX2, of which first
// the one and then the other is taken through all events.
package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("!purego")
	constants()
	for _, v := range []vec{{"AVX2", 8}, {"AVX512", 16}} {
		v.run()
		v.back()
	}
	Generate()
}

// A vec emits vector code of one width.
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

func (v vec) zero() reg.VecVirtual {
	r := v.reg()
	if v.lanes == 16 {
		VPXORD(r, r, r)
	} else {
		VPXOR(r, r, r)
	}
	return r
}

// load returns a register with what m holds.
func (v vec) load(m Mem) reg.VecVirtual {
	r := v.reg()
	VMOVUPS(m, r)
	return r
}

// broadcast returns a register with the one number m in all lanes.
func (v vec) broadcast(m Mem) reg.VecVirtual {
	r := v.reg()
	VBROADCASTSS(m, r)
	return r
}

// parts calls emit for each vector of a block, with its offset in bytes.
func (v vec) parts(emit func(disp int, label func(name string) string)) {
	for part := range 16 / v.lanes {
		emit(part*4*v.lanes, func(name string) string { return name + string(rune('0'+part)) })
	}
}

const (
	laneBytes  = 64            // a lane: 16 float32
	eventBytes = 6 * laneBytes // a scanEvent, whose fields' offsets follow
	atDelta    = 0 * laneBytes
	atU        = 1 * laneBytes
	atY        = 2 * laneBytes
	atDY       = 3 * laneBytes
	atDU       = 4 * laneBytes
	atDDecay   = 5 * laneBytes
)

// The constants of layer.Exp2, each as a full vector: the polynomial's coefficients
// from the lowest degree, magic and the least exponent.
var table Mem

const (
	magicAt = 7
	leastAt = 8
)

func constants() {
	table = GLOBL("scanConstants", RODATA|NOPTR)
	for i, c := range []float64{
		1, 0.6931471824645996, 0.24022646248340607, 0.05550328642129898,
		0.009618489071726799, 0.0013399930903688073, 0.0001534581242594868,
		1.5*(1<<23) + 127, -126,
	} {
		for l := range 16 {
			DATA(laneBytes*i+4*l, U32(math.Float32bits(float32(c)))) // as an integer: avo prints F32(1) as one
		}
	}
}

func constant(i int) Mem { return table.Offset(laneBytes * i) }
