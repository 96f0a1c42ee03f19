package web

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/operator/operatortest"
	"github.com/weirstream/weir/statestore"
)

// testAPI is an API of one partition with the streams "web-7/cpu" and "späte Züge".
func testAPI(t *testing.T) *API {
	t.Helper()
	m, err := operator.LoadModel(operatortest.Tiny(t, 1), "tiny")
	if err != nil {
		t.Fatal(err)
	}
	o := operator.New(m, statestore.NewMemory(), statestore.Partition{Topic: "events"}, statestore.Token{},
		operator.Config{FalseAlarms: 1.0 / 3600, MaxStreams: 100})
	if _, err := o.Claim(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	b := NewBoard(1.0 / 3600)
	var events []operator.Event
	for i := range int64(200) {
		events = append(events, operator.Event{
			Stream: []byte([]string{"web-7/cpu", "späte Züge"}[i%2]), Offset: i, Index: operator.WholeRecord,
			Time: 30_000 * i, Fields: []operator.Field{{Value: float64(i * i % 17)}},
		})
	}
	r, err := o.Apply(t.Context(), events)
	if err != nil {
		t.Fatal(err)
	}
	show(b, r.Predictions...)
	meter := NewMeter(func(context.Context) (Work, error) { return Work{Events: 200, Model: m.Tag()}, nil })
	meter.take(Work{Events: 200, SavedStreams: 2, SavedBytes: 2000, Model: m.Tag()}, nil, time.Now())
	return &API{
		Board: b, Meter: meter, Health: NewHealth("kafka"),
		Owner: &Owner{
			Model: m, Record: o.Record,
			Reset:  func(ctx context.Context, stream string) error { return o.Reset(ctx, stream, 1000) },
			Config: json.RawMessage(`{"service":{"name":"weir"}}`),
		},
		Demo: &Demo{
			State: func() any { return map[string]any{"speed": 1, "worker": 1, "twin": 1, "breaks": 1, "kinds": 1} },
			Kill:  func() error { return nil }, Speed: func(float64) error { return nil },
			Break: func(string, string) error { return fmt.Errorf("it is broken already") },
		},
	}
}

// send asks a guarded API as a browser on this machine would.
func send(t *testing.T, h http.Handler, method, path, body string, change func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Host, r.RemoteAddr = "localhost:8490", "127.0.0.1:50000"
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const cpu = "/api/v1/streams/web-7%2Fcpu"

// TestAPIAnswersAsItsDocumentSays asks for every path of the OpenAPI document and compares
// the members of the answers with the required ones there.
func TestAPIAnswersAsItsDocumentSays(t *testing.T) {
	guard := Guard{Hosts: []string{"localhost"}}
	h := guard.Wrap(testAPI(t).Handler())
	var doc struct {
		Paths map[string]map[string]struct {
			Responses map[string]struct {
				Content map[string]struct{ Schema schema }
			}
		}
		Components struct{ Schemas map[string]schema }
	}
	if err := json.Unmarshal(openAPI, &doc); err != nil {
		t.Fatal(err)
	}
	bodies := map[string]string{
		"/demo/kill": `{}`, "/demo/speed": `{"speed":60}`, "/streams/{stream}/reset": `{}`,
	}
	asked := 0
	for path, methods := range doc.Paths {
		for method, op := range methods {
			if path == "/events" || path == "/demo/break" || path == "/streams/{stream}/feedback" {
				continue // tested by themselves
			}
			asked++
			url := "/api/v1" + strings.Replace(path, "{stream}", "web-7%2Fcpu", 1)
			w := send(t, h, strings.ToUpper(method), url, bodies[path], nil)
			if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%s %s: %d %s %s", method, url, w.Code, w.Header().Get("Content-Type"), w.Body)
				continue
			}
			var answer any
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
				t.Errorf("%s %s: %v", method, url, err)
			}
			op.Responses["200"].Content["application/json"].Schema.check(t, url, answer, doc.Components.Schemas)
		}
	}
	if asked < 13 {
		t.Errorf("only %d paths were asked", asked)
	}
}

