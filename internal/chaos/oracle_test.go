package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirstream/weir/statestore"
)

// An event is a record of the input topic.
type event struct {
	id        string // topic-partition-offset
	partition int
	offset    int64
	key       string
	value     []byte
}

// poison reports whether the event goes to the dead letters.
func (e *event) poison() bool { return e.key == poisonKey }

// events reads the input topic, partition by partition, after what is no longer in it.
func (s *scenario) events(ctx context.Context) ([]event, error) {
	records, err := s.kafka.read(ctx, s.name, partitions)
	events := slices.Clone(s.history)
	for p, list := range records {
		for _, r := range list {
			events = append(events, event{fmt.Sprintf("%s-%d-%d", s.name, p, r.Offset), p, r.Offset, string(r.Key), r.Value})
		}
	}
	return events, err
}

// results are what the operators have written.
type results struct {
	outputs    map[string]string // by id
	letters    map[string]bool   // by id
	duplicated []string          // ids
	misplaced  []string          // ids in another order than the events', in another partition, or unlike before
}

func (s *scenario) results(ctx context.Context) (*results, error) {
	r := &results{outputs: map[string]string{}, letters: map[string]bool{}}
	scores, err := s.kafka.read(ctx, s.name+".scores", partitions)
	if err != nil {
		return nil, err
	}
	for p, list := range scores {
		last := int64(-1)
		for _, rec := range list {
			if rec.Value == nil {
				continue // a fence: a record for the broker, not for readers
			}
			id, _ := splitID(string(rec.Value))
			if before, again := r.outputs[id]; again {
				r.duplicated = append(r.duplicated, id)
				if before != string(rec.Value) {
					r.misplaced = append(r.misplaced, id)
				}
				continue
			}
			r.outputs[id] = string(rec.Value)
			var of int
			var offset int64
			_, err := fmt.Sscanf(strings.TrimPrefix(id, s.name), "-%d-%d", &of, &offset)
			if err != nil || of != p || offset < last {
				r.misplaced = append(r.misplaced, id)
			}
			last = offset
		}
	}
	letters, err := s.kafka.read(ctx, s.name+".dlq", partitions)
	for _, list := range letters {
		for _, rec := range list {
			at := map[string]string{}
			for _, h := range rec.Headers {
				at[h.Key] = string(h.Value)
			}
			id := fmt.Sprintf("%s-%s-%s", at["__connect.errors.topic"], at["__connect.errors.partition"], at["__connect.errors.offset"])
			if r.letters[id] {
				r.duplicated = append(r.duplicated, "dead letter of "+id)
			}
			r.letters[id] = true
		}
	}
	return r, err
}

// splitID cuts an output into its id and the rest.
func splitID(output string) (id, rest string) {
	id, rest, _ = strings.Cut(output, `","stream":`)
	return strings.TrimPrefix(id, `{"id":"`), rest
}

// expected is what one process that nothing happens to makes of the events.
type expected struct {
	events  []event
	outputs map[string]string // by id
	states  *statestore.File
}

// expected runs weir score over the events. A stream's events all lie in one partition, so
// the order of the partitions does not matter.
func (s *scenario) expected(t *testing.T) *expected {
	t.Helper()
	want := &expected{outputs: map[string]string{}}
	until(t, time.Minute, "read the events", func() (err error) {
		want.events, err = s.events(t.Context())
		return err
	})
	return want.compute(t, s)
}

// compute fills want from want.events.
func (want *expected) compute(t *testing.T, s *scenario) *expected {
	t.Helper()
	var lines bytes.Buffer
	var scored []*event
	for i := range want.events {
		if e := &want.events[i]; !e.poison() {
			scored = append(scored, e)
			lines.Write(bytes.Replace(e.value, []byte(e.key), []byte(s.alias(e.key, e.offset)), 1))
			lines.WriteByte('\n')
		}
	}
	file := filepath.Join(s.home, "expected.weir")
	_ = os.Remove(file) // of an earlier run
	cmd := exec.Command(s.weir, "score", "--strict", "--state", file)
	cmd.Stdin = &lines
	out, err := cmd.Output()
	if err != nil {
		exit, _ := errors.AsType[*exec.ExitError](err)
		t.Fatalf("weir score: %v: %s", err, exit.Stderr)
	}
	outputs := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(outputs) != len(scored) {
		t.Fatalf("weir score: %d outputs of %d events", len(outputs), len(scored))
	}
	for i, o := range outputs {
		e := scored[i]
		_, rest := splitID(o)
		want.outputs[e.id] = `{"id":"` + e.id + `","stream":` + strings.Replace(rest, s.alias(e.key, e.offset), e.key, 1)
	}
	want.states, err = statestore.OpenFile(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = want.states.Close() })
	return want
}

