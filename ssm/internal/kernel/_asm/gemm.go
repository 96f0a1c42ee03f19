package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// gemm writes the product of some rows of a with one panel, with sixteen columns
// of it, or with two panels: cols vectors of lanes. stride is the length of a
// panel's row. Two panels keep enough sums going to hide the latency of an FMA
// where there is one row only.
func gemm(isa string, rows, cols, lanes int) {
	name := fmt.Sprintf("gemm%dx%d%s", rows, cols*lanes, isa)
	TEXT(name, NOSPLIT, "func(dst *float32, ldd int, a *float32, lda int, panel *float32, stride, k int, add bool)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s computes %d rows of %d columns: Gemm's loop with the sums in registers.", name, rows, cols*lanes))
	v := vec{lanes: lanes}

	a := rowPointers(Load(Param("a"), GP64()), Load(Param("lda"), GP64()), rows)
	panel := Load(Param("panel"), GP64())
	stride := Load(Param("stride"), GP64())
	SHLQ(U8(2), stride)
	k := Load(Param("k"), GP64())
	column := func(c int) Mem { return Mem{Base: panel, Disp: c * 4 * lanes} }
	if perPanel := 32 / lanes; cols > perPanel {
		apart := GP64() // bytes of a panel: (k+1)·stride
		LEAQ(Mem{Base: k, Disp: 1}, apart)
		IMULQ(stride, apart)
		first := column
		column = func(c int) Mem {
			if c < perPanel {
				return first(c)
			}
			return Mem{Base: panel, Index: apart, Scale: 1, Disp: (c - perPanel) * 4 * lanes}
		}
	}

	acc := make([][]reg.VecVirtual, rows)
	for r := range acc {
		for c := range cols {
			acc[r] = append(acc[r], v.reg())
			if r == 0 {
				VMOVUPS(column(c), acc[0][c]) // acc = bias[j]
			} else {
				VMOVAPS(acc[0][c], acc[r][c])
			}
		}
	}
	w := make([]reg.VecVirtual, cols)
	for c := range w {
		w[c] = v.reg()
	}
	bcast := []reg.VecVirtual{v.reg(), v.reg()}

	Label("k")
	ADDQ(stride, panel)
	for c := range w {
		VMOVUPS(column(c), w[c])
	}
	for r := range rows {
		b := bcast[r%2]
		VBROADCASTSS(a.row(r), b)
		for c := range w {
			VFMADD231PS(w[c], b, acc[r][c]) // acc = fma(a[i][k], w[j][k], acc)
		}
	}
	a.advance(4)
	DECQ(k)
	JNZ(LabelRef("k"))

	dst := rowPointers(Load(Param("dst"), GP64()), Load(Param("ldd"), GP64()), rows)
	add := Load(Param("add"), GP8())
	TESTB(add, add)
	JZ(LabelRef("store"))
	for r := range rows {
		for c := range w {
			VADDPS(dst.row(r).Offset(c*4*lanes), acc[r][c], acc[r][c])
		}
	}
	Label("store")
	for r := range rows {
		for c := range w {
			VMOVUPS(acc[r][c], dst.row(r).Offset(c*4*lanes))
		}
	}
	VZEROUPPER()
	RET()
}

// pointers addresses up to eight rows that lie a fixed distance apart.
type pointers struct {
	base        [2]reg.Register // rows 0 and 4
	once, three reg.Register    // the distance in bytes, and three times that
	rows        int
}

func rowPointers(base, distance reg.Register, rows int) pointers {
	SHLQ(U8(2), distance)
	p := pointers{base: [2]reg.Register{base, base}, once: distance, rows: rows}
	if rows > 2 {
		three := GP64()
		LEAQ(Mem{Base: distance, Index: distance, Scale: 2}, three)
		p.three = three
	}
	if rows > 4 {
		four := GP64()
		LEAQ(Mem{Base: base, Index: distance, Scale: 4}, four)
		p.base[1] = four
	}
	return p
}

func (p pointers) row(r int) Mem {
	base := p.base[r/4]
	switch r % 4 {
	case 1:
		return Mem{Base: base, Index: p.once, Scale: 1}
	case 2:
		return Mem{Base: base, Index: p.once, Scale: 2}
	case 3:
		return Mem{Base: base, Index: p.three, Scale: 1}
	}
	return Mem{Base: base}
}

func (p pointers) advance(bytes int) {
	ADDQ(U8(bytes), p.base[0])
	if p.rows > 4 {
		ADDQ(U8(bytes), p.base[1])
	}
}