// A schema is the part of JSON Schema that the document uses.
type schema struct {
	Ref        string `json:"$ref"`
	Type       any
	Required   []string
	Properties map[string]schema
	Items      *schema
	Enum       []any
}

func (s schema) check(t *testing.T, where string, v any, named map[string]schema) {
	t.Helper()
	if s.Ref != "" {
		s = named[s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]]
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, v) {
		t.Errorf("%s: %v is none of %v", where, v, s.Enum)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				t.Errorf("%s: %q is missing", where, name)
			}
		}
		for name, member := range v {
			p, ok := s.Properties[name]
			if !ok && len(s.Properties) > 0 {
				t.Errorf("%s: %q is not in the document", where, name)
			}
			p.check(t, where+"."+name, member, named)
		}
	case []any:
		if s.Items == nil && s.Type == "array" {
			t.Errorf("%s: the document does not say what is in it", where)
		}
		for i := range v {
			if s.Items != nil {
				s.Items.check(t, where+"[]", v[i], named)
			}
		}
	case float64:
		s.is(t, where, "number", "integer")
	case string:
		s.is(t, where, "string")
	case bool:
		s.is(t, where, "boolean")
	case nil:
		s.is(t, where, "null")
	}
}

// is checks that the schema allows one of some types.
func (s schema) is(t *testing.T, where string, kinds ...string) {
	t.Helper()
	text := fmt.Sprint(s.Type)
	if s.Type != nil && !slices.ContainsFunc(kinds, func(kind string) bool { return strings.Contains(text, kind) }) {
		t.Errorf("%s is one of %v, the document says %s", where, kinds, text)
	}
}

func TestErrorsAreProblems(t *testing.T) {
	guard := Guard{Hosts: []string{"localhost"}}
	h := guard.Wrap(testAPI(t).Handler())
	long := `{"verdict":"` + strings.Repeat("x", maxBody) + `"}`
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/api/v1/streams?sort=best", "", 400},
		{"GET", "/api/v1/streams?limit=0", "", 400},
		{"GET", "/api/v1/streams?limit=501", "", 400},
		{"GET", "/api/v1/streams?only=some", "", 400},
		{"GET", "/api/v1/streams/nobody", "", 404},
		{"GET", "/api/v1/streams/nobody/points", "", 404},
		{"GET", "/api/v1/streams/nobody/forecast", "", 404},
		{"GET", cpu + "/points?since=-1", "", 400},
		{"GET", cpu + "/forecast?steps=1000000", "", 400},
		{"POST", "/api/v1/streams/nobody/reset", `{}`, 404},
		{"POST", cpu + "/feedback", `{"incident":1,"verdict":"maybe"}`, 400},
		{"POST", cpu + "/feedback", `{"incident":1000,"verdict":"false_alarm"}`, 404},
		{"POST", cpu + "/feedback", `{"incident":1,"verdict":"false_alarm","why":"x"}`, 400},
		{"POST", cpu + "/feedback", `[`, 400},
		{"POST", cpu + "/feedback", long, 413},
		{"POST", "/api/v1/demo/break", `{"stream":"web-7/cpu","kind":"spike"}`, 409},
		{"GET", "/api/v1/incidents?limit=x", "", 400},
		{"GET", "/api/v1/events?sort=x", "", 400},
		{"GET", "/api/v2/streams", "", 404},
		{"GET", "/../../etc/passwd", "", 404},
		{"GET", "/static/app.js", "", 404},
		{"DELETE", "/api/v1/streams", "", 405},
		{"POST", "/", `{}`, 405},
	} {
		w := send(t, h, c.method, c.path, c.body, nil)
		var p struct{ Status int }
		err := json.Unmarshal(w.Body.Bytes(), &p)
		if w.Code != c.want && !(c.want == 404 && w.Code == 307) || w.Code < 400 && w.Code != 307 {
			t.Errorf("%s %s %.40s: %d, want %d: %s", c.method, c.path, c.body, w.Code, c.want, w.Body)
		}
		if w.Code != 307 && (err != nil || p.Status != w.Code || w.Header().Get("Content-Type") != "application/problem+json") {
			t.Errorf("%s %s: no problem: %s %s", c.method, c.path, w.Header().Get("Content-Type"), w.Body)
		}
	}
	if w := send(t, h, "POST", cpu+"/feedback", `{}`, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }); w.Code != 415 {
		t.Errorf("a form's content type: %d", w.Code)
	}
}

