package chaos

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// A redisServer is a redis-server that a test kills and starts again.
type redisServer struct {
	port int
	dir  string
	args []string
	cmd  *exec.Cmd
}

// startRedis starts a server without persistence, unless arguments say otherwise.
func startRedis(t *testing.T, args ...string) *redisServer {
	t.Helper()
	s := theSuite(t)
	r := &redisServer{port: freePort(t)}
	r.dir = filepath.Join(s.dir, t.Name(), strconv.Itoa(r.port))
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r.args = append([]string{
		"--port", strconv.Itoa(r.port), "--bind", "127.0.0.1", "--dir", r.dir, "--save", "", "--appendonly", "no",
		"--maxmemory-policy", "noeviction", "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1",
	}, args...)
	r.start(t)
	t.Cleanup(func() { r.kill() })
	return r
}

// start starts the server again with what it has on disk.
func (r *redisServer) start(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(r.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	r.cmd = exec.Command("redis-server", r.args...)
	r.cmd.Stdout, r.cmd.Stderr = log, log
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := theSuite(t).remember(r.cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	client := r.client(t)
	until(t, 20*time.Second, "redis-server", func() error { return client.Ping(t.Context()).Err() })
}

// kill ends the server as a crash would.
func (r *redisServer) kill() {
	if r.cmd != nil {
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait() // says that it was killed
		r.cmd = nil
	}
}

func (r *redisServer) addr() string { return loopback(r.port) }
func (r *redisServer) url() string  { return "redis://" + r.addr() }

// client returns a client for the test's own commands.
func (r *redisServer) client(t *testing.T) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: r.addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// do runs a command.
func (r *redisServer) do(t *testing.T, args ...any) {
	t.Helper()
	if err := r.client(t).Do(t.Context(), args...).Err(); err != nil {
		t.Fatalf("redis: %v: %v", args, err)
	}
}

// streamKeys returns the keys of the scenario's stored states.
func (s *scenario) streamKeys(ctx context.Context, c *redis.Client) ([]string, error) {
	var keys []string
	found := c.Scan(ctx, 0, s.name+":*:s:*", 1000).Iterator()
	for found.Next(ctx) {
		keys = append(keys, found.Val())
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("no states of %s: %w", s.name, found.Err())
	}
	return keys, found.Err()
}
