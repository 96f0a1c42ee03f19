package chaos

import (
	"math/rand/v2"
	"testing"
	"time"
)

// pause is a random moment, so that faults hit anything.
func pause(atMost time.Duration) { time.Sleep(rand.N(atMost)) }

func TestOperatorsKilled(t *testing.T) {
	r := startRedis(t)
	s := start(t, "kill -9 of an operator", r.url(), r.url())
	ops := []*operator{s.operator(t), s.operator(t)}
	s.inject(t, func(round int) {
		pause(500 * time.Millisecond)
		i := round % len(ops)
		ops[i].kill(t)
		ops[i] = s.operator(t)
	})
	s.finish(t)
}

// TestOperatorsFrozen stops a process for longer than the session timeout, so that it is
// taken for dead, and lets it go on in the belief that its partitions are its own.
func TestOperatorsFrozen(t *testing.T) {
	r := startRedis(t)
	s := start(t, "operator frozen past the session timeout (SIGSTOP, SIGCONT)", r.url(), r.url())
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
	r := startRedis(t)
	s := start(t, "members joining and leaving", r.url(), r.url())
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
