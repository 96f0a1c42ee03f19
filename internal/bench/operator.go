package bench

import (
	"context"
	"fmt"
	"math"

	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/statestore"
)

const (
	playerStreams = 1000
	playerEvents  = 512 // of a burst
)

// A player feeds an operator whose streams are all in memory: the next event of each
// stream in turn, a minute after its last.
type player struct {
	op     *operator.Operator
	batch  int
	names  [][]byte
	events []operator.Event
	fields []operator.Field
	offset int64
}

// newPlayers returns one player for each size of batch.
func newPlayers(ctx context.Context, m *operator.Model) ([]*player, error) {
	var players []*player
	for _, batch := range []int{1, 64, 1000} {
		p := &player{batch: batch}
		token := statestore.Token{Generation: 1}
		p.op = operator.New(m, statestore.NewMemory(), statestore.Partition{Group: "bench", Topic: "events"}, token,
			operator.Config{FalseAlarms: 1.0 / (7 * 86400), MaxStreams: 2 * playerStreams})
		if _, err := p.op.Claim(ctx, nil); err != nil {
			return nil, err
		}
		for i := range playerStreams {
			p.names = append(p.names, fmt.Appendf(nil, "host-%d/cpu", i))
		}
		p.events, p.fields = make([]operator.Event, batch), make([]operator.Field, batch)
		for p.offset < 2*playerStreams { // every stream is there and has a past
			if err := p.apply(ctx); err != nil {
				return nil, err
			}
		}
		players = append(players, p)
	}
	return players, nil
}

// apply makes a batch of events and has the operator score it.
func (p *player) apply(ctx context.Context) error {
	for i := range p.events {
		stream, round := p.offset%playerStreams, p.offset/playerStreams
		p.fields[i] = operator.Field{Value: 20 + 5*math.Sin(float64(round)/30+float64(stream)) + float64((p.offset*7919)%97)/50}
		p.events[i] = operator.Event{Stream: p.names[stream], Offset: p.offset, Time: 60_000 * round, Fields: p.fields[i : i+1]}
		p.offset++
	}
	_, err := p.op.Apply(ctx, p.events)
	return err
}

func (p *player) warm(ctx context.Context) error {
	_, err := p.run(ctx)
	return err
}

func (p *player) run(ctx context.Context) (events int, err error) {
	for ; events < playerEvents; events += p.batch {
		if err := p.apply(ctx); err != nil {
			return 0, err
		}
	}
	return events, nil
}

func (p *player) rate(b best) OperatorRate {
	return OperatorRate{Batch: p.batch, Streams: playerStreams, Rate: b.rate, Allocs: b.allocs}
}
