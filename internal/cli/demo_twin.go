package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/pipeline"
	"github.com/weirstream/weir/statestore"
)

const (
	// paceSpan is what one number of a pace counts, paceSpans how many are kept.
	paceSpan  = 250 * time.Millisecond
	paceSpans = 120
	// unmatchedMost bounds what one side may be ahead of the other, in events.
	unmatchedMost = 200_000
)

// A twin scores the same events in this process, which nobody kills, and holds every
// answer of the operator against its own.
type twin struct {
	demo *demo

	mu        sync.Mutex
	waiting   [demoPartitions]map[int64][]byte // the twin's answers, by offset
	early     [demoPartitions]map[int64][]byte // the operator's, where it was first
	unmatched int
	compared  int64
	differ    int64
	largest   float64 // difference of two scores
	ours      pace    // the twin's
	theirs    pace    // the operator's
	left      int64   // answers that were not compared
}

func newTwin(d *demo) *twin {
	t := &twin{demo: d}
	for i := range t.waiting {
		t.waiting[i], t.early[i] = make(map[int64][]byte), make(map[int64][]byte)
	}
	return t
}

// run scores all partitions until ctx ends.
func (t *twin) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for i := range demoPartitions {
		w, err := t.worker(i)
		if err != nil {
			return err
		}
		g.Go(func() error { return unlessEnded(ctx, w.Run(ctx)) })
	}
	return g.Wait()
}

// worker returns what scores one partition, with states in memory only.
func (t *twin) worker(partition int) (*pipeline.Worker, error) {
	cfg := t.demo.cfg
	decoder, err := newDecoder(cfg.Input)
	if err != nil {
		return nil, err
	}
	metrics, err := pipeline.NewMetrics(nil, pipeline.MetricLabels{}) // counted by nobody
	if err != nil {
		return nil, err
	}
	operatorCfg := operatorConfig(cfg)
	operatorCfg.MaxStreams = math.MaxInt / 2
	log := slog.New(slog.DiscardHandler)
	return &pipeline.Worker{
		Service: "twin", Topic: demoInput, Partition: partition,
		Source: pipeline.NewKafkaSource(t.demo.kafka.Client(), demoInput, partition, false, func(context.Context, int64) error { return nil }),
		Scores: &twinSink{t, partition}, DeadLetters: &twinSink{},
		Operator: operator.New(t.demo.model, statestore.NewMemory(),
			statestore.Partition{Group: "twin", Topic: demoInput, Number: partition}, statestore.Token{}, operatorCfg),
		Decoder: decoder, MaxBytes: int(cfg.Input.MaxBytes), DrainTimeout: time.Second,
		Committed: statestore.NoOffset, Metrics: metrics, Log: log,
		Retry: &pipeline.Retrier{Log: log, Report: func(string, error) {}, Count: metrics.Retry},
	}, nil
}

// A twinSink takes the twin's answers of one partition.
type twinSink struct {
	twin      *twin
	partition int
}

// Write implements pipeline.Sink.
func (s *twinSink) Write(_ context.Context, msgs []pipeline.Message) error {
	if s.twin == nil {
		return nil // dead letters
	}
	for i := range msgs {
		s.twin.mine(s.partition, msgs[i].Offset, msgs[i].Value)
	}
	return nil
}

// mine takes the twin's answer to an event, theirs the operator's. Whichever comes second
// is compared with the first.
func (t *twin) mine(partition int, offset int64, value []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ours.count(time.Now())
	t.match(t.early[partition], t.waiting[partition], offset, value)
}

func (t *twin) operators(partition int, offset int64, value []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.theirs.count(time.Now())
	t.match(t.waiting[partition], t.early[partition], offset, value)
}

// match compares value with the other side's, or keeps it until that comes; t.mu is held.
func (t *twin) match(others, own map[int64][]byte, offset int64, value []byte) {
	other, ok := others[offset]
	if !ok {
		if t.unmatched >= unmatchedMost {
			t.left++
			return
		}
		own[offset] = bytes.Clone(value)
		t.unmatched++
		return
	}
	delete(others, offset)
	t.unmatched--
	t.compared++
	if !bytes.Equal(value, other) {
		t.differ++
		t.largest = max(t.largest, scoreDifference(value, other))
	}
}

// scoreDifference is how far two answers' scores are apart.
func scoreDifference(a, b []byte) float64 {
	var x, y struct {
		Score float64 `json:"anomaly_score"`
	}
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return math.MaxFloat64
	}
	return math.Abs(x.Score - y.Score)
}

func (t *twin) state() any {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	return map[string]any{
		"compared": t.compared, "differ": t.differ, "largest_difference": t.largest, "waiting": t.unmatched, "left": t.left,
		"span_ms": paceSpan.Milliseconds(), "now": now.UnixMilli(), "twin": t.ours.lately(now), "operator": t.theirs.lately(now),
	}
}

// A pace counts events by the clock.
type pace struct {
	counts [paceSpans]int
	at     int64 // number of the span counted last
}

func (p *pace) count(now time.Time) { p.counts[p.turn(now)]++ }

// turn empties the spans in which nothing was counted, and returns the present one.
func (p *pace) turn(now time.Time) int {
	span := now.UnixNano() / int64(paceSpan)
	for ; p.at < span; p.at = max(p.at+1, span-paceSpans) {
		p.counts[(p.at+1)%paceSpans] = 0
	}
	return int(span % paceSpans)
}

// lately returns the counts, oldest first, but for the span that has not ended.
func (p *pace) lately(now time.Time) []int {
	at := p.turn(now)
	list := make([]int, 0, paceSpans-1)
	for i := 1; i < paceSpans; i++ {
		list = append(list, p.counts[(at+i)%paceSpans])
	}
	return list
}
