package web

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Query says which streams to list, and in which order.
type Query struct {
	// Text is in the names of the streams that are wanted, whatever the case.
	Text string
	// Sort is worst, name, events or incidents.
	Sort string
	// Only is empty, or alarm for the streams in an incident.
	Only          string
	Offset, Limit int
}

// maxLimit bounds a page of streams.
const maxLimit = 500

var sortOrders = []string{"worst", "name", "events", "incidents"}

// parseQuery reads a Query from a request's.
func parseQuery(v url.Values) (Query, error) {
	q := Query{Text: v.Get("q"), Sort: cmp.Or(v.Get("sort"), "worst"), Only: v.Get("only"), Limit: 50}
	if !slices.Contains(sortOrders, q.Sort) {
		return q, fmt.Errorf("sort %q: use one of %s", q.Sort, strings.Join(sortOrders, ", "))
	}
	if q.Only != "" && q.Only != "alarm" {
		return q, fmt.Errorf("only %q: use alarm", q.Only)
	}
	var err error
	if q.Offset, err = intOf(v, "offset", 0, 0, 1<<30); err != nil {
		return q, err
	}
	q.Limit, err = intOf(v, "limit", q.Limit, 1, maxLimit)
	return q, err
}

// intOf reads a whole number between least and most.
func intOf(v url.Values, name string, otherwise, least, most int) (int, error) {
	if !v.Has(name) {
		return otherwise, nil
	}
	n, err := strconv.Atoi(v.Get(name))
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%s %q: use a whole number from %d to %d", name, v.Get(name), least, most)
	}
	return n, nil
}

// A Row is one stream in a list. What is no number is null.
type Row struct {
	ID        int        `json:"id"`
	Name      string     `json:"name"`
	Time      int64      `json:"time"`
	Value     nullable   `json:"value"`
	YHat      nullable   `json:"yhat"`
	Score     float64    `json:"score"`
	Heat      float64    `json:"heat"` // highest score of late, cooling
	State     string     `json:"state"`
	Events    int64      `json:"events"`
	Fields    int        `json:"fields"`
	Incidents int        `json:"incidents"`
	Alarm     bool       `json:"alarm"` // in an incident now
	Spark     *sparkLine `json:"spark"`
}

// A Page is a window on the list of the streams that a Query asks for.
type Page struct {
	// Total is the number of streams on the board, Matched of those asked for.
	Total   int   `json:"total"`
	Matched int   `json:"matched"`
	Offset  int   `json:"offset"`
	Streams []Row `json:"streams"`
}

// A place is what a stream is sorted by.
type place struct {
	w         *watched
	heat      float64
	n         int64
	incidents int
}

// List returns what q asks for, as of now.
func (b *Board) List(q Query) Page {
	now := time.Now()
	places, total := b.places(q, now)
	slices.SortFunc(places, orders[q.Sort])
	page := Page{Total: total, Matched: len(places), Offset: min(q.Offset, len(places)), Streams: []Row{}}
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, p := range places[page.Offset:min(page.Offset+q.Limit, len(places))] {
		page.Streams = append(page.Streams, p.w.row(now))
	}
	return page
}

// places returns the streams that match, in no order.
func (b *Board) places(q Query, now time.Time) (places []place, total int) {
	text := strings.ToLower(q.Text)
	b.mu.RLock()
	defer b.mu.RUnlock()
	places = make([]place, 0, len(b.byID))
	for _, w := range b.byID {
		if text != "" && !strings.Contains(strings.ToLower(w.name), text) {
			continue
		}
		if q.Only == "alarm" && w.episode.current == nil {
			continue
		}
		places = append(places, place{w, coarse(w.heatAt(now)), w.n, w.episode.total})
	}
	return places, len(b.byID)
}

// coarse is heat in steps, so that what hardly differs does not change places all the
// time; below half of the threshold all is one.
func coarse(heat float64) float64 {
	if heat < 0.5 {
		return 0
	}
	return math.Round(heat*10) / 10
}

