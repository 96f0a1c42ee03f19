package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"

	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/pipeline"
)

// maxBody bounds what a request may send.
const maxBody = 4 << 10

// problem answers with what is wrong (RFC 9457).
func problem(w http.ResponseWriter, status int, detail string) {
	writeAs(w, status, "application/problem+json", map[string]any{
		"type": "about:blank", "title": http.StatusText(status), "status": status, "detail": redact(detail),
	})
}

// ErrNotOwned is of a stream whose partition is not with this process.
var ErrNotOwned = errors.New("no partition of this process has the stream")

// problemOf answers with an error of the operator's.
func problemOf(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, operator.ErrUnknownStream), errors.Is(err, ErrNotOwned):
		problem(w, http.StatusNotFound, err.Error())
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, pipeline.ErrGivenUp):
		problem(w, http.StatusServiceUnavailable, "the stream's partition did not answer in time: "+err.Error())
	default:
		problem(w, http.StatusInternalServerError, err.Error())
	}
}

// readBody reads a small JSON object; where it answers with a problem, it returns false.
func readBody(w http.ResponseWriter, r *http.Request, into any) bool {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		problem(w, http.StatusUnsupportedMediaType, "send application/json")
		return false
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			problem(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("send at most %d bytes", maxBody))
		} else {
			problem(w, http.StatusBadRequest, "the body cannot be read: "+err.Error())
		}
		return false
	}
	return true
}
