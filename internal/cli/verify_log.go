package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/weirstream/weir/config"
	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/pipeline"
	"github.com/weirstream/weir/statestore"
)

type verifyLogCmd struct {
	configFlags
	From string `help:"Compare from this record on: an offset, or a time such as 2026-11-23T10:28:00Z; without it, from the first." placeholder:"OFFSET|TIME"`
	To   string `help:"Compare up to this record, itself left out; without it, to where the group has committed." placeholder:"OFFSET|TIME"`
	Only []int  `help:"Compare only these partitions." placeholder:"PARTITION" name:"partition"`
}

// Help is shown by weir verify-log --help.
func (*verifyLogCmd) Help() string {
	return `Reads what weir run has read, computes every score again, as one process that nothing happens to,
and compares it with what is in the output topic, byte for byte. It joins no group, writes nothing
and may run beside the operators.

It prints a line for each partition of the input, and the first few faults below. The events of
the range are
  equal       in the output topic as they should be
  differing   there, with other bytes
  missing     not there, nor, where the record cannot be used, in the dead-letter topic
  duplicated  there again
  unexpected  outputs of records that should have none
  unknown     there, but not to be judged: see below
The exit code is 0 where nothing differs, is missing, duplicated or unexpected, and 1 otherwise.

A score depends on its stream's whole past, so the log is read from its beginning, and
--from only says where comparing begins. Where retention has removed the beginning, the streams
that began before it cannot be computed: their outputs say n above 1 at the log's first event.
They are counted as unknown, and of them only what is missing or duplicated is found. Where the
outputs are gone that should be compared, comparing begins at the first that is there.
Where the operators had to do without something, which their outputs mark with gap, they differ
from what is computed with it: the mark itself, and all later ones of a stream whose state was
lost with state.on_loss: cold. Outputs of another model, or of other settings, differ as well.

Memory: about 100 bytes for each event of the range, and the state of each stream of a partition.

Examples:

  weir verify-log --config weir.yaml
  weir verify-log --config weir.yaml --from 2026-11-23T00:00:00Z --to 2026-11-24T00:00:00Z
  weir verify-log --config weir.yaml --partition 3 --from 918000 --to 919000`
}

// Run compares, and prints what it found.
func (c *verifyLogCmd) Run(ctx context.Context, std *streams) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	from, err := parseBound("--from", c.From)
	if err != nil {
		return err
	}
	to, err := parseBound("--to", c.To)
	if err != nil {
		return err
	}
	v, err := newLogVerifier(cfg, std.err)
	if err != nil {
		return err
	}
	defer v.kafka.Close()
	checks, err := v.checks(ctx, from, to, c.Only)
	if err != nil {
		return err
	}
	for _, k := range checks {
		if err := v.check(ctx, k); err != nil {
			return fmt.Errorf("verify %s-%d: %w", k.topic, k.partition, err)
		}
	}
	return reportChecks(std.out, checks)
}

// A logBound is an end of the range to compare: an offset or a time.
type logBound struct {
	given  bool
	offset int64
	time   time.Time // where it is not zero, the first record at or after it is meant
}

func parseBound(flag, text string) (logBound, error) {
	if text == "" {
		return logBound{}, nil
	}
	if offset, err := strconv.ParseInt(text, 10, 64); err == nil && offset >= 0 {
		return logBound{given: true, offset: offset}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return logBound{}, usageErrorf("%s is %q, want an offset such as 918273 or a time such as 2026-11-23T10:28:00Z", flag, text)
	}
	return logBound{given: true, time: at}, nil
}

// A logVerifier has what all partitions' checks share.
type logVerifier struct {
	cfg   config.Config
	model *operator.Model
	kafka *pipeline.Connection
	log   io.Writer
}

func newLogVerifier(cfg config.Config, log io.Writer) (*logVerifier, error) {
	model, err := openModel(cfg.Model.Use)
	if err != nil {
		return nil, err
	}
	conn, err := openKafka(cfg)
	if err != nil {
		return nil, err
	}
	return &logVerifier{cfg: cfg, model: model, kafka: conn, log: log}, nil
}

