package web

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Health knows which of the process's components work. It is ready when all do.
// All methods may be called from any goroutine.
type Health struct {
	mu         sync.Mutex
	components []component // in the order they were named
}

// A component is one line of the readiness report.
type component struct {
	Name   string    `json:"name"`
	Status string    `json:"status"` // ok, starting or failing
	Since  time.Time `json:"since"`  // of the status
	Error  string    `json:"error,omitempty"`
	// Note is what happened to the component last that it made good by itself.
	Note string `json:"note,omitempty"`
}

const (
	statusOK       = "ok"
	statusStarting = "starting"
	statusFailing  = "failing"
)

// NewHealth returns a Health whose named components are starting: not ready until
// each was Set without an error.
func NewHealth(components ...string) *Health {
	h := &Health{}
	now := time.Now().UTC()
	for _, name := range components {
		h.components = append(h.components, component{Name: name, Status: statusStarting, Since: now})
	}
	return h
}

// Set reports that a component works, or fails with err. One that was not named
// before joins the others. Passwords that err's text may hold are not shown.
func (h *Health) Set(name string, err error) {
	status, text := statusOK, ""
	if err != nil {
		status, text = statusFailing, redact(err.Error())
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.component(name)
	if c.Status != status {
		c.Status, c.Since = status, time.Now().UTC()
	}
	c.Error = text
}

// Note keeps what happened to a component, beside its status.
func (h *Health) Note(name, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.component(name).Note = redact(text)
}

// component returns the named component; h.mu is held.
func (h *Health) component(name string) *component {
	for i := range h.components {
		if h.components[i].Name == name {
			return &h.components[i]
		}
	}
	h.components = append(h.components, component{Name: name, Status: statusOK, Since: time.Now().UTC()})
	return &h.components[len(h.components)-1]
}

// Ready reports whether every component works.
func (h *Health) Ready() bool {
	_, ready := h.report()
	return ready
}

func (h *Health) report() (components []component, ready bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	ready = true
	for _, c := range h.components {
		ready = ready && c.Status == statusOK
	}
	return append([]component{}, h.components...), ready
}

// Mux returns a mux that answers /livez (200 as long as the process runs) and
// /readyz (200 where every component works, else 503, and the components either
// way). Other handlers may join it.
func (h *Health) Mux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": statusOK})
	})
	mux.HandleFunc("GET /readyz", h.serveReady)
	return mux
}

func (h *Health) serveReady(w http.ResponseWriter, _ *http.Request) {
	var body struct {
		Status     string      `json:"status"`
		Components []component `json:"components"`
	}
	components, ready := h.report()
	body.Status, body.Components = statusOK, components
	code := http.StatusOK
	if !ready {
		body.Status, code = "unavailable", http.StatusServiceUnavailable
	}
	writeJSON(w, code, body)
}

// writeJSON answers with a body that no one may store: it is of this moment.
func writeJSON(w http.ResponseWriter, code int, body any) {
	writeAs(w, code, "application/json", body)
}

func writeAs(w http.ResponseWriter, code int, kind string, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = w.Write(append(text, '\n')) // a client that left needs no answer
}

var (
	// The user part of a URL, up to the last @ of a word: a password that was not
	// escaped may hold slashes and colons, or another @.
	userInfo = regexp.MustCompile(`//[^\s"]*@`)
	// A setting whose name says that its value is secret.
	secretSetting = regexp.MustCompile(`(?i)((?:password|passwd|secret|token|api_?key)["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s&,;)}"']+)`)
)

// redact takes what looks like a secret out of an error's text, and cuts it short.
func redact(text string) string {
	const most = 300
	text = userInfo.ReplaceAllString(text, "//***@")
	text = secretSetting.ReplaceAllString(text, "${1}***")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
