package cli

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/weirstream/weir/internal/eval"
	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/statestore"
)

// backtestBatch is how many events are given to the operator at once.
const backtestBatch = 256

// scoreSeries runs the operator over a series, as one stream that it has never seen.
func scoreSeries(ctx context.Context, model *operator.Model, cfg operator.Config, s *eval.Series) (*eval.Run, error) {
	r := eval.NewForecastRun(s)
	events := seriesEvents(s)
	began := time.Now()
	op := operator.New(model, statestore.NewMemory(), statestore.Partition{Group: "backtest", Topic: s.Name}, statestore.Token{}, cfg)
	if _, err := op.Claim(ctx, nil); err != nil {
		return nil, err
	}
	for len(events) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		batch := events[:min(len(events), backtestBatch)]
		events = events[len(batch):]
		result, err := op.Apply(ctx, batch)
		if err != nil {
			return nil, err
		}
		if len(result.Rejected) > 0 {
			return nil, fmt.Errorf("score %s: %s", s.Name, result.Rejected[0].Detail)
		}
		for i := range result.Predictions {
			keepPrediction(r, s, &result.Predictions[i])
		}
	}
	r.Took = time.Since(began)
	return r, nil
}

// seriesEvents returns a series' events; the offset of an event is its index. Rows without
// any value are none.
func seriesEvents(s *eval.Series) []operator.Event {
	names := make([][]byte, len(s.Fields))
	for f, name := range s.Fields {
		names[f] = []byte(name)
	}
	stream := []byte(s.Name)
	events := make([]operator.Event, 0, len(s.Times))
	for i, at := range s.Times {
		e := operator.Event{Stream: stream, Offset: int64(i), Time: at}
		for f, v := range s.Values[i] {
			if !math.IsNaN(v) {
				e.Fields = append(e.Fields, operator.Field{Name: names[f], Value: v})
			}
		}
		if len(e.Fields) > 0 {
			events = append(events, e)
		}
	}
	return events
}

// keepPrediction copies what a run keeps of a prediction.
func keepPrediction(r *eval.Run, s *eval.Series, p *operator.Prediction) {
	i := int(p.Offset)
	r.Scores[i] = p.AnomalyScore
	next := 0
	for f, v := range s.Values[i] {
		if math.IsNaN(v) {
			continue
		}
		one := p.Forecasts[next]
		r.Forecasts[i][f] = eval.Forecast{Lower: one.Lower, Median: one.YHat, Upper: one.Upper}
		next++
	}
}
