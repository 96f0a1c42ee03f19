package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weirstream/weir/internal/web"
	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/pipeline"
	"github.com/weirstream/weir/statestore"
)

// anomalyLines is how many anomalies are shown in one second; the others are counted.
const anomalyLines = 4

// A watch reads the scores topic as any consumer would, drops what is there twice, and
// shows what it says.
type watch struct {
	kafka      *pipeline.Connection
	out        io.Writer
	began      time.Time
	stateBytes int
	player     *player
	twin       *twin
	worker     *supervised
	board      *web.Board

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

// run watches all partitions until ctx ends.
func (w *watch) run(ctx context.Context) error {
	w.streams = make(map[string]bool)
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
	last := statestore.NoOffset // of the event that was answered
	for {
		if err := src.Fetch(ctx, &b); err != nil {
			return unlessEnded(ctx, err)
		}
		predictions := make([]operator.Prediction, 0, len(b.Messages))
		for i := range b.Messages {
			p, err := readScore(b.Messages[i].Value)
			if err != nil {
				return err
			}
			if p.Offset <= last {
				continue // written again after a crash
			}
			last = p.Offset
			w.twin.operators(number, p.Offset, b.Messages[i].Value)
			predictions = append(predictions, p)
		}
		if len(predictions) > 0 {
			w.worker.scored(time.Now())
			w.see(predictions)
			w.board.Observe(demoInput, number, predictions)
		}
	}
}

func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// demoScore is what the watch reads of an output.
type demoScore struct {
	ID          string             `json:"id"`
	Stream      string             `json:"stream"`
	Time        time.Time          `json:"ts"`
	Value       *float64           `json:"value"`
	Values      map[string]float64 `json:"values"`
	YHat        byField            `json:"yhat"`
	Lower       byField            `json:"yhat_lower"`
	Upper       byField            `json:"yhat_upper"`
	PValue      float64            `json:"p_value"`
	Score       float64            `json:"anomaly_score"`
	IsAnomaly   bool               `json:"is_anomaly"`
	Attribution map[string]float64 `json:"attribution"`
	State       string             `json:"state"`
	N           int64              `json:"n"`
	Gap         float64            `json:"gap_s"`
}

// byField is a number, or one for each field.
type byField map[string]float64

// UnmarshalJSON implements json.Unmarshaler. A plain number has the empty name.
func (m *byField) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		return json.Unmarshal(b, (*map[string]float64)(m))
	}
	var x float64
	err := json.Unmarshal(b, &x)
	*m = byField{"": x}
	return err
}

// readScore reads an answer back into the prediction that it tells of.
func readScore(value []byte) (operator.Prediction, error) {
	var s demoScore
	err := json.Unmarshal(value, &s)
	var partition int
	p := operator.Prediction{PValue: s.PValue, AnomalyScore: s.Score, IsAnomaly: s.IsAnomaly, N: s.N, GapSeconds: s.Gap}
	if err == nil {
		_, err = fmt.Sscanf(s.ID, demoInput+"-%d-%d", &partition, &p.Offset)
	}
	if err != nil {
		return p, fmt.Errorf("read score %.80q: %w", value, err)
	}
	p.Stream, p.Time, p.Index = []byte(s.Stream), s.Time.UnixMilli(), operator.WholeRecord
	if s.Value != nil {
		s.Values = map[string]float64{"": *s.Value}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Values)) {
		p.Fields = append(p.Fields, operator.Field{Name: []byte(name), Value: s.Values[name]})
		p.Forecasts = append(p.Forecasts, operator.Forecast{YHat: s.YHat[name], Lower: s.Lower[name], Upper: s.Upper[name]})
		if s.Attribution != nil {
			p.Attribution = append(p.Attribution, s.Attribution[name])
		}
	}
	for phase := operator.Warming; phase <= operator.Gap; phase++ {
		if phase.String() == s.State {
			p.Phase = phase
		}
	}
	return p, nil
}

// see counts predictions and tells of anomalies.
func (w *watch) see(predictions []operator.Prediction) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.events == 0 {
		w.first = time.Since(w.began)
		w.say("First event scored %d ms after the start.\n", w.first.Milliseconds())
	}
	for i := range predictions {
		p := &predictions[i]
		w.events++
		if !w.streams[string(p.Stream)] {
			w.streams[string(p.Stream)] = true
		}
		if p.IsAnomaly {
			w.player.alarmed(string(p.Stream), p.Time)
			w.tell(p)
		}
	}
}

// tell counts an anomaly, and shows it where there are few.
func (w *watch) tell(p *operator.Prediction) {
	w.anomalies++
	known := ""
	if w.player.labelled(string(p.Stream), p.Time) {
		w.inIncidents++
		known = "  [labelled incident]"
	}
	if w.shown++; w.shown > anomalyLines {
		return
	}
	value := fmt.Sprintf("%d fields", len(p.Fields))
	if len(p.Fields) == 1 {
		f := p.Forecasts[0]
		value = fmt.Sprintf("value %.4g, expected %.4g (%.4g … %.4g)", p.Fields[0].Value, f.YHat, f.Lower, f.Upper)
	}
	w.say("  anomaly  %-18s %s  %s  p %.1e  score %.2f%s\n",
		p.Stream, time.UnixMilli(p.Time).UTC().Format("Jan 02 15:04"), value, p.PValue, p.AnomalyScore, known)
}

// say prints for the person who watches.
func (w *watch) say(format string, args ...any) { _, _ = fmt.Fprintf(w.out, format, args...) }

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
