package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sort"

	"github.com/segmentio/kafka-go"
)

// Topics names what a pipeline reads and writes.
type Topics struct {
	Inputs []string
	Scores string
	DLQ    string
	// Gauges is the topic of the scores as metrics; empty for none.
	Gauges string
}

// outputs are the topics that are written.
func (t Topics) outputs() []string {
	all := []string{t.Scores, t.DLQ}
	if t.Gauges != "" {
		all = append(all, t.Gauges)
	}
	return all
}

// ErrTopics means that the topics do not fit each other; somebody has to change them.
var ErrTopics = errors.New("topics do not fit")

// Prepare checks that the input topics exist and that the output topics take a
// result of every input partition p on their partition p, creating those that do not
// exist yet. An input topic that is missing is an ordinary error: it may appear.
func (t Topics) Prepare(ctx context.Context, conn *Connection, log *slog.Logger) error {
	have, err := conn.partitions(ctx, append(t.outputs(), t.Inputs...)...)
	if err != nil {
		return err
	}
	widest := 0
	for _, in := range t.Inputs {
		if have[in] == 0 {
			return fmt.Errorf("input topic %q does not exist yet; create it, or correct input.topics", in)
		}
		widest = max(widest, have[in])
	}
	if n := have[t.Scores]; n != 0 && n < widest {
		return t.tooNarrow(n, widest)
	}
	var missing []string
	for _, out := range t.outputs() {
		if have[out] == 0 {
			missing = append(missing, out)
		}
	}
	return t.create(ctx, conn, missing, widest, log)
}

// create makes output topics, with the broker's own replication factor.
func (t Topics) create(ctx context.Context, conn *Connection, names []string, partitions int, log *slog.Logger) error {
	if len(names) == 0 {
		return nil
	}
	sort.Strings(names)
	req := &kafka.CreateTopicsRequest{}
	for _, name := range names {
		req.Topics = append(req.Topics, kafka.TopicConfig{Topic: name, NumPartitions: partitions, ReplicationFactor: -1})
	}
	res, err := conn.client.CreateTopics(ctx, req)
	if err != nil {
		return fmt.Errorf("create topics %q: %w", names, err)
	}
	for _, name := range names {
		switch err := res.Errors[name]; {
		case err == nil:
			log.Info("created topic", "topic", name, "partitions", partitions)
		case !errors.Is(err, kafka.TopicAlreadyExists):
			return fmt.Errorf("create topic %q with %d partitions (create it yourself where Weir may not): %w",
				name, partitions, err)
		}
	}
	return nil
}

// tooNarrow is the error of a scores topic with too few partitions.
func (t Topics) tooNarrow(have, need int) error {
	return fmt.Errorf("topic %q has %d partitions and needs %d: results of input partition p go to its partition p; "+
		"add partitions or name another output.scores.topic: %w", t.Scores, have, need, ErrTopics)
}

// Widths returns how many partitions each of the output topics has, so that a dead
// letter of any input partition finds a place. The scores must have at least need.
func (t Topics) Widths(ctx context.Context, conn *Connection, need int) (map[string]int, error) {
	have, err := conn.partitions(ctx, t.outputs()...)
	if err != nil {
		return nil, err
	}
	for _, out := range t.outputs() {
		if have[out] == 0 {
			return nil, fmt.Errorf("topic %q is not there yet", out)
		}
	}
	if n := have[t.Scores]; n < need {
		return nil, t.tooNarrow(n, need)
	}
	return have, nil
}
