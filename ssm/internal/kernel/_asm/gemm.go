package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A tile is the part of a product that stays in registers: some rows of a times
// one panel, sixteen columns of it, two panels, or a panel and the narrow last one.
// More than one keep enough sums going to hide the latency of an FMA where there is
// one row only.
type tile struct {
	vec
	rows, cols int // cols in vectors

	acc   [][]reg.VecVirtual
	panel reg.Register
	apart reg.Register // bytes from one panel to the next, where there are two
	tail  reg.Register // the narrow panel behind, where it is the second
}

// gemm writes one tile's kernel. stride is the length of a panel's row.
func gemm(isa string, rows, cols, lanes int) {
	name := fmt.Sprintf("gemm%dx%d%s", rows, cols*lanes, isa)
	TEXT(name, NOSPLIT, "func(dst *float32, ldd int, a *float32, lda int, panel *float32, stride, k int, add bool)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s computes %d rows of %d columns: Gemm's loop with the sums in registers.", name, rows, cols*lanes))
	t := tile{vec: vec{lanes: lanes}, rows: rows, cols: cols}

	a := rowPointers(Load(Param("a"), GP64()), Load(Param("lda"), GP64()), rows)
	t.panel = Load(Param("panel"), GP64())
	stride := Load(Param("stride"), GP64())
	SHLQ(U8(2), stride)
	k := Load(Param("k"), GP64())
	if cols > t.perPanel() {
		t.apart = GP64() // (k+1)·stride
		LEAQ(Mem{Base: k, Disp: 1}, t.apart)
		IMULQ(stride, t.apart)
	}
	if cols == t.perPanel()+1 {
		t.tail = GP64()
		LEAQ(Mem{Base: t.panel, Index: t.apart, Scale: 1}, t.tail)
	}
	t.start()
	Label("k")
	ADDQ(stride, t.panel)
	if t.tail != nil {
		ADDQ(U8(64), t.tail)
	}
	t.multiply(a)
	a.advance(4)
	DECQ(k)
	JNZ(LabelRef("k"))
	t.store(rowPointers(Load(Param("dst"), GP64()), Load(Param("ldd"), GP64()), rows))
	VZEROUPPER()
	RET()
}

func (t *tile) perPanel() int { return 32 / t.lanes }

// column addresses vector c of the panels' current row.
func (t *tile) column(c int) Mem {
	if c < t.perPanel() {
		return Mem{Base: t.panel, Disp: c * 4 * t.lanes}
	}
	if t.tail != nil {
		return Mem{Base: t.tail}
	}
	return Mem{Base: t.panel, Index: t.apart, Scale: 1, Disp: (c - t.perPanel()) * 4 * t.lanes}
}

// start writes acc = bias[j].
func (t *tile) start() {
	t.acc = make([][]reg.VecVirtual, t.rows)
	for r := range t.acc {
		for c := range t.cols {
			t.acc[r] = append(t.acc[r], t.reg())
			if r == 0 {
				VMOVUPS(t.column(c), t.acc[0][c])
			} else {
				VMOVAPS(t.acc[0][c], t.acc[r][c])
			}
		}
	}
}

// multiply writes acc = fma(a[i][k], w[j][k], acc).
func (t *tile) multiply(a pointers) {
	w := make([]reg.VecVirtual, t.cols)
	for c := range w {
		w[c] = t.reg()
		VMOVUPS(t.column(c), w[c])
	}
	broadcast := []reg.VecVirtual{t.reg(), t.reg()}
	for r := range t.rows {
		b := broadcast[r%2]
		VBROADCASTSS(a.row(r), b)
		for c := range w {
			VFMADD231PS(w[c], b, t.acc[r][c])
		}
	}
}

// store writes dst[i][j] = acc, or dst[i][j] += acc.
func (t *tile) store(dst pointers) {
	add := Load(Param("add"), GP8())
	TESTB(add, add)
	JZ(LabelRef("store"))
	for r, row := range t.acc {
		for c, acc := range row {
			VADDPS(dst.row(r).Offset(c*4*t.lanes), acc, acc)
		}
	}
	Label("store")
	for r, row := range t.acc {
		for c, acc := range row {
			VMOVUPS(acc, dst.row(r).Offset(c*4*t.lanes))
		}
	}
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
