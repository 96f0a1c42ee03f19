package chaos

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestRedisKilledKeepsItsFile(t *testing.T) {
	t.Parallel()
	r := startRedis(t, "--appendonly", "yes", "--appendfsync", "everysec")
	s := start(t, "Redis: killed (kill -9), back with its append-only file", r.url(), r.url())
	s.operator(t)
	s.operator(t)
	s.inject(t, func(int) {
		pause(300 * time.Millisecond)
		r.kill()
		pause(2 * time.Second)
		r.start(t)
	})
	s.finish(t)
}

func TestRedisRestartsEmpty(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	s := start(t, "Redis: killed, back empty", r.url(), r.url())
	s.operator(t)
	s.operator(t)
	s.inject(t, func(int) {
		pause(300 * time.Millisecond)
		r.kill()
		pause(time.Second)
		r.start(t)
	})
	s.finish(t)
}

// TestRedisRestartsFromOlderDump takes Redis back to what it held a second or two before.
func TestRedisRestartsFromOlderDump(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	s := start(t, "Redis: killed, back with an older dump", r.url(), r.url())
	s.operator(t)
	s.operator(t)
	s.inject(t, func(int) {
		r.do(t, "SAVE")
		time.Sleep(time.Second)
		pause(time.Second)
		r.kill()
		r.start(t)
	})
	s.finish(t)
}

func TestRedisFlushed(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	s := start(t, "Redis: FLUSHALL", r.url(), r.url())
	s.operator(t)
	s.operator(t)
	s.inject(t, func(int) {
		pause(300 * time.Millisecond)
		r.do(t, "FLUSHALL")
	})
	s.finish(t)
}

func TestRedisOutOfMemory(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	s := start(t, "Redis: out of memory (noeviction)", r.url(), r.url())
	s.operator(t)
	s.operator(t)
	s.inject(t, func(int) {
		r.do(t, "CONFIG", "SET", "maxmemory", "1")
		time.Sleep(2 * time.Second)
		r.do(t, "CONFIG", "SET", "maxmemory", "0")
	})
	s.finish(t)
}

func TestRedisLosesStreams(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	s := start(t, "Redis: five streams' states deleted, as by eviction", r.url(), r.url())
	s.operator(t)
	s.operator(t)
	s.inject(t, func(int) {
		for _, key := range s.someKeys(t, r, 5) {
			r.do(t, "DEL", key)
		}
	})
	s.finish(t)
}

func TestRedisDamagesStreams(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	s := start(t, "Redis: five streams' states damaged", r.url(), r.url())
	s.operator(t)
	s.operator(t)
	s.inject(t, func(int) {
		for _, key := range s.someKeys(t, r, 5) {
			r.do(t, "SETRANGE", key, 28+rand.IntN(500), "damage")
		}
	})
	s.finish(t)
}

// someKeys returns keys of n stored states.
func (s *scenario) someKeys(t *testing.T, r *redisServer, n int) []string {
	t.Helper()
	keys, err := s.streamKeys(t.Context(), r.client(t))
	if err != nil {
		t.Fatal(err)
	}
	rand.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	return keys[:min(n, len(keys))]
}
