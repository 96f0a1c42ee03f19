package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/weirstream/weir/config"
	"github.com/weirstream/weir/pipeline"
	"github.com/weirstream/weir/pipeline/encoding"
	"github.com/weirstream/weir/statestore"
)

// telemetry reads what to train on: files, or the topics of a configuration.
func (c *trainCmd) telemetry(ctx context.Context, log io.Writer) (*telemetryFiles, error) {
	switch {
	case len(c.Files) > 0 && (c.Config != "" || len(c.Set) > 0):
		return nil, usageErrorf("both files and a configuration: train on the ones or on the other's topics")
	case len(c.Files) > 0:
		return readTelemetry(ctx, c.Files, log)
	case c.Config == "" && len(c.Set) == 0:
		return nil, usageErrorf("nothing to train on: name files, or the --config whose topics to read")
	}
	flags := configFlags{Config: c.Config, Set: c.Set}
	cfg, err := flags.load()
	if err != nil {
		return nil, err
	}
	return readTopics(ctx, cfg, log)
}

// readTopics reads the input topics from their beginning to where they end now.
func readTopics(ctx context.Context, cfg config.Config, log io.Writer) (*telemetryFiles, error) {
	conn, err := openKafka(cfg)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	decoder, err := newDecoder(cfg.Input)
	if err != nil {
		return nil, err
	}
	t := &telemetryFiles{streams: map[string][]observation{}, log: log}
	for _, topic := range cfg.Input.Topics {
		n, err := conn.Partitions(ctx, topic)
		if err != nil {
			return nil, err
		}
		for p := range n {
			source := pipeline.NewKafkaSource(conn.Client(), topic, p, false, nil)
			if err := t.readPartition(ctx, source, decoder); err != nil {
				return nil, fmt.Errorf("read history: %w", err)
			}
		}
	}
	return t, nil
}

// readPartition reads one partition's history. Its line in the model's card has the hash
// of its records' values.
func (t *telemetryFiles) readPartition(ctx context.Context, source *pipeline.KafkaSource, decoder *encoding.Decoder) error {
	if _, err := source.Seek(ctx, statestore.NoOffset, false); err != nil {
		return err
	}
	file := telemetryFile{path: source.String()}
	sum := sha256.New()
	var b pipeline.Batch
	for end := statestore.NoOffset; end == statestore.NoOffset || b.Next < end; {
		if err := source.Fetch(ctx, &b); err != nil {
			return err
		}
		if end == statestore.NoOffset {
			end = b.End // what comes after it is not history
		}
		for i := range b.Messages {
			_, _ = sum.Write(b.Messages[i].Value) // never fails
			t.addMessage(&file, decoder, &b.Messages[i])
		}
		decoder.Reset()
	}
	file.sha256 = hex.EncodeToString(sum.Sum(nil))
	t.files = append(t.files, file)
	return nil
}
