package chaos

import (
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"
)

// pause is a random moment, so that faults hit anything.
func pause(atMost time.Duration) { time.Sleep(rand.N(atMost)) }

func TestOperatorsKilled(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	s := start(t, "operator: killed (kill -9)", r.url(), r.url())
	s.killThem(t)
	s.finish(t)
}

// TestOperatorsKilledTransactional reads the output topic as it is meant to be read then:
// committed transactions only.
func TestOperatorsKilledTransactional(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	s := start(t, "operator: killed (kill -9), delivery: transactional", r.url(), r.url())
	s.killThem(t, "delivery=transactional")
	s.finish(t)
}

func TestOperatorsKilledAtLeastOnce(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	s := start(t, "operator: killed (kill -9), delivery: at_least_once", r.url(), r.url())
	s.row.mayRepeat, s.row.policy = true, "outputs repeat, with the same bytes"
	s.killThem(t, "delivery=at_least_once")
	s.finish(t)
}

// killThem kills one of two operators each time, and starts another.
func (s *scenario) killThem(t *testing.T, settings ...string) {
	t.Helper()
	ops := []*operator{s.operator(t, settings...), s.operator(t, settings...)}
	s.inject(t, func(round int) {
		pause(500 * time.Millisecond)
		i := round % len(ops)
		ops[i].kill(t)
		ops[i] = s.operator(t, settings...)
	})
}

func TestOperatorWithFileKilled(t *testing.T) {
	t.Parallel()
	s := start(t, "operator: killed (kill -9), state.store: file", "redis://unused:0", "")
	s.file = filepath.Join(s.home, "states.weir")
	settings := []string{"state.store=file", "state.file.path=" + s.file}
	o := s.operator(t, settings...)
	s.inject(t, func(int) {
		pause(500 * time.Millisecond)
		o.kill(t)
		o = s.operator(t, settings...)
	})
	s.finish(t)
}

// TestOperatorsFrozen stops a process for longer than the session timeout, so that it is
// taken for dead, and lets it go on in the belief that its partitions are its own.
func TestOperatorsFrozen(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	s := start(t, "operator: frozen past its session (SIGSTOP, SIGCONT)", r.url(), r.url())
	ops := []*operator{s.operator(t), s.operator(t)}
	s.inject(t, func(round int) {
		pause(500 * time.Millisecond)
		o := ops[round%len(ops)]
		o.freeze(t)
		time.Sleep(3 * time.Second)
		o.thaw(t)
	})
	s.finish(t)
}

func TestMembersComeAndGo(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	s := start(t, "operator: others join and leave", r.url(), r.url())
	s.operator(t)
	s.inject(t, func(int) {
		guests := []*operator{s.operator(t), s.operator(t)}
		pause(1500 * time.Millisecond)
		for _, o := range guests {
			o.stop(t)
			pause(500 * time.Millisecond)
		}
	})
	s.finish(t)
}

// TestGroupDeleted has the group forget its offsets and begin its generations again, below
// those that Redis knows as the partitions' owners.
func TestGroupDeleted(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	s := start(t, "Kafka: consumer group deleted, with its offsets", r.url(), r.url())
	ops := []*operator{s.operator(t), s.operator(t)}
	s.inject(t, func(int) {
		for _, o := range ops {
			o.stop(t)
		}
		until(t, time.Minute, "delete the group", func() error { return s.kafka.forget(t.Context(), s.name) })
		ops = []*operator{s.operator(t), s.operator(t)}
	})
	s.finish(t)
}
