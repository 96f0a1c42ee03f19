package pipeline

import (
	"cmp"
	"math"
	"strconv"
	"strings"

	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/pipeline/encoding"
	"github.com/weirstream/weir/statestore"
)

// A place orders the outputs of one input partition: by the offset of the record that they
// answer, and there by their index.
type place struct {
	offset int64
	index  int
}

// nowhere is before every place, allBefore behind those of all records before an offset.
var nowhere = allBefore(statestore.NoOffset + 1)

func allBefore(offset int64) place { return place{offset - 1, math.MaxInt} }

func (m *Message) place() place { return place{m.Offset, m.Index} }

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.offset, q.offset), cmp.Compare(p.index, q.index))
}

// latest returns the greater of two places.
func latest(p, q place) place {
	if p.compare(q) < 0 {
		return q
	}
	return p
}

// String is a place in a note and in logs: the offset, alone where all of it is meant.
func (p place) String() string {
	if p.index == math.MaxInt {
		return strconv.FormatInt(p.offset, 10)
	}
	return strconv.FormatInt(p.offset, 10) + "." + strconv.Itoa(p.index)
}

// parsePlace is String's inverse.
func parsePlace(text string) (p place, ok bool) { return cutPlace(text, ".", math.MaxInt) }

// cutPlace reads an offset and, behind sep, an index; where there is none, it is alone.
func cutPlace(text, sep string, alone int) (p place, ok bool) {
	offset, index, some := strings.Cut(text, sep)
	p.index = alone
	p.offset, ok = parseInt(offset)
	if some && ok {
		var i int64
		i, ok = parseInt(index)
		p.index = int(i)
	}
	return p, ok
}

func parseInt(text string) (n int64, ok bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

// appendSource appends the value of the header weir-source: the id of the answer at p.
func appendSource(dst []byte, topic string, partition int, p place) []byte {
	return encoding.AppendID(dst, topic, partition, &operator.Event{Offset: p.offset, Index: p.index})
}

// parseSource is appendSource's inverse for outputs of this input partition.
func parseSource(source, topic string, partition int) (p place, ok bool) {
	rest, ok := strings.CutPrefix(source, topic+"-"+strconv.Itoa(partition)+"-")
	if !ok {
		return p, false
	}
	p, ok = cutPlace(rest, "-", operator.WholeRecord)
	return p, ok && p.offset >= 0
}
