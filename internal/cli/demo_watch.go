package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weirstream/weir/internal/sample"
	"github.com/weirstream/weir/pipeline"
	"github.com/weirstream/weir/statestore"
)

// anomalyLines is how many anomalies are shown in one second; the others are counted.
const anomalyLines = 4

// A watch reads the scores topic as any consumer would, and shows what it says.
type watch struct {
	kafka      *pipeline.Connection
	out        io.Writer
	began      time.Time
	stateBytes int
	incidents  map[string][]sample.Incident // by stream

	mu          sync.Mutex
	streams     map[string]bool
	events      int64
	first       time.Duration
	anomalies   int64
	inIncidents int64
	shown       int // anomalies in the present second
}

// demoSummary is the demo's result.
type demoSummary struct {
	Events       int64   `json:"events"`
	Streams      int     `json:"streams"`
	FirstEventMs int64   `json:"first_event_ms"`
	StateBytes   int     `json:"state_bytes_per_stream"`
	Anomalies    int64   `json:"anomalies"`
	InIncidents  int64   `json:"anomalies_in_incidents"`
	Seconds      float64 `json:"seconds"`
}

// demoScore is what the watch reads of an output.
type demoScore struct {
	Stream    string    `json:"stream"`
	Time      time.Time `json:"ts"`
	Value     float64   `json:"value"`
	YHat      float64   `json:"yhat"`
	Lower     float64   `json:"yhat_lower"`
	Upper     float64   `json:"yhat_upper"`
	PValue    float64   `json:"p_value"`
	Score     float64   `json:"anomaly_score"`
	IsAnomaly bool      `json:"is_anomaly"`
}

// run watches all partitions until ctx ends.
func (w *watch) run(ctx context.Context) error {
	streams, err := sample.Streams()
	if err != nil {
		return err
	}
	w.streams = make(map[string]bool)
	w.incidents = make(map[string][]sample.Incident)
	for _, s := range streams {
		w.incidents[s.Name] = s.Incidents
	}
	g, ctx := errgroup.WithContext(ctx)
	for i := range demoPartitions {
		g.Go(func() error { return w.partition(ctx, i) })
	}
	g.Go(func() error { return w.progress(ctx) })
	return g.Wait()
}

// partition reads one partition of the scores.
func (w *watch) partition(ctx context.Context, number int) error {
	src := pipeline.NewKafkaSource(w.kafka.Client(), demoScores, number, false, nil)
	if _, err := src.Seek(ctx, statestore.NoOffset, false); err != nil {
		return unlessEnded(ctx, err)
	}
	var b pipeline.Batch
	for {
		if err := src.Fetch(ctx, &b); err != nil {
			return unlessEnded(ctx, err)
		}
		for i := range b.Messages {
			if err := w.see(b.Messages[i].Value); err != nil {
				return err
			}
		}
	}
}

func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// see takes one output in.
func (w *watch) see(value []byte) error {
	var s demoScore
	if err := json.Unmarshal(value, &s); err != nil {
		return fmt.Errorf("read score %.80q: %w", value, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.events == 0 {
		w.first = time.Since(w.began)
		w.say("First event scored %d ms after the start.\n", w.first.Milliseconds())
	}
	w.events++
	w.streams[s.Stream] = true
	if !s.IsAnomaly {
		return nil
	}
	w.anomalies++
	known := ""
	if w.labelled(&s) {
		w.inIncidents++
		known = "  [labelled incident]"
	}
	if w.shown++; w.shown <= anomalyLines {
		w.say("  anomaly  %-18s %s  value %.4g, expected %.4g (%.4g … %.4g)  p %.1e  score %.2f%s\n",
			s.Stream, s.Time.Format("Jan 02 15:04"), s.Value, s.YHat, s.Lower, s.Upper, s.PValue, s.Score, known)
	}
	return nil
}

// say prints for the person who watches.
func (w *watch) say(format string, args ...any) { _, _ = fmt.Fprintf(w.out, format, args...) }

// labelled reports whether the event lies in one of its machine's labelled incidents.
func (w *watch) labelled(s *demoScore) bool {
	for _, in := range w.incidents[s.Stream] {
		if at := s.Time.UnixMilli(); in.Start <= at && at <= in.End {
			return true
		}
	}
	return false
}

// progress writes a line a second.
func (w *watch) progress(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var before int64
	at := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			before = w.line(before, now.Sub(at))
			at = now
		}
	}
}

// line writes one line of progress and returns the events so far.
func (w *watch) line(before int64, span time.Duration) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if more := w.shown - anomalyLines; more > 0 {
		w.say("  … and %d more anomalies\n", more)
	}
	w.shown = 0
	w.say("%4.0fs  %6.0f events/s  %d streams  %d bytes of state each  %d anomalies\n",
		time.Since(w.began).Seconds(), float64(w.events-before)/span.Seconds(), len(w.streams), w.stateBytes, w.anomalies)
	return w.events
}

func (w *watch) summary() demoSummary {
	w.mu.Lock()
	defer w.mu.Unlock()
	return demoSummary{
		Events: w.events, Streams: len(w.streams), FirstEventMs: w.first.Milliseconds(), StateBytes: w.stateBytes,
		Anomalies: w.anomalies, InIncidents: w.inIncidents, Seconds: time.Since(w.began).Seconds(),
	}
}
