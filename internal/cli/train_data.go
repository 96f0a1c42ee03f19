package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weirstream/weir/config"
	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/pipeline"
	"github.com/weirstream/weir/pipeline/encoding"
	"github.com/weirstream/weir/ssm/train"
)

const (
	// heldOutShare is the part of each stream, its last, that is not trained on.
	heldOutShare = 0.2
	// shortest is the least number of events of a stream worth learning from.
	shortest = 64
	// shownFaults is how many faults of one file are reported one by one.
	shownFaults = 20
)

// telemetryFiles is what was read to train on.
type telemetryFiles struct {
	files   []telemetryFile
	streams map[string][]observation
	log     io.Writer
	events  []operator.Event // of the message being read
}

// A telemetryFile is what the model's card says of a file.
type telemetryFile struct {
	path      string
	sha256    string
	rows, bad int
}

// An observation is one value of one field of one stream.
type observation struct {
	time  int64 // Unix milliseconds
	value float64
}

// readTelemetry reads files and, where one is a directory, the files in it whose
// names say that they hold telemetry. Rows that cannot be read go to log.
func readTelemetry(ctx context.Context, paths []string, log io.Writer) (*telemetryFiles, error) {
	t := &telemetryFiles{streams: map[string][]observation{}, log: log}
	for _, path := range paths {
		err := filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case ctx.Err() != nil:
				return ctx.Err()
			case entry.IsDir(), name != path && kindOf(name) == "":
				return nil
			}
			return t.readFile(name)
		})
		if err != nil {
			return nil, fmt.Errorf("read telemetry: %w", err)
		}
	}
	if len(t.files) == 0 {
		return nil, usageErrorf("there is no file of telemetry in %s", strings.Join(paths, ", "))
	}
	return t, nil
}

// kindOf says how a file is read, by its name: csv, json, or "" for not at all.
func kindOf(name string) string {
	switch strings.ToLower(filepath.Ext(strings.TrimSuffix(name, ".gz"))) {
	case ".csv":
		return "csv"
	case ".ndjson", ".jsonl", ".json":
		return "json"
	}
	return ""
}

func (t *telemetryFiles) readFile(path string) error {
	kind := kindOf(path)
	if kind == "" {
		return usageErrorf("%s is neither .csv, .ndjson, .jsonl nor .json", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	text, err := unpacked(io.TeeReader(f, sum), path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	file := &telemetryFile{path: path}
	if kind == "csv" {
		err = t.readCSV(file, text)
	} else {
		err = t.readJSON(file, text)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if file.bad > 0 {
		_, _ = fmt.Fprintf(t.log, "weir: %s: %d rows of %d were skipped\n", path, file.bad, file.rows+file.bad)
	}
	file.sha256, err = hexSum(f, sum)
	t.files = append(t.files, *file)
	return err
}

// hexSum finishes a hash with what is left of the file, such as padding.
func hexSum(f io.Reader, sum hash.Hash) (string, error) {
	_, err := io.Copy(sum, f)
	return hex.EncodeToString(sum.Sum(nil)), err
}

func unpacked(r io.Reader, path string) (io.Reader, error) {
	if strings.HasSuffix(path, ".gz") {
		return gzip.NewReader(r)
	}
	return bufio.NewReader(r), nil
}

// fault reports a row that is skipped.
func (t *telemetryFiles) fault(file *telemetryFile, line int64, format string, args ...any) {
	file.bad++
	if file.bad <= shownFaults {
		_, _ = fmt.Fprintf(t.log, "weir: %s:%d: %s\n", file.path, line, fmt.Sprintf(format, args...))
	}
}

// add keeps one value of a stream.
func (t *telemetryFiles) add(stream string, time int64, value float64) {
	t.streams[stream] = append(t.streams[stream], observation{time, value})
}

// readJSON reads events, as weir score does.
func (t *telemetryFiles) readJSON(file *telemetryFile, r io.Reader) error {
	decoder, err := newDecoder(config.Default().Input)
	if err != nil {
		return err
	}
	ctx := context.Background() // lines of a file are there at once
	source := pipeline.NewLineSource(r)
	if _, err := source.Seek(ctx, 1, false); err != nil {
		return err
	}
	var batch pipeline.Batch
	for {
		err := source.Fetch(ctx, &batch)
		if err != nil && !errors.Is(err, pipeline.ErrEnd) {
			return err
		}
		for i := range batch.Messages {
			if m := &batch.Messages[i]; len(bytes.TrimSpace(m.Value)) > 0 {
				t.addMessage(file, decoder, m)
			}
		}
		if err != nil {
			return nil
		}
		decoder.Reset()
	}
}

// addMessage keeps the values of one record's events. A count that only grows is left out:
// its rate is what is scored, and its values are none.
func (t *telemetryFiles) addMessage(file *telemetryFile, decoder *encoding.Decoder, m *pipeline.Message) {
	events, faults := decoder.Decode(t.events[:0], m.Record(nil))
	for i := range faults {
		t.fault(file, m.Offset, "%v", &faults[i])
	}
	for _, ev := range events {
		file.rows++
		for _, field := range ev.Fields {
			if field.Kind == operator.Instant {
				t.add(joined(string(ev.Stream), string(field.Name)), ev.Time, field.Value)
			}
		}
	}
	t.events = events
}

// joined is stream/field, or the stream alone where the field has no name.
func joined(stream, field string) string {
	if field == "" {
		return stream
	}
	return stream + "/" + field
}

// series returns every stream as rows for training, in the order of their names. A
// stream's events are put in time order first.
func (t *telemetryFiles) series() ([]train.Series, error) {
	var all []train.Series
	var names []string
	for name := range t.streams {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		events := t.streams[name]
		if len(events) < shortest {
			continue
		}
		slices.SortStableFunc(events, func(a, b observation) int { return cmp.Compare(a.time, b.time) })
		times, values := make([]int64, len(events)), make([]float64, len(events))
		for i, e := range events {
			times[i], values[i] = e.time, e.value
		}
		rows := operator.FeatureRows(nil, times, values)
		split := len(rows) / operator.RowSize
		split -= int(heldOutShare * float64(split))
		all = append(all, train.Series{Rows: rows, Split: split})
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("none of the %d streams in the files has %d events, the least to learn from", len(names), shortest)
	}
	return all, nil
}
