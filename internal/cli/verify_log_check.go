package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/segmentio/kafka-go"

	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/pipeline"
	"github.com/weirstream/weir/statestore"
)

// A logCheck is the comparison of one input partition.
type logCheck struct {
	topic     string
	partition int
	prefix    string // of its outputs' ids
	start     int64  // the log's first offset
	from, to  int64  // compared
	begin     int64  // where computing begins
	whole     bool   // every stream's first event lies at begin or later

	want        map[eventPlace]*wanted // of the range
	wantLetters map[int64]int          // dead letters of the range, by offset
	letters     map[int64]int          // those that are there
	firsts      map[eventPlace]string  // each stream's first event from begin on
	began       map[string]bool        // streams known to have begun at begin or later

	equal, differing, missing, duplicated, unexpected, unknown int
	examples                                                   []string
}

// mostExamples bounds how many faults of a partition are shown.
const mostExamples = 5

// An eventPlace is an event's place in its partition: its record's offset, and its number
// among the record's events, -1 where the record is one event.
type eventPlace struct {
	offset int64
	index  int
}

func (p eventPlace) compare(q eventPlace) int {
	if p.offset != q.offset {
		return int(max(-1, min(1, p.offset-q.offset)))
	}
	return p.index - q.index
}

// wanted is an output that should be there.
type wanted struct {
	hash uint64
	seen int
}

// check computes the partition's outputs and compares.
func (v *logVerifier) check(ctx context.Context, k *logCheck) error {
	k.want, k.wantLetters, k.letters = map[eventPlace]*wanted{}, map[int64]int{}, map[int64]int{}
	k.firsts, k.began = map[eventPlace]string{}, map[string]bool{}
	first, gone, err := v.firstOutput(ctx, k)
	if err != nil {
		return err
	}
	k.begin, k.whole = k.start, k.start == 0
	if v.cfg.Input.InitialOffset == "latest" && first != statestore.NoOffset {
		k.begin, k.whole = max(k.start, first), !gone
	}
	k.from = max(k.from, k.begin)
	if gone && first != statestore.NoOffset {
		k.from = max(k.from, first+1) // of this record, some outputs may be gone
	}
	k.to = max(k.from, k.to)
	if err := v.replay(ctx, k); err != nil {
		return fmt.Errorf("compute the outputs: %w", err)
	}
	if err := v.eachOutput(ctx, k, k.compare); err != nil {
		return err
	}
	if err := v.eachLetter(ctx, k); err != nil {
		return err
	}
	k.finish()
	return nil
}

// firstOutput returns the source offset of the partition's first output that is there, and
// whether earlier ones may be gone.
func (v *logVerifier) firstOutput(ctx context.Context, k *logCheck) (offset int64, gone bool, err error) {
	offset = statestore.NoOffset
	start := int64(0)
	err = v.eachOutput(ctx, k, func(m *pipeline.Message, p eventPlace) bool {
		offset, start = p.offset, m.Offset
		return false
	})
	if err != nil || offset == statestore.NoOffset {
		return offset, false, err
	}
	src := pipeline.NewKafkaSource(v.kafka.Client(), v.cfg.Output.Scores.Topic, k.partition, false, nil)
	first, err := src.Seek(ctx, statestore.NoOffset, true)
	return offset, first > 0 && first <= start, err
}

// eachOutput calls see with each output of the partition that is there now, in the order
// of the output topic, until it returns false.
func (v *logVerifier) eachOutput(ctx context.Context, k *logCheck, see func(*pipeline.Message, eventPlace) bool) error {
	return v.each(ctx, v.cfg.Output.Scores.Topic, k.partition, func(m *pipeline.Message) bool {
		p, ours := k.place(m, v.cfg.Kafka.GroupID)
		return !ours || see(m, p)
	})
}

// place returns the place of the event that an output answers. Another group's, another
// input's and what is no output is not ours.
func (k *logCheck) place(m *pipeline.Message, group string) (p eventPlace, ours bool) {
	source := ""
	for _, h := range m.Headers { // the last ones are Weir's
		switch h.Key {
		case "weir-source":
			source = string(h.Value)
		case "weir-group":
			ours = string(h.Value) == group
		}
	}
	text, found := strings.CutPrefix(source, k.prefix)
	if !ours || !found || len(m.Value) == 0 {
		return p, false
	}
	offset, index, many := strings.Cut(text, "-")
	p.index = operator.WholeRecord
	var err, indexErr error
	p.offset, err = strconv.ParseInt(offset, 10, 64)
	if many {
		p.index, indexErr = strconv.Atoi(index)
	}
	return p, err == nil && indexErr == nil
}