// alias is the name under which weir score is given a stream's event at an offset: another
// one for each time that the stream began anew.
func (s *scenario) alias(stream string, offset int64) string {
	for _, from := range s.anew[stream] {
		if from <= offset {
			stream += "~"
		}
	}
	return stream
}

// setPhase puts a phase into an expected output.
func (want *expected) setPhase(id, phase string) {
	head, rest, _ := strings.Cut(want.outputs[id], `"state":"`)
	_, tail, _ := strings.Cut(rest, `"`)
	want.outputs[id] = head + `"state":"` + phase + `"` + tail
}

// compare fills the scenario's row.
func (s *scenario) compare(t *testing.T, want *expected) {
	t.Helper()
	var got *results
	until(t, time.Minute, "read the outputs", func() (err error) {
		got, err = s.results(t.Context())
		return err
	})
	s.row.events = len(want.events)
	say := examples(t)
	for i := range want.events {
		e := &want.events[i]
		output, there := got.outputs[e.id]
		switch {
		case e.poison() && !got.letters[e.id], !e.poison() && !there:
			s.row.lost++
			say("lost: %s", e.id)
		case output != want.outputs[e.id]:
			s.row.altered++
			say("altered: got  %s\n         want %s", output, want.outputs[e.id])
		}
		delete(got.outputs, e.id)
	}
	for id := range got.outputs {
		s.row.altered++
		say("an output of no event: %s", id)
	}
	for _, id := range got.misplaced {
		s.row.altered++
		say("out of order, in another partition, or again with other bytes: %s", id)
	}
	for _, id := range got.duplicated {
		s.row.duplicated++
		if !s.row.mayRepeat {
			say("duplicated: %s", id)
		}
	}
	s.compareStates(t, want)
}

// verifyLog has weir verify-log judge the output topic as well: it must agree.
func (s *scenario) verifyLog(t *testing.T) {
	t.Helper()
	args := []string{"verify-log"}
	for _, setting := range s.settings() {
		args = append(args, "--set", setting)
	}
	out, err := exec.Command(s.weir, args...).CombinedOutput()
	clean := s.row.lost+s.row.duplicated+s.row.altered == 0
	if (err == nil) != clean {
		t.Errorf("weir verify-log: %v, having found\n%s", err, out)
	}
}

// compareStates counts the streams whose stored state is not the expected one.
func (s *scenario) compareStates(t *testing.T, want *expected) {
	t.Helper()
	store := s.stored(t)
	last := make([]map[string]int64, partitions) // by stream
	for i := range want.events {
		if e := &want.events[i]; !e.poison() {
			if last[e.partition] == nil {
				last[e.partition] = map[string]int64{}
			}
			last[e.partition][e.key] = e.offset
		}
	}
	say := examples(t)
	for p, offsets := range last {
		var names, aliases []string
		for name, offset := range offsets {
			names, aliases = append(names, name), append(aliases, s.alias(name, offset))
		}
		should, err := want.states.Load(t.Context(), statestore.Partition{Group: "score", Topic: "stdin"}, aliases)
		if err != nil {
			t.Fatal(err)
		}
		is, err := store.Load(t.Context(), s.partition(p), names)
		if err != nil {
			t.Errorf("load the operators' states: %v", err)
		}
		for i := range is {
			switch {
			case is[i].Offset != offsets[names[i]]:
				s.row.states++
				say("stream %s of partition %d is stored as of offset %d, want %d", names[i], p, is[i].Offset, offsets[names[i]])
			case !bytes.Equal(is[i].State, should[i].State):
				s.row.states++
				say("stream %s of partition %d: the stored state differs", names[i], p)
			}
		}
	}
}

// examples returns a t.Errorf for the first few calls.
func examples(t *testing.T) func(format string, args ...any) {
	left := 6
	return func(format string, args ...any) {
		if left--; left >= 0 {
			t.Errorf(format, args...)
		}
	}
}