// checks returns one for each partition of the input topics.
func (v *logVerifier) checks(ctx context.Context, from, to logBound, only []int) ([]*logCheck, error) {
	var all []*logCheck
	for _, topic := range v.cfg.Input.Topics {
		n, err := v.kafka.Partitions(ctx, topic)
		if err != nil {
			return nil, err
		}
		wanted := only
		if len(wanted) == 0 {
			for p := range n {
				wanted = append(wanted, p)
			}
		}
		for _, p := range wanted {
			if p < 0 || p >= n {
				return nil, usageErrorf("--partition %d: topic %q has %d partitions", p, topic, n)
			}
			k := &logCheck{topic: topic, partition: p, prefix: fmt.Sprintf("%s-%d-", topic, p)}
			if err := v.bound(ctx, k, from, to); err != nil {
				return nil, fmt.Errorf("find the range of %s-%d: %w", topic, p, err)
			}
			all = append(all, k)
		}
	}
	return all, nil
}

// bound finds the range of offsets that a check compares.
func (v *logVerifier) bound(ctx context.Context, k *logCheck, from, to logBound) error {
	committed, err := v.committed(ctx, k)
	if err != nil {
		return err
	}
	src := pipeline.NewKafkaSource(v.kafka.Client(), k.topic, k.partition, false, nil)
	if k.start, err = src.Seek(ctx, statestore.NoOffset, true); err != nil {
		return err
	}
	if k.from, err = v.offset(ctx, k, from, k.start, committed); err != nil {
		return err
	}
	if k.to, err = v.offset(ctx, k, to, committed, committed); err != nil {
		return err
	}
	k.from = max(k.from, k.start)
	k.to = max(k.from, min(k.to, committed))
	return nil
}

// offset returns the bound as an offset of a partition: without where it is not given, end
// where no record is as late.
func (v *logVerifier) offset(ctx context.Context, k *logCheck, b logBound, without, end int64) (int64, error) {
	switch {
	case !b.given:
		return without, nil
	case b.time.IsZero():
		return b.offset, nil
	}
	res, err := v.kafka.Client().ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{k.topic: {kafka.TimeOffsetOf(k.partition, b.time)}},
	})
	if err != nil {
		return 0, err
	}
	for _, p := range res.Topics[k.topic] {
		for found := range p.Offsets { // at most one; -1 where there is none
			if found >= 0 {
				end = found
			}
		}
		err = errors.Join(err, p.Error)
	}
	return end, err
}

// committed returns how far the group has come: the outputs of everything before are in
// their topic.
func (v *logVerifier) committed(ctx context.Context, k *logCheck) (int64, error) {
	group := v.cfg.Kafka.GroupID
	res, err := v.kafka.Client().OffsetFetch(ctx, &kafka.OffsetFetchRequest{
		GroupID: group, Topics: map[string][]int{k.topic: {k.partition}},
	})
	if err != nil {
		return 0, fmt.Errorf("offsets of group %q: %w", group, err)
	}
	if res.Error != nil {
		return 0, fmt.Errorf("offsets of group %q: %w", group, res.Error)
	}
	parts := res.Topics[k.topic]
	if len(parts) != 1 {
		return 0, fmt.Errorf("offsets of group %q: the broker did not answer for the partition", group)
	}
	if parts[0].Error != nil {
		return 0, fmt.Errorf("offsets of group %q: %w", group, parts[0].Error)
	}
	return max(parts[0].CommittedOffset, 0), nil // below 0 where there is none
}

// reportChecks prints the table and the examples, and returns an error if there are faults.
func reportChecks(out io.Writer, checks []*logCheck) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	cells := []string{"topic", "partition", "from", "to", "equal", "differing", "missing", "duplicated", "unexpected", "unknown"}
	var events, faults int
	_, err := fmt.Fprintln(w, strings.Join(cells, "\t"))
	for _, k := range checks {
		_, lineErr := fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", k.topic, k.partition, k.from, k.to,
			k.equal, k.differing, k.missing, k.duplicated, k.unexpected, k.unknown)
		err = errors.Join(err, lineErr)
		events += len(k.want) + len(k.wantLetters)
		faults += k.differing + k.missing + k.duplicated + k.unexpected
	}
	err = errors.Join(err, w.Flush())
	for _, k := range checks {
		for _, e := range k.examples {
			_, lineErr := fmt.Fprintln(out, e)
			err = errors.Join(err, lineErr)
		}
	}
	switch {
	case err != nil:
		return err
	case faults > 0:
		return fmt.Errorf("%d faults in %d events", faults, events)
	case events == 0:
		return errors.New("nothing to compare: no event of the range has been processed by this group")
	}
	return nil
}
