package web

import (
	"math"
	"slices"
)

// A ring holds the last points of one stream. A point is a row of float64s:
//
//	time, offset, p-value, score, flags, then for each column value, yhat, lower, upper, share
type ring struct {
	rows  []float64 // (points, stride), the oldest at row first once it is full
	first int
	room  int    // in points
	seq   uint64 // number of points ever added
	width int    // columns
}

// The places of a point's numbers, and of a column's behind them.
const (
	pointTime = iota
	pointOffset
	pointP
	pointScore
	pointFlags
	pointHead
)

const (
	columnValue = iota
	columnYHat
	columnLower
	columnUpper
	columnShare
	columnSize
)

// Flags of a point.
const (
	flagAnomaly = 1 << iota
	flagWarming
	flagLate
	flagGap
)

func (r *ring) stride() int { return pointHead + columnSize*r.width }

// len is the number of points held.
func (r *ring) len() int { return len(r.rows) / r.stride() }

// next returns the row of a new point, to be filled in.
func (r *ring) next() []float64 {
	r.seq++
	stride := r.stride()
	if n := r.len(); n < r.room {
		r.rows = slices.Grow(r.rows, stride)[:len(r.rows)+stride]
		return r.rows[n*stride:]
	}
	row := r.rows[r.first*stride:][:stride]
	r.first = (r.first + 1) % r.room
	return row
}

// at returns the i-th point, the oldest being 0.
func (r *ring) at(i int) []float64 {
	stride := r.stride()
	return r.rows[(r.first+i)%r.len()*stride:][:stride]
}

// after returns copies of the points that were added after the first seq, at most most of
// them, the newest.
func (r *ring) after(seq uint64, most int) [][]float64 {
	n := min(uint64(r.len()), uint64(most))
	if seq <= r.seq {
		n = min(n, r.seq-seq)
	}
	points := make([][]float64, n)
	for i := range points {
		points[i] = slices.Clone(r.at(r.len() - int(n) + i))
	}
	return points
}

// reshape gives the ring another room or number of columns, keeping the newest points.
func (r *ring) reshape(room, width int) {
	old := *r
	*r = ring{room: room, width: width}
	from := max(old.len()-room, 0)
	for i := from; i < old.len(); i++ {
		row := r.next()
		clear(row)
		copy(row, old.at(i))
	}
	r.seq = old.seq
}

// insertColumn makes room for one more column before the one at the given place. Points
// without it have no value there.
func (r *ring) insertColumn(at int) {
	old := *r
	*r = ring{room: old.room, width: old.width + 1}
	cut := pointHead + at*columnSize
	for i := range old.len() {
		from, row := old.at(i), r.next()
		copy(row, from[:cut])
		clear(row[cut : cut+columnSize])
		row[cut+columnValue] = math.NaN()
		copy(row[cut+columnSize:], from[cut:])
	}
	r.seq = old.seq
}
