package web

import (
	"context"
	_ "embed" // openapi.json
	"encoding/json"
	"net/http"
	"time"

	"github.com/weirstream/weir/operator"
)

// An Owner is what only the process that owns the partitions can say and do. Errors match
// ErrNotOwned, operator.ErrUnknownStream or pipeline.ErrGivenUp where they are those.
type Owner struct {
	Model  *operator.Model
	Record func(ctx context.Context, stream string) (operator.Record, error)
	Reset  func(ctx context.Context, stream string) error
	// Config is the configuration without its secrets, as JSON.
	Config json.RawMessage
}

// A Label is a stretch of time that something is known of.
type Label struct {
	Start int64 `json:"start"` // Unix milliseconds
	End   int64 `json:"end"`
	// Kind is incident for a labelled one, otherwise what was done to the stream.
	Kind string `json:"kind"`
}

// An API answers under /api/v1 what the page asks, and everybody else.
type API struct {
	Board  *Board
	Meter  *Meter
	Health *Health
	// Owner is of this process; nil where Forward reaches the one that has the partitions.
	Owner   *Owner
	Forward http.Handler
	// Labels returns what is known of a stream between two times; nil where nothing is.
	Labels func(stream string, from, to int64) []Label
	// Demo is nil outside of a demo.
	Demo *Demo

	listeners chan struct{} // as many as there may be
}

const (
	// answerLimit is the longest that an answer waits for a partition's worker.
	answerLimit = 15 * time.Second
	// maxListeners is how many clients may follow the events at once.
	maxListeners = 32
)

//go:embed openapi.json
var openAPI []byte

// Handler returns the API and the page.
func (a *API) Handler() http.Handler {
	a.listeners = make(chan struct{}, maxListeners)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/streams", a.list)
	mux.HandleFunc("GET /api/v1/streams/{stream}", a.owned(a.profile))
	mux.HandleFunc("GET /api/v1/streams/{stream}/points", a.points)
	mux.HandleFunc("GET /api/v1/streams/{stream}/forecast", a.owned(a.forecast))
	mux.HandleFunc("POST /api/v1/streams/{stream}/reset", a.owned(a.reset))
	mux.HandleFunc("POST /api/v1/streams/{stream}/feedback", a.feedback)
	mux.HandleFunc("GET /api/v1/incidents", a.incidents)
	mux.HandleFunc("GET /api/v1/counters", a.counters)
	mux.HandleFunc("GET /api/v1/events", a.events)
	mux.HandleFunc("GET /api/v1/config", a.owned(a.config))
	mux.HandleFunc("GET /api/v1/health", a.health)
	mux.HandleFunc("GET /api/v1/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(openAPI)
	})
	if a.Demo != nil {
		a.Demo.register(mux)
	}
	mux.Handle("/", pageHandler())
	return mux
}

// owned answers itself where the partitions are here, and else forwards.
func (a *API) owned(here http.HandlerFunc) http.HandlerFunc {
	if a.Owner == nil {
		return a.Forward.ServeHTTP
	}
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), answerLimit)
		defer cancel()
		here(w, r.WithContext(ctx))
	}
}

func (a *API) list(w http.ResponseWriter, r *http.Request) {
	q, err := parseQuery(r.URL.Query())
	if err != nil {
		problem(w, http.StatusBadRequest, err.Error())
		return
	}
	writeJSON(w, http.StatusOK, a.Board.List(q))
}

// reset answers once the reset is durable.
func (a *API) reset(w http.ResponseWriter, r *http.Request) {
	stream := r.PathValue("stream")
	if err := a.Owner.Reset(r.Context(), stream); err != nil {
		problemOf(w, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"stream": stream, "reset": true})
}

// points answers with a stream's recent events and what is known of their time.
func (a *API) points(w http.ResponseWriter, r *http.Request) {
	since, err := intOf(r.URL.Query(), "since", 0, 0, 1<<53)
	if err == nil {
		var most int
		if most, err = intOf(r.URL.Query(), "limit", maxPoints, 1, maxPoints); err == nil {
			a.writePoints(w, r.PathValue("stream"), uint64(since), most)
			return
		}
	}
	problem(w, http.StatusBadRequest, err.Error())
}

func (a *API) writePoints(w http.ResponseWriter, stream string, since uint64, most int) {
	p, ok := a.Board.Points(stream, since, most)
	if !ok {
		problem(w, http.StatusNotFound, "the board has no such stream")
		return
	}
	writeJSON(w, http.StatusOK, pointsBody{p, a.labels(&p), a.Board.Incidents(stream, streamIncidents)})
}

// pointsBody is Points with what is known of their time.
type pointsBody struct {
	Points
	Labels    []Label    `json:"labels"`
	Incidents []Incident `json:"incidents"`
}

// streamIncidents is how many incidents of a stream are told with its points.
const streamIncidents = 50

func (a *API) labels(p *Points) []Label {
	if a.Labels == nil || len(p.Points) == 0 {
		return []Label{}
	}
	return a.Labels(p.Stream, int64(p.Points[0][pointTime]), int64(p.Points[len(p.Points)-1][pointTime]))
}

// feedback records what a person says of an incident.
func (a *API) feedback(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Incident int    `json:"incident"`
		Verdict  string `json:"verdict"`
	}
	if !readBody(w, r, &body) {
		return
	}
	if body.Verdict != falseAlarm && body.Verdict != confirmed {
		problem(w, http.StatusBadRequest, "verdict: use false_alarm or confirmed")
		return
	}
	if !a.Board.Judge(r.PathValue("stream"), body.Incident, body.Verdict) {
		problem(w, http.StatusNotFound, "the stream has no such incident")
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"incident": body.Incident, "verdict": body.Verdict})
}

func (a *API) incidents(w http.ResponseWriter, r *http.Request) {
	const most = 200
	n, err := intOf(r.URL.Query(), "limit", 50, 1, most)
	if err != nil {
		problem(w, http.StatusBadRequest, err.Error())
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"incidents": a.Board.Incidents(r.URL.Query().Get("stream"), n)})
}

func (a *API) counters(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, a.Meter.counters(a.Board, true))
}

func (a *API) config(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, a.Owner.Config)
}

func (a *API) health(w http.ResponseWriter, _ *http.Request) {
	components, ready := a.Health.report()
	status := statusOK
	if !ready {
		status = "unavailable"
	}
	writeJSON(w, http.StatusOK, map[string]any{"status": status, "components": components})
}
