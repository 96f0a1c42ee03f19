package web

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

// serve starts a server and returns its URL, how to stop it, and what Serve
// returns.
func serve(t *testing.T, h http.Handler) (url string, stop context.CancelFunc, served <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s, err := Listen(ctx, "127.0.0.1:0", h)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(cancel)
	return "http://" + s.Addr().String(), cancel, done
}

func get(t *testing.T, url string, header http.Header) (*http.Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return client.Do(r)
}

func TestServerAnswersUntilItsContextEnds(t *testing.T) {
	url, stop, served := serve(t, NewHealth().Mux())
	resp, err := get(t, url+"/livez", nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 || !strings.Contains(string(body), "ok") {
		t.Errorf("/livez: %d %s %v", resp.StatusCode, body, err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	stop()
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if resp, err := get(t, url+"/livez", nil); err == nil {
		_ = resp.Body.Close()
		t.Error("the address still answers")
	}
}

func TestAnswerUnderWayIsFinishedAtShutdown(t *testing.T) {
	started := make(chan struct{})
	url, stop, served := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(started)
		<-r.Context().Done() // ends with the server's context, as a stream of events must
		_, _ = io.WriteString(w, "last words")
	}))
	answer := make(chan string, 1)
	go func() {
		resp, err := get(t, url, nil)
		if err != nil {
			answer <- err.Error()
			return
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		answer <- string(body)
	}()
	<-started
	stop()
	if got := <-answer; got != "last words" {
		t.Errorf("got %q", got)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestServerRefusesGreedyHeaders(t *testing.T) {
	url, _, _ := serve(t, NewHealth().Mux())
	resp, err := get(t, url+"/livez", http.Header{"X-Long": {strings.Repeat("x", 2*maxHeaderBytes)}})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestListenSaysWhichAddressIsTaken(t *testing.T) {
	s, err := Listen(t.Context(), "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	addr := s.Addr().String()
	if _, err := Listen(t.Context(), addr, nil); err == nil || !strings.Contains(err.Error(), addr) {
		t.Errorf("second Listen: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Serve(ctx); err != nil {
		t.Errorf("Serve after the end: %v", err)
	}
}

func TestServeReportsAListenerThatFails(t *testing.T) {
	s, err := Listen(t.Context(), "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(t.Context()); err == nil || !strings.Contains(err.Error(), "serve http") {
		t.Errorf("Serve: %v", err)
	}
}
