package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// An operator is a weir run.
type operator struct {
	cmd *exec.Cmd
	log *lockedBuffer
	end chan struct{} // closed when the process has ended
	err error         // how, from then on
	bid bool          // to end
}

// operator starts one with the scenario's settings and further ones.
func (s *scenario) operator(t *testing.T, more ...string) *operator {
	t.Helper()
	args := []string{"run"}
	for _, setting := range append(s.settings(), more...) {
		args = append(args, "--set", setting)
	}
	o := &operator{cmd: exec.Command(s.weir, args...), log: &lockedBuffer{}, end: make(chan struct{})}
	o.cmd.Stdout, o.cmd.Stderr = o.log, o.log
	if err := o.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := s.remember(o.cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	go func() {
		o.err = o.cmd.Wait()
		close(o.end)
	}()
	t.Cleanup(func() {
		_ = o.cmd.Process.Kill() // where it has not ended
		<-o.end
		if t.Failed() {
			s.keepLog(t, o)
		}
	})
	s.operators = append(s.operators, o)
	return o
}

// keepLog shows the end of an operator's log, and puts all of it into the suite's folder.
func (s *scenario) keepLog(t *testing.T, o *operator) {
	text := o.log.String()
	file := filepath.Join(s.home, fmt.Sprintf("operator-%d.log", o.cmd.Process.Pid))
	_ = os.WriteFile(file, []byte(text), 0o644)
	const tail = 2500
	t.Logf("operator %d:\n%s", o.cmd.Process.Pid, text[max(0, len(text)-tail):])
}

// kill ends it as a crash would.
func (o *operator) kill(t *testing.T) {
	t.Helper()
	if err := o.cmd.Process.Kill(); err != nil {
		t.Errorf("kill operator: %v; it must not end by itself:\n%s", err, o.log)
	}
	o.bid = true
	<-o.end
}

// died returns an error if the process has ended by itself.
func (o *operator) died() error {
	select {
	case <-o.end:
		if !o.bid {
			return fmt.Errorf("operator %d has ended: %w", o.cmd.Process.Pid, o.err)
		}
	default:
	}
	return nil
}

// stop asks it to end, as Kubernetes does, and waits until it has.
func (o *operator) stop(t *testing.T) {
	t.Helper()
	if o.bid {
		return
	}
	o.bid = true
	until(t, 30*time.Second, "an operator that takes signals", func() error {
		if !o.says("starting") {
			return errNotYet
		}
		return nil
	})
	if err := o.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("stop operator: %v", err)
	}
	select {
	case <-o.end:
		if o.err != nil {
			t.Errorf("operator stopped with %v", o.err)
		}
	case <-time.After(30 * time.Second):
		t.Error("operator does not stop within 30 s")
	}
}

// freeze and thaw are a pause that the process does not notice.
func (o *operator) freeze(t *testing.T) { o.signal(t, syscall.SIGSTOP) }
func (o *operator) thaw(t *testing.T)   { o.signal(t, syscall.SIGCONT) }

func (o *operator) signal(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := o.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("%v to operator: %v", sig, err)
	}
}

// says reports whether its log has the text.
func (o *operator) says(text string) bool { return strings.Contains(o.log.String(), text) }

var served = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// readiness returns what /readyz answers.
func (o *operator) readiness() (ready bool, details string, err error) {
	for line := range strings.Lines(o.log.String()) {
		if !strings.Contains(line, "http") {
			continue
		}
		addr := served.FindString(line)
		if addr == "" {
			continue
		}
		res, err := http.Get("http://" + addr + "/readyz")
		if err != nil {
			return false, "", err
		}
		text, err := io.ReadAll(res.Body)
		return res.StatusCode == http.StatusOK, string(text), errors.Join(err, res.Body.Close())
	}
	return false, "", errors.New("the log does not say where it listens")
}

// A lockedBuffer takes the log of a process.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
