package cli

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weirstream/weir/internal/sample"
	"github.com/weirstream/weir/pipeline"
)

// killLoad is how much the kill test does. Without real servers it is a tenth.
type killLoad struct {
	streams, rows, kills int
	perSecond            int // rows of all streams
	// atLeast is the time between two kills. The embedded broker never misses a member
	// that dies while it joins, so without real servers members get the time to join.
	atLeast time.Duration
}

// TestKilledOperatorsWriteWhatAnUninterruptedRunWrites has two operator processes share
// the partitions, kills one of them with SIGKILL at random moments again and again, and
// compares what is in the output topic, byte for byte, with weir score's answer to the
// same events: each of them once, none missing.
func TestKilledOperatorsWriteWhatAnUninterruptedRunWrites(t *testing.T) {
	r := newRig(t, 8)
	load := killLoad{streams: 40, rows: 300, kills: 3, perSecond: 30, atLeast: 3 * time.Second}
	if r.real {
		load = killLoad{streams: 200, rows: 1000, kills: 10, perSecond: 40, atLeast: 500 * time.Millisecond}
	}
	events := telemetryRows(t, load)
	rng := rand.New(rand.NewPCG(1, 2))

	produced := make(chan error, 1)
	go func() { produced <- r.produceRows(t.Context(), events, load.perSecond) }()
	ops := [2]*process{startOperator(t, r), startOperator(t, r)}
	kills, done := 0, false
	for kills < load.kills || !done {
		select {
		case err := <-produced:
			if err != nil {
				t.Fatal(err)
			}
			done, produced = true, nil
			continue // no kill out of turn: the last operator may be joining
		case <-time.After(load.atLeast + time.Duration(rng.IntN(2500))*time.Millisecond):
		}
		if kills < load.kills {
			i := rng.IntN(len(ops))
			kill(t, ops[i].Cmd)
			ops[i] = startOperator(t, r)
			kills++
		}
	}
	want := load.streams * load.rows
	until(t, 5*time.Minute, "all events scored", func() bool {
		n, err := r.ends(t.Context(), r.name+".scores")
		return err == nil && n >= int64(want) && r.settled(t, want)
	})
	for _, op := range ops {
		kill(t, op.Cmd)
	}
	if repeated := compareOutputs(t, r, events); repeated != 0 {
		t.Errorf("%d outputs are there more than once", repeated)
	}
	t.Logf("%d events, %d kills", want, kills)
}

// telemetryRows cuts the sample's streams into as many streams as the load asks for, row
// by row: the events of one time, then of the next.
func telemetryRows(t *testing.T, load killLoad) [][]pipeline.Message {
	t.Helper()
	streams, err := sample.Streams()
	if err != nil {
		t.Fatal(err)
	}
	rows := make([][]pipeline.Message, load.rows)
	for i := range load.streams {
		s, from := &streams[i%len(streams)], i/len(streams)*load.rows
		name := fmt.Sprintf("%s@%d", s.Name, from)
		for row := range rows {
			rows[row] = append(rows[row], pipeline.Message{
				Key: []byte(name),
				Value: fmt.Appendf(nil, `{"stream":%q,"ts":%d,"value":%s}`, name, s.Times[from+row],
					strconv.FormatFloat(s.Values[from+row], 'g', -1, 64)),
			})
		}
	}
	return rows
}

// produceRows writes rows at a steady rate, each stream to one partition.
func (r *rig) produceRows(ctx context.Context, rows [][]pipeline.Message, perSecond int) error {
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for _, row := range rows {
		parts := make([][]pipeline.Message, r.width)
		for _, m := range row {
			h := fnv.New32a()
			_, _ = h.Write(m.Key)
			p := int(h.Sum32()) % r.width
			parts[p] = append(parts[p], m)
		}
		for p, msgs := range parts {
			if len(msgs) == 0 {
				continue
			}
			if err := r.produce(ctx, p, msgs); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// A process is weir run as a process of its own.
type process struct {
	*exec.Cmd
	log *lockedBuffer
}

// startOperator starts weir run on the rig.
func startOperator(t testing.TB, r *rig, settings ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	log := &lockedBuffer{}
	cmd := &process{&exec.Cmd{
		Path: self, Args: append([]string{"weir", "run"}, r.settings(settings...)...), Stdout: log, Stderr: log,
	}, log}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			kill(t, cmd.Cmd)
		}
		if t.Failed() {
			t.Logf("operator %d:\n%s", cmd.Process.Pid, log.String())
		}
	})
	return cmd
}

