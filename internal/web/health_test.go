package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// ask returns the status code and the body of a request that needs no network.
func ask(t *testing.T, h http.Handler, method, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	return w.Code, w.Body.String()
}

func TestLiveWhateverFails(t *testing.T) {
	h := NewHealth("kafka")
	h.Set("kafka", errors.New("away"))
	code, body := ask(t, h.Mux(), "GET", "/livez")
	if code != 200 || body != "{\"status\":\"ok\"}\n" {
		t.Errorf("/livez: %d %s", code, body)
	}
}

func TestReadyOnlyWhenEveryComponentWorks(t *testing.T) {
	h := NewHealth("kafka", "state")
	mux := h.Mux()
	steps := []struct {
		component string
		err       error
		want      int
	}{
		{"kafka", nil, 503}, // state is still starting
		{"state", nil, 200},
		{"partitions", errors.New("none assigned"), 503},
		{"kafka", errors.New("away"), 503},
		{"partitions", nil, 503},
		{"kafka", nil, 200},
	}
	if code, body := ask(t, mux, "GET", "/readyz"); code != 503 || !strings.Contains(body, `"starting"`) {
		t.Errorf("at the start: %d %s", code, body)
	}
	for _, step := range steps {
		h.Set(step.component, step.err)
		code, body := ask(t, mux, "GET", "/readyz")
		if code != step.want || h.Ready() != (code == 200) {
			t.Errorf("after %s: %v: %d, want %d: %s", step.component, step.err, code, step.want, body)
		}
	}
}

func TestReadinessSaysSinceWhenAndWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHealth("kafka", "state")
		start := time.Now().UTC()
		time.Sleep(time.Minute)
		h.Set("kafka", nil)
		h.Set("state", errors.New("dial tcp 10.0.0.1:6379: connection refused"))
		time.Sleep(time.Minute)
		h.Set("kafka", nil) // works on: since does not move
		h.Set("state", errors.New("i/o timeout"))
		_, body := ask(t, h.Mux(), "GET", "/readyz")
		var got struct {
			Status     string
			Components []component
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatal(err)
		}
		want := []component{
			{Name: "kafka", Status: "ok", Since: start.Add(time.Minute)},
			{Name: "state", Status: "failing", Since: start.Add(time.Minute), Error: "i/o timeout"},
		}
		if diff := cmp.Diff(want, got.Components); diff != "" || got.Status != "unavailable" {
			t.Errorf("status %s (-want +got)\n%s", got.Status, diff)
		}
	})
}

func TestHealthShowsNoSecret(t *testing.T) {
	const secret = "hunter2"
	for _, text := range []string{
		"redis://weir:hunter2@redis:6379/0: connection refused",
		`parse "rediss://:hun/ter2:hunter2@x@redis:6379": invalid port`,
		"redis://:hunter2@/x",
		"sasl: password=hunter2 refused", `sasl: {"password": "hunter2"}`, "Token: hunter2", "api_key=hunter2&x=1", "secret='hunter2'",
	} {
		h := NewHealth()
		h.Set("state", errors.New(text))
		code, body := ask(t, h.Mux(), "GET", "/readyz")
		if code != 503 || strings.Contains(body, secret) || strings.Contains(body, "ter2") {
			t.Errorf("%s\nis shown as %s", text, body)
		}
		if !strings.Contains(body, "***") {
			t.Errorf("%s\nis shown as %s, which does not say that something is left out", text, body)
		}
	}
	const plain = "dial tcp 10.0.0.1:6379: connect: connection refused"
	if got := redact(plain); got != plain {
		t.Errorf("%s became %s", plain, got)
	}
	if got := redact(strings.Repeat("é", 400)); len(got) > 310 || !strings.HasSuffix(got, "é…") {
		t.Errorf("a long text became %d bytes: %s", len(got), got)
	}
}

func TestHealthTakesOnlyReads(t *testing.T) {
	mux := NewHealth().Mux()
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405, "DELETE": 405} {
		if code, _ := ask(t, mux, method, "/readyz"); code != want {
			t.Errorf("%s /readyz: %d, want %d", method, code, want)
		}
	}
}

func TestMuxTakesOtherHandlers(t *testing.T) {
	mux := NewHealth().Mux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("m 1\n")) })
	if code, body := ask(t, mux, "GET", "/metrics"); code != 200 || body != "m 1\n" {
		t.Errorf("/metrics: %d %q", code, body)
	}
	if code, _ := ask(t, mux, "GET", "/other"); code != 404 {
		t.Errorf("/other: %d", code)
	}
}

func TestHealthMayBeSetFromAnywhere(t *testing.T) {
	h := NewHealth("a")
	mux := h.Mux()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 100 {
				h.Set(fmt.Sprintf("c%d", (i+n)%3), nil)
				ask(t, mux, "GET", "/readyz")
			}
		})
	}
	wg.Wait()
	h.Set("a", nil)
	if !h.Ready() {
		t.Error("not ready")
	}
}