var orders = map[string]func(a, b place) int{
	"worst":     func(a, b place) int { return cmp.Or(cmp.Compare(b.heat, a.heat), byName(a, b)) },
	"name":      byName,
	"events":    func(a, b place) int { return cmp.Or(cmp.Compare(b.n, a.n), byName(a, b)) },
	"incidents": func(a, b place) int { return cmp.Or(cmp.Compare(b.incidents, a.incidents), byName(a, b)) },
}

func byName(a, b place) int { return strings.Compare(a.w.name, b.w.name) }

// row is the stream as a list shows it; b.mu is held.
func (w *watched) row(now time.Time) Row {
	last := w.ring.at(w.ring.len() - 1)
	return Row{
		ID: w.id, Name: w.name, Time: int64(last[pointTime]),
		Value: nullable(last[pointHead+columnValue]), YHat: nullable(last[pointHead+columnYHat]),
		Score: last[pointScore], Heat: math.Round(w.heatAt(now)*100) / 100, State: stateOf(last),
		Events: w.n, Fields: len(w.columns), Incidents: w.episode.total, Alarm: w.episode.current != nil,
		Spark: w.ring.spark(),
	}
}

// stateOf is a point's phase in the words of the output.
func stateOf(point []float64) string {
	switch flags := int(point[pointFlags]); {
	case flags&flagLate != 0:
		return "late"
	case flags&flagGap != 0:
		return "gap"
	case flags&flagWarming != 0:
		return "warming"
	}
	return "ready"
}

const (
	sparkPoints  = 240 // that a spark line covers
	sparkBuckets = 60
	sparkHeight  = 99
)

// A sparkLine is the first column's course in few numbers: of each bucket of points the
// lowest and the highest value, from 0 to sparkHeight, and the buckets with an alarm.
type sparkLine struct {
	Low    []int `json:"low"`
	High   []int `json:"high"`
	Alarms []int `json:"alarms,omitempty"`
}

// spark draws the last points. Buckets keep their points as time goes on, so that the
// line moves and does not flicker.
func (r *ring) spark() *sparkLine {
	const per = sparkPoints / sparkBuckets
	n := min(r.len(), sparkPoints)
	least, most := math.Inf(1), math.Inf(-1)
	for i := r.len() - n; i < r.len(); i++ {
		if v := r.at(i)[pointHead+columnValue]; !math.IsNaN(v) {
			least, most = min(least, v), max(most, v)
		}
	}
	level := func(v float64) int {
		if most > least {
			return int(math.Round((v/2 - least/2) / (most/2 - least/2) * sparkHeight))
		}
		return sparkHeight / 2
	}
	line := &sparkLine{Low: []int{}, High: []int{}}
	bucket := uint64(math.MaxUint64)
	for i := r.len() - n; i < r.len(); i++ {
		point := r.at(i)
		if b := (r.seq - uint64(r.len()-i)) / per; b != bucket {
			bucket = b
			line.Low, line.High = append(line.Low, sparkHeight), append(line.High, 0)
		}
		at := len(line.Low) - 1
		if v := point[pointHead+columnValue]; !math.IsNaN(v) {
			line.Low[at], line.High[at] = min(line.Low[at], level(v)), max(line.High[at], level(v))
		}
		if int(point[pointFlags])&flagAnomaly != 0 && (len(line.Alarms) == 0 || line.Alarms[len(line.Alarms)-1] != at) {
			line.Alarms = append(line.Alarms, at)
		}
	}
	return line
}

// nullable is a number that is null in JSON where it is none.
type nullable float64

// MarshalJSON implements json.Marshaler.
func (x nullable) MarshalJSON() ([]byte, error) {
	if f := float64(x); !math.IsNaN(f) && !math.IsInf(f, 0) {
		return strconv.AppendFloat(nil, f, 'g', 8, 64), nil
	}
	return []byte("null"), nil
}