// kill ends a process as a crash would.
func kill(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Errorf("kill operator: %v; it must not end by itself", err)
	}
	_ = cmd.Wait() // says that it was killed
}

// settled reports whether the outputs of want different events are there.
func (r *rig) settled(t *testing.T, want int) bool {
	t.Helper()
	ids := make(map[string]bool, want)
	for p := range r.width {
		for _, m := range r.read(t, r.name+".scores", p) {
			id, _ := splitID(t, m.Value)
			ids[id] = true
		}
	}
	return len(ids) >= want
}

// splitID cuts an output into its id and the rest.
func splitID(t *testing.T, output []byte) (id, rest string) {
	t.Helper()
	id, rest, ok := strings.Cut(string(output), `","stream":`)
	if !ok {
		t.Fatalf("output without id and stream: %s", output)
	}
	return strings.TrimPrefix(id, `{"id":"`), rest
}

// compareOutputs holds the output topic against weir score, and returns how many outputs
// are there more than once.
func compareOutputs(t *testing.T, r *rig, rows [][]pipeline.Message) (repeated int) {
	t.Helper()
	var lines bytes.Buffer
	for _, row := range rows {
		for _, m := range row {
			lines.Write(m.Value)
			lines.WriteByte('\n')
		}
	}
	var scored, faults bytes.Buffer
	if code := Main(t.Context(), []string{"score"}, &lines, &scored, &faults); code != exitOK {
		t.Fatalf("weir score: exit code %d: %s", code, faults.String())
	}
	want := byStream(t, bytes.Split(bytes.TrimSpace(scored.Bytes()), []byte("\n")))
	got := make(map[string][]string)
	for p := range r.width {
		outputs, again := unique(t, r.read(t, r.name+".scores", p))
		repeated += again
		for stream, list := range byStream(t, outputs) {
			got[stream] = append(got[stream], list...)
		}
	}
	for stream, list := range want {
		if len(got[stream]) != len(list) {
			t.Errorf("stream %s: %d outputs, want %d", stream, len(got[stream]), len(list))
			continue
		}
		for i := range list {
			if got[stream][i] != list[i] {
				t.Errorf("stream %s, event %d:\n got %s\nwant %s", stream, i, got[stream][i], list[i])
				break
			}
		}
	}
	if len(got) != len(want) {
		t.Errorf("outputs of %d streams, want %d", len(got), len(want))
	}
	return repeated
}

// unique returns a partition's outputs in the order of their source offsets, each once.
// Two with the same id must be the same bytes.
func unique(t *testing.T, msgs []pipeline.Message) (outputs [][]byte, repeated int) {
	t.Helper()
	seen := make(map[int64][]byte, len(msgs))
	last := int64(-1)
	for _, m := range msgs {
		id, _ := splitID(t, m.Value)
		offset, err := strconv.ParseInt(id[strings.LastIndexByte(id, '-')+1:], 10, 64)
		if err != nil {
			t.Fatalf("id %q: %v", id, err)
		}
		if before, ok := seen[offset]; ok {
			repeated++
			if !bytes.Equal(before, m.Value) {
				t.Errorf("two outputs of %s differ:\n%s\n%s", id, before, m.Value)
			}
		}
		seen[offset] = m.Value
		last = max(last, offset)
	}
	for offset := range last + 1 {
		if seen[offset] == nil {
			t.Errorf("the event at offset %d has no output", offset)
			continue
		}
		outputs = append(outputs, seen[offset])
	}
	return outputs, repeated
}

// byStream sorts outputs, without their ids, by stream.
func byStream(t *testing.T, outputs [][]byte) map[string][]string {
	t.Helper()
	streams := make(map[string][]string)
	for _, o := range outputs {
		_, rest := splitID(t, o)
		name, _, _ := strings.Cut(rest, ",")
		streams[name] = append(streams[name], rest)
	}
	return streams
}