func TestGuardRefusesOtherSites(t *testing.T) {
	guard := Guard{Hosts: []string{"localhost", "weir.example"}}
	h := guard.Wrap(testAPI(t).Handler())
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	for name, want := range map[string]int{
		"localhost:8490": 200, "LOCALHOST": 200, "127.0.0.1:8490": 200, "[::1]:8490": 200, "10.0.0.7": 200, "Weir.Example:80": 200, "localhost.": 200,
		"evil.example:8490": 421, "localhost.evil.example": 421, "127.0.0.1.nip.io": 421, "": 421,
	} {
		if w := send(t, h, "GET", "/api/v1/streams", "", host(name)); w.Code != want {
			t.Errorf("host %q: %d, want %d", name, w.Code, want)
		}
	}
	for what, c := range map[string]struct {
		change func(*http.Request)
		want   int
	}{
		"the page itself":       {nil, 200},
		"another site's form":   {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		"another port's page":   {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, 403},
		"an old browser's form": {func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "https://evil.example") }, 403},
		"curl on this machine":  {func(r *http.Request) { r.Header.Del("Sec-Fetch-Site") }, 200},
		"curl elsewhere":        {func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.RemoteAddr = "10.1.2.3:4000" }, 403},
	} {
		if w := send(t, h, "POST", "/api/v1/demo/kill", `{}`, c.change); w.Code != c.want {
			t.Errorf("a change by %s: %d, want %d: %s", what, w.Code, c.want, w.Body)
		}
	}
	open := Guard{Hosts: []string{"localhost"}, Remote: true}
	if w := send(t, open.Wrap(testAPI(t).Handler()), "POST", "/api/v1/demo/kill", `{}`, func(r *http.Request) { r.RemoteAddr = "10.1.2.3:4000" }); w.Code != 200 {
		t.Errorf("remote_changes: %d", w.Code)
	}
}

func TestPageHasNoWayToRunAnythingInline(t *testing.T) {
	guard := Guard{Hosts: []string{"localhost"}}
	h := guard.Wrap(testAPI(t).Handler())
	for _, path := range []string{"/", "/app.js", "/uPlot.iife.min.js", "/style.css", "/weir.svg"} {
		w := send(t, h, "GET", path, "", nil)
		policy := w.Header().Get("Content-Security-Policy")
		if w.Code != 200 || !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: %d, policy %s", path, w.Code, policy)
		}
		again := send(t, h, "GET", path, "", func(r *http.Request) { r.Header.Set("If-None-Match", w.Header().Get("ETag")) })
		if again.Code != 304 || again.Body.Len() > 0 {
			t.Errorf("%s again: %d", path, again.Code)
		}
	}
	page := send(t, h, "GET", "/", "", nil).Body.String()
	for _, bad := range []string{" onclick=", " style=", "<script>", "<style", "javascript:", "http://", "https://"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
}

func TestResetBeginsAnew(t *testing.T) {
	guard := Guard{Hosts: []string{"localhost"}}
	h := guard.Wrap(testAPI(t).Handler())
	if w := send(t, h, "POST", cpu+"/reset", "", nil); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	var p struct{ Events int }
	if err := json.Unmarshal(send(t, h, "GET", cpu, "", nil).Body.Bytes(), &p); err != nil || p.Events != 0 {
		t.Errorf("%d events after a reset, %v", p.Events, err)
	}
	other := send(t, h, "GET", "/api/v1/streams/"+url.PathEscape("späte Züge"), "", nil)
	if err := json.Unmarshal(other.Body.Bytes(), &p); err != nil || p.Events != 100 {
		t.Errorf("the other stream has %d events, %v: %s", p.Events, err, other.Body)
	}
}

