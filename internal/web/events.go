package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	// eventTick is how often a client that follows one stream hears of it; of the list it
	// hears every wallTicks.
	eventTick, wallTicks = 250 * time.Millisecond, 2
	// slowLimit is how long a client may take for one message.
	slowLimit = 10 * time.Second
)

// A listener is one client that follows events: a window on the list, and one stream.
type listener struct {
	api    *API
	query  Query
	stream string
	since  uint64 // points of the stream that it has
	rows   map[int]rowMark
	buf    bytes.Buffer
}

// rowMark is what a client has seen of a row.
type rowMark struct {
	name      string
	n         int64
	heat      float64
	incidents int
	alarm     bool
}

// events streams what changes, as server-sent events: wall, points, counters and, in a
// demo, demo. Each message is what there is when the client is ready for it; a client that
// is slow misses some and delays nobody.
func (a *API) events(w http.ResponseWriter, r *http.Request) {
	q, err := parseQuery(r.URL.Query())
	if err != nil {
		problem(w, http.StatusBadRequest, err.Error())
		return
	}
	since, err := intOf(r.URL.Query(), "since", 0, 0, 1<<53)
	if err != nil {
		problem(w, http.StatusBadRequest, err.Error())
		return
	}
	select {
	case a.listeners <- struct{}{}:
		defer func() { <-a.listeners }()
	default:
		problem(w, http.StatusServiceUnavailable, fmt.Sprintf("%d clients follow the events already", maxListeners))
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	l := &listener{api: a, query: q, stream: r.URL.Query().Get("stream"), since: uint64(since), rows: map[int]rowMark{}}
	l.follow(w, r)
}

func (l *listener) follow(w http.ResponseWriter, r *http.Request) {
	tick := time.NewTicker(eventTick)
	defer tick.Stop()
	conn := http.NewResponseController(w)
	for n := 0; ; n++ {
		l.buf.Reset()
		if err := l.write(n%wallTicks == 0); err != nil {
			return
		}
		if err := conn.SetWriteDeadline(time.Now().Add(slowLimit)); err != nil {
			return
		}
		if _, err := w.Write(l.buf.Bytes()); err != nil {
			return
		}
		if err := conn.Flush(); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

// write gathers what is new for the client.
func (l *listener) write(wall bool) error {
	if wall {
		if err := l.message("wall", l.wall()); err != nil {
			return err
		}
		if err := l.message("counters", l.api.Meter.counters(l.api.Board, false)); err != nil {
			return err
		}
	}
	if l.api.Demo != nil {
		if err := l.message("demo", l.api.Demo.State()); err != nil {
			return err
		}
	}
	p, ok := l.api.Board.Points(l.stream, l.since, maxPoints)
	if !ok || p.Seq == l.since {
		return nil
	}
	l.since = p.Seq
	return l.message("points", pointsBody{p, l.api.labels(&p), l.api.Board.Incidents(l.stream, streamIncidents)})
}

func (l *listener) message(event string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	l.buf.WriteString("event: " + event + "\ndata: ")
	l.buf.Write(text)
	l.buf.WriteString("\n\n")
	return nil
}

// wallUpdate is a Page as a client needs it that has seen the page before: the ids in
// their order, and the rows that are new or have changed.
type wallUpdate struct {
	Total   int   `json:"total"`
	Matched int   `json:"matched"`
	Offset  int   `json:"offset"`
	Order   []int `json:"order"`
	Changed []Row `json:"changed"`
}

func (l *listener) wall() wallUpdate {
	page := l.api.Board.List(l.query)
	u := wallUpdate{Total: page.Total, Matched: page.Matched, Offset: page.Offset, Order: []int{}, Changed: []Row{}}
	seen := make(map[int]rowMark, len(page.Streams))
	for _, row := range page.Streams {
		u.Order = append(u.Order, row.ID)
		mark := rowMark{row.Name, row.Events, coarse(row.Heat), row.Incidents, row.Alarm}
		if was, ok := l.rows[row.ID]; !ok || was != mark {
			u.Changed = append(u.Changed, row)
		}
		seen[row.ID] = mark
	}
	l.rows = seen
	return u
}
