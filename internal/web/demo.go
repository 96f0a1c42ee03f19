package web

import (
	"net/http"
)

// A Demo is what can be done to a demonstration that nobody would do to anything else.
type Demo struct {
	// State is what there is to see of it, as JSON.
	State func() any
	// Kill ends the operator's process with SIGKILL.
	Kill func() error
	// Break changes what a stream's source says, in one of the ways of State.
	Break func(stream, kind string) error
	// Speed sets how many seconds of telemetry are replayed in one; 0 pauses.
	Speed func(factor float64) error
}

func (d *Demo) register(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/v1/demo", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, d.State())
	})
	mux.HandleFunc("POST /api/v1/demo/kill", func(w http.ResponseWriter, _ *http.Request) {
		d.done(w, d.Kill())
	})
	mux.HandleFunc("POST /api/v1/demo/break", func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Stream string `json:"stream"`
			Kind   string `json:"kind"`
		}
		if readBody(w, r, &body) {
			d.done(w, d.Break(body.Stream, body.Kind))
		}
	})
	mux.HandleFunc("POST /api/v1/demo/speed", func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Speed float64 `json:"speed"`
		}
		if readBody(w, r, &body) {
			d.done(w, d.Speed(body.Speed))
		}
	})
}

// done answers with the state that something was done to, or why it was not.
func (d *Demo) done(w http.ResponseWriter, err error) {
	if err != nil {
		problem(w, http.StatusConflict, err.Error())
		return
	}
	writeJSON(w, http.StatusOK, d.State())
}