// each calls see with what a partition holds now, until it returns false.
func (v *logVerifier) each(ctx context.Context, topic string, partition int, see func(*pipeline.Message) bool) error {
	src := pipeline.NewKafkaSource(v.kafka.Client(), topic, partition, false, nil)
	next, err := src.Seek(ctx, statestore.NoOffset, true)
	var b pipeline.Batch
	for end := int64(math.MaxInt64); err == nil && next < end; next = b.Next {
		if err = src.Fetch(ctx, &b); err != nil {
			break
		}
		end = min(end, b.End)
		for i := range b.Messages {
			if !see(&b.Messages[i]) {
				return nil
			}
		}
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", src, err)
	}
	return nil
}

// compare judges one output.
func (k *logCheck) compare(m *pipeline.Message, p eventPlace) bool {
	if stream, first := k.firsts[p]; first && ordinal(m.Value) == 1 {
		k.began[stream] = true
	}
	if p.offset < k.from || p.offset >= k.to {
		return true
	}
	w := k.want[p]
	if w == nil {
		k.unexpected++
		k.example("unexpected %s: %s", k.id(p), m.Value)
		return true
	}
	w.seen++
	stream, _ := outputStream(m.Value)
	same := hashOutput(m) == w.hash
	switch {
	case w.seen > 1:
		k.duplicated++
		k.example("duplicated %s: at offset %d of the output", k.id(p), m.Offset)
	case same:
		k.equal++
	case !k.whole && !k.began[string(stream)]:
		k.unknown++
	default:
		k.differing++
		k.example("differing %s: %s", k.id(p), m.Value)
	}
	return true
}

func (k *logCheck) id(p eventPlace) string {
	id := k.prefix + strconv.FormatInt(p.offset, 10)
	if p.index != operator.WholeRecord {
		id += "-" + strconv.Itoa(p.index)
	}
	return id
}

func (k *logCheck) example(format string, args ...any) {
	if len(k.examples) < mostExamples {
		k.examples = append(k.examples, fmt.Sprintf(format, args...))
	}
}

// hashOutput is over what a reader of an output gets: key and value.
func hashOutput(m *pipeline.Message) uint64 {
	return xxhash.Sum64(slices.Concat(m.Key, []byte{0}, m.Value))
}

// outputStream cuts the stream, as it is quoted there, out of an output.
func outputStream(output []byte) (stream []byte, ok bool) {
	_, rest, _ := bytes.Cut(output, []byte(`,"stream":`))
	stream, _, ok = bytes.Cut(rest, []byte(`,"ts":`))
	return stream, ok
}

// ordinal is an output's n, 0 where it has none. The names of fields stand before it.
func ordinal(output []byte) int64 {
	const member = `,"n":`
	at := bytes.LastIndex(output, []byte(member))
	if at < 0 {
		return 0
	}
	digits, _, _ := bytes.Cut(output[at+len(member):], []byte(","))
	n, _ := strconv.ParseInt(string(digits), 10, 64)
	return n
}

// eachLetter counts the dead letters of the partition that are there.
func (v *logVerifier) eachLetter(ctx context.Context, k *logCheck) error {
	topic := v.cfg.Output.DLQ.Topic
	width, err := v.kafka.Partitions(ctx, topic)
	if err != nil {
		return err
	}
	return v.each(ctx, topic, k.partition%width, func(m *pipeline.Message) bool {
		if at, ours := k.letterOf(m.Headers); ours {
			k.letters[at]++
		}
		return true
	})
}

// letterOf returns the offset of the record that a dead letter holds.
func (k *logCheck) letterOf(headers []kafka.Header) (offset int64, ours bool) {
	at := map[string]string{}
	for _, h := range headers {
		at[h.Key] = string(h.Value)
	}
	offset, err := strconv.ParseInt(at["__connect.errors.offset"], 10, 64)
	return offset, err == nil && at["__connect.errors.topic"] == k.topic &&
		at["__connect.errors.partition"] == strconv.Itoa(k.partition) && offset >= k.from && offset < k.to
}

// finish counts what is not there.
func (k *logCheck) finish() {
	var missing []eventPlace
	for p, w := range k.want {
		if w.seen == 0 && k.letters[p.offset] <= k.wantLetters[p.offset] { // else its score was too large
			missing = append(missing, p)
		}
	}
	for offset, n := range k.wantLetters {
		switch there := k.letters[offset]; {
		case there < n:
			missing = append(missing, eventPlace{offset, operator.WholeRecord})
		case there > n:
			k.duplicated += there - n
			k.example("duplicated dead letter of %s", k.id(eventPlace{offset, operator.WholeRecord}))
		default:
			k.equal++
		}
	}
	slices.SortFunc(missing, eventPlace.compare)
	k.missing = len(missing)
	for _, p := range missing {
		k.example("missing %s", k.id(p))
	}
}

var errRetention = errors.New("retention removes events while they are read; try again")
