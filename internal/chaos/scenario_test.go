package chaos

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/weirstream/weir/statestore"
)

// A scenario is one test's topics and Redis, under load.
type scenario struct {
	*suite
	home      string // of its files
	name      string // of the input topic, the group and the keys
	redis     string // URL, as the operators see it
	direct    string // URL, as the comparison sees it
	load      *load
	file      string // of the states, where they are not in Redis
	operators []*operator
	history   []event // what was processed and is deleted from the input topic
	gaps      []gap
	anew      map[string][]int64 // streams that began anew, and from which offset on
	row       row
	started   time.Time
}

// start makes topics and writes events to them until finish. The Redis is at the URL that
// operators get, and at the direct one.
func start(t *testing.T, fault, redis, direct string) *scenario {
	t.Helper()
	shared := theSuite(t)
	name := "chaos-" + strings.ToLower(rand.Text()[:8])
	s := &scenario{
		suite: shared, home: filepath.Join(shared.dir, t.Name()), name: name, redis: redis, direct: direct,
		row: row{fault: fault}, started: time.Now(),
	}
	if err := os.MkdirAll(s.home, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.kafka.remove(context.Background(), s.name, s.name+".scores", s.name+".dlq") // they are only in the way
	})
	for _, topic := range []string{name, name + ".scores", name + ".dlq"} {
		until(t, time.Minute, "make topic "+topic, func() error { return s.kafka.create(t.Context(), topic, partitions) })
		until(t, time.Minute, "leaders of "+topic, func() error {
			_, err := s.kafka.ends(t.Context(), topic, partitions, false)
			return err
		})
	}
	s.load = &load{topic: name}
	s.write()
	t.Cleanup(func() { _ = s.quiet() })
	return s
}

// write goes on writing events, quiet stops.
func (s *scenario) write() {
	ctx, stop := context.WithCancel(context.Background())
	s.load.stop, s.load.done = stop, make(chan error, 1)
	go func() {
		client, err := kgo.NewClient(s.kafka.admin.Opts()...) // that knows of no topic yet
		if err == nil {
			err = s.load.run(ctx, client)
			client.Close()
		}
		s.load.done <- err
	}()
}

func (s *scenario) quiet() error {
	if s.load.stop == nil {
		return nil
	}
	s.load.stop()
	s.load.stop = nil
	s.load.row++
	return <-s.load.done
}

// remember notes a process, so that whoever started the suite can end it, should the
// suite be killed.
func (s *suite) remember(pid int) error {
	dir := filepath.Join(s.dir, "processes", fmt.Sprint(pid))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "pid"), fmt.Append(nil, pid), 0o644)
}

// settings are the --set arguments of an operator. Members are missed after a second and
// a half. Few streams stay in memory, so that states are read back all the time.
func (s *scenario) settings() []string {
	return []string{
		"service.http.listen=127.0.0.1:0", "kafka.brokers=" + s.kafka.bootstrap(), "kafka.group_id=" + s.name,
		"kafka.session_timeout=1500ms", "kafka.heartbeat_interval=300ms",
		"input.topics=" + s.name, "state.redis.url=" + s.redis, "state.redis.key_prefix=" + s.name + ":",
		"state.checkpoint.every=200ms", "state.max_streams=12",
	}
}

// inject waits until the operators are at work, then calls fault as often as the suite
// says, with a moment of work after each.
func (s *scenario) inject(t *testing.T, fault func(round int)) {
	t.Helper()
	s.working(t)
	for i := range s.rounds {
		fault(i)
		s.row.injected++
		s.progress(t)
	}
}

// outputs is the number of records in the output topic.
func (s *scenario) outputs(ctx context.Context) (n int64, err error) {
	ends, err := s.kafka.ends(ctx, s.name+".scores", partitions, false)
	for _, end := range ends {
		n += end
	}
	return n, err
}

// working waits until each partition has some outputs.
func (s *scenario) working(t *testing.T) {
	t.Helper()
	until(t, time.Minute, "outputs in each partition", func() error {
		s.alive(t)
		ends, err := s.kafka.ends(t.Context(), s.name+".scores", partitions, false)
		for _, end := range ends {
			if end < 300 {
				return errors.Join(err, errNotYet)
			}
		}
		return err
	})
}

// alive fails t if an operator has ended that nobody ended.
func (s *scenario) alive(t *testing.T) {
	t.Helper()
	for _, o := range s.operators {
		if err := o.died(); err != nil {
			t.Fatal(err)
		}
	}
}

// progress waits until a second's worth of further outputs is there: the operators have
// got over the fault, at least in part.
func (s *scenario) progress(t *testing.T) {
	t.Helper()
	before, began := int64(-1), time.Now()
	err := poll(45*time.Second, func() error {
		s.alive(t)
		n, err := s.outputs(t.Context())
		if err != nil {
			return err
		}
		if before < 0 {
			before = n
		}
		if n < before+1500 {
			return errNotYet
		}
		return nil
	})
	if err != nil {
		t.Errorf("no 1500 further outputs in %v: %v", time.Since(began), err)
	}
}

// finish lets the operators finish the events, stops them, and compares.
func (s *scenario) finish(t *testing.T) {
	t.Helper()
	s.settle(t)
	for _, o := range s.operators {
		o.stop(t)
	}
	s.compare(t, s.expected(t))
	s.verifyLog(t)
	s.judge(t)
}

// judge puts the row into the table; t fails unless it is all zeros.
func (s *scenario) judge(t *testing.T) {
	t.Helper()
	s.table.add(s.row)
	t.Logf("%+v in %v", s.row, time.Since(s.started).Round(100*time.Millisecond))
	if s.row.faults() != 0 || s.row.injected == 0 || s.row.events == 0 {
		t.Errorf("want every number after the events' zero, and some before")
	}
}

// settle stops the load and waits until every event has its output. What is not there
// after a minute counts as lost.
func (s *scenario) settle(t *testing.T) {
	t.Helper()
	if err := s.quiet(); err != nil {
		t.Fatal(err)
	}
	var events []event
	until(t, time.Minute, "read the events", func() (err error) {
		events, err = s.events(t.Context())
		return err
	})
	poison := 0
	for i := range events {
		if events[i].poison() {
			poison++
		}
	}
	err := poll(time.Minute, func() error {
		if n, err := s.outputs(t.Context()); err != nil || n < int64(len(events)-poison) {
			return fmt.Errorf("%d outputs for %d events: %w", n, len(events)-poison, errors.Join(err, errNotYet))
		}
		got, err := s.results(t.Context())
		if err == nil && len(got.outputs)+len(got.letters) < len(events) {
			time.Sleep(200 * time.Millisecond)
			err = fmt.Errorf("%d outputs and %d dead letters for %d events", len(got.outputs), len(got.letters), len(events))
		}
		return err
	})
	if err != nil {
		t.Logf("not settled: %v", err)
	}
}

// stored opens the operators' states.
func (s *scenario) stored(t *testing.T) statestore.Store {
	t.Helper()
	var store statestore.Store
	var err error
	if s.file != "" {
		store, err = statestore.OpenFile(s.file)
	} else {
		store, err = statestore.OpenRedis(s.direct, s.name+":", 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func (s *scenario) partition(p int) statestore.Partition {
	return statestore.Partition{Group: s.name, Topic: s.name, Number: p}
}
