package web

import (
	"math"
	"net/http"

	"github.com/weirstream/weir/operator"
)

// A profile is what a stream's state is, in a form that a person can read.
type profile struct {
	Stream string `json:"stream"`
	Model  string `json:"model"`
	// Offset is that of the last event in the state.
	Offset     int64          `json:"offset"`
	Bytes      int            `json:"bytes"`
	Floats     int            `json:"state_floats"` // of one field's SSM state
	Events     int64          `json:"events"`
	Time       int64          `json:"time"`          // of the last event, Unix milliseconds
	TypicalGap float64        `json:"typical_gap_s"` // between two events
	Fields     []profileField `json:"fields"`
}

type profileField struct {
	Name    string     `json:"name"`
	Events  int64      `json:"events"`
	Last    nullable   `json:"last"`
	Centre  nullable   `json:"centre"`
	Spread  nullable   `json:"spread"`
	Repeats nullable   `json:"repeats"`
	Memory  memoryView `json:"half_lives"`
}

// A memoryView is the distribution of the half-lives of a state's numbers, in events.
type memoryView struct {
	Shortest nullable `json:"shortest"`
	Median   nullable `json:"median"`
	Longest  nullable `json:"longest"`
	// Edges are the bounds of a histogram, Counts what lies between them.
	Edges  []float64 `json:"edges"`
	Counts []int     `json:"counts"`
}

// memoryEdges are half-lives from a quarter of an event to 65,536.
var memoryEdges = func() (edges []float64) {
	for e := -2; e <= 16; e++ {
		edges = append(edges, math.Exp2(float64(e)))
	}
	return edges
}()

// viewMemory counts half-lives, which ascend. Those beyond the edges count at them.
func viewMemory(lives []float64) memoryView {
	v := memoryView{Edges: memoryEdges, Counts: make([]int, len(memoryEdges)-1)}
	if len(lives) == 0 {
		return v
	}
	v.Shortest, v.Median, v.Longest = nullable(lives[0]), nullable(lives[len(lives)/2]), nullable(lives[len(lives)-1])
	for _, life := range lives {
		bin := int(math.Floor(math.Log2(life))) + 2
		v.Counts[min(max(bin, 0), len(v.Counts)-1)]++
	}
	return v
}

// profile answers with what a stream's state holds.
func (a *API) profile(w http.ResponseWriter, r *http.Request) {
	record, err := a.Owner.Record(r.Context(), r.PathValue("stream"))
	if err != nil {
		problemOf(w, err)
		return
	}
	p, err := a.Owner.Model.Profile(record)
	if err != nil {
		problemOf(w, err)
		return
	}
	body := profile{
		Stream: r.PathValue("stream"), Model: a.Owner.Model.Tag(), Offset: record.Offset, Bytes: len(record.Bytes),
		Floats: p.StateFloats, Events: p.Events, Time: p.Time, TypicalGap: p.TypicalGap, Fields: []profileField{},
	}
	for _, f := range p.Fields {
		body.Fields = append(body.Fields, profileField{
			Name: f.Name, Events: f.Events, Last: nullable(f.Last), Centre: nullable(f.Centre), Spread: nullable(f.Spread),
			Repeats: nullable(f.Repeats), Memory: viewMemory(f.HalfLives),
		})
	}
	writeJSON(w, http.StatusOK, body)
}

// A forecast is what a stream is expected to do after its last event.
type forecast struct {
	Stream string                               `json:"stream"`
	Levels [len(operator.OutlookLevels)]float64 `json:"levels"`
	Fields []forecastField                      `json:"fields"`
}

type forecastField struct {
	Name      string      `json:"name"`
	Times     []int64     `json:"times"`
	Quantiles [][]float64 `json:"quantiles"` // (steps, levels)
}

// forecast answers with a stream's outlook, from a copy of its state: the stream itself
// does not move.
func (a *API) forecast(w http.ResponseWriter, r *http.Request) {
	const usual, most = 48, 512
	steps, err := intOf(r.URL.Query(), "steps", usual, 1, most)
	if err != nil {
		problem(w, http.StatusBadRequest, err.Error())
		return
	}
	record, err := a.Owner.Record(r.Context(), r.PathValue("stream"))
	if err != nil {
		problemOf(w, err)
		return
	}
	outlooks, err := a.Owner.Model.Outlook(record, steps)
	if err != nil {
		problemOf(w, err)
		return
	}
	body := forecast{Stream: r.PathValue("stream"), Levels: operator.OutlookLevels, Fields: []forecastField{}}
	for _, o := range outlooks[:min(len(outlooks), maxColumns)] {
		body.Fields = append(body.Fields, forecastField{Name: o.Field, Times: o.Times, Quantiles: o.Quantiles})
	}
	writeJSON(w, http.StatusOK, body)
}
