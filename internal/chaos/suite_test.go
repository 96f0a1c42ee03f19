package chaos

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// A suite is what all tests share.
type suite struct {
	dir    string // everything lies below it
	rounds int    // how often a fault is injected
	weir   string // the program
	kafka  *brokers
	table  table
}

var shared = sync.OnceValues(openSuite)

func TestMain(m *testing.M) {
	code := m.Run()
	if os.Getenv("CHAOS_DIR") != "" {
		code = max(code, finish())
	}
	os.Exit(code)
}

// finish puts the table into the suite's folder.
func finish() int {
	s, err := shared()
	if err == nil {
		err = os.WriteFile(filepath.Join(s.dir, "table.md"), []byte(s.table.String()), 0o644)
		s.kafka.close()
	}
	if err != nil {
		fmt.Println("chaos:", err)
		return 1
	}
	return 0
}

// theSuite returns what all tests share, or skips a test that has no servers.
func theSuite(t *testing.T) *suite {
	t.Helper()
	if os.Getenv("CHAOS_DIR") == "" {
		t.Skip("make chaos runs it: it wants servers of its own")
	}
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func openSuite() (*suite, error) {
	dir, err := filepath.Abs(os.Getenv("CHAOS_DIR"))
	if err != nil {
		return nil, err
	}
	s := &suite{dir: dir, rounds: 1, weir: filepath.Join(dir, "weir")}
	if n := os.Getenv("CHAOS_ROUNDS"); n != "" {
		if s.rounds, err = strconv.Atoi(n); err != nil || s.rounds < 1 {
			return nil, fmt.Errorf("CHAOS_ROUNDS is %q, want a number from 1", n)
		}
	}
	build := exec.Command("go", "build", "-o", s.weir, "github.com/weirstream/weir")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%v: %w\n%s", build, err, out)
	}
	s.kafka, err = openBrokers(filepath.Join(dir, "kafka"))
	return s, err
}

// freePort returns a port below those that Linux gives out by itself (32768 and up), so
// that no connection takes it while its server is away.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 20000 + rand.IntN(12000)
		if l, err := net.Listen("tcp", loopback(port)); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no free port between 20000 and 32000")
	return 0
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// until asks every 50 ms whether it is done; t fails after the limit.
func until(t *testing.T, limit time.Duration, what string, done func() error) {
	t.Helper()
	if err := poll(limit, done); err != nil {
		t.Fatalf("%s: not within %v: %v", what, limit, err)
	}
}

// errNotYet is for what has no better reason.
var errNotYet = errors.New("not yet")

// poll asks every 50 ms until there is no error, and returns the last one after the limit.
func poll(limit time.Duration, done func() error) error {
	end := time.Now().Add(limit)
	for {
		err := done()
		if err == nil || time.Now().After(end) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}