// startAPI serves an API until the test ends, whoever still follows.
func startAPI(t *testing.T, api *API) *httptest.Server {
	server := httptest.NewServer(api.Handler())
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server
}

// An sse is a client that follows events.
type sse struct {
	lines  *bufio.Scanner
	cancel context.CancelFunc
}

func follow(t *testing.T, base, query string) *sse {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/api/v1/events?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil || res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%v %+v", err, res)
	}
	t.Cleanup(func() { cancel(); _ = res.Body.Close() })
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 8<<20)
	return &sse{lines, cancel}
}

// next returns the data of the next event of a kind.
func (s *sse) next(t *testing.T, kind string, into any) {
	t.Helper()
	for found := false; s.lines.Scan(); {
		line := s.lines.Text()
		if data, ok := strings.CutPrefix(line, "data: "); ok && found {
			if err := json.Unmarshal([]byte(data), into); err != nil {
				t.Fatal(err)
			}
			return
		}
		found = line == "event: "+kind || found && line != ""
	}
	t.Fatalf("no %s: %v", kind, s.lines.Err())
}

func TestEventsTellWhatIsNew(t *testing.T) {
	api := testAPI(t)
	server := startAPI(t, api)
	s := follow(t, server.URL, "limit=10&sort=name&stream=web-7/cpu&since=98")
	var wall wallUpdate
	s.next(t, "wall", &wall)
	if wall.Matched != 2 || len(wall.Changed) != 2 || len(wall.Order) != 2 {
		t.Errorf("the first list: %+v", wall)
	}
	var points struct {
		Seq    uint64
		Points [][]float64
	}
	s.next(t, "points", &points)
	if points.Seq != 100 || len(points.Points) != 2 {
		t.Errorf("after 98 of 100 points: %+v", points)
	}
	p := prediction("web-7/cpu", 500, 7, 0)
	show(api.Board, p)
	s.next(t, "points", &points)
	if points.Seq != 101 || len(points.Points) != 1 || points.Points[0][pointHead] != 7 {
		t.Errorf("after one more event: %+v", points)
	}
	for len(wall.Changed) != 1 { // the other row is the same
		s.next(t, "wall", &wall)
	}
	if wall.Changed[0].Name != "web-7/cpu" || len(wall.Order) != 2 {
		t.Errorf("what has changed: %+v", wall)
	}
}

// TestSlowClientSlowsNobody has clients that never read: what is observed goes on to the
// board and to a client that does, and nothing is dropped.
func TestSlowClientSlowsNobody(t *testing.T) {
	api := testAPI(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- api.Board.Run(ctx) }()
	server := startAPI(t, api)
	for range 8 {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.(*net.TCPConn).SetReadBuffer(1); err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(conn, "GET /api/v1/events?limit=500&stream=s0 HTTP/1.1\r\nHost: localhost\r\n\r\n")
	}
	reader := follow(t, server.URL, "limit=1&stream=s0")
	const streams, rounds = 500, 200
	batch := make([]operator.Prediction, streams)
	for round := range int64(rounds) {
		for i := range batch {
			batch[i] = prediction(fmt.Sprint("s", i), 1000+round*streams+int64(i), float64(round), 0)
		}
		for len(api.Board.free) == 0 { // faster than any worker: one that is slower loses nothing
			time.Sleep(time.Millisecond)
		}
		api.Board.Observe("events", 0, batch)
	}
	var points struct{ Seq uint64 }
	for points.Seq < rounds {
		reader.next(t, "points", &points)
	}
	if n := api.Board.dropped.Load(); n != 0 {
		t.Errorf("%d predictions were dropped", n)
	}
	reader.cancel()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestOnlySoManyFollow(t *testing.T) {
	api := testAPI(t)
	server := startAPI(t, api)
	for range maxListeners {
		follow(t, server.URL, "limit=1")
	}
	res, err := http.Get(server.URL + "/api/v1/events")
	if err != nil || res.StatusCode != 503 {
		t.Errorf("%v %v", res, err)
	}
	_ = res.Body.Close()
}
