package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/weirstream/weir/config"
	"github.com/weirstream/weir/internal/web"
)

// demoWorkerCmd is the operator of a demo: weir run, until its standard input ends, so
// that it does not outlive the demo however that ends.
type demoWorkerCmd struct {
	Set []string `help:"One setting." sep:"none"`
}

// Run runs the operator.
func (c *demoWorkerCmd) Run(ctx context.Context, std *streams) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // ends with the process, at the latest
		_, _ = io.Copy(io.Discard, std.in)
		cancel()
	}()
	cfg, err := config.Load("", config.Overrides{Environ: os.Environ(), Set: c.Set})
	if err != nil {
		return err
	}
	return operate(ctx, cfg, std)
}

// keptKills is how many deaths of the operator are remembered.
const keptKills = 8

// supervised is the operator's process, and who starts it again when it was killed.
type supervised struct {
	set    []string
	out    io.Writer
	client http.Client

	mu      sync.Mutex
	cmd     *exec.Cmd
	address string // of its API
	kills   []killed
}

// killed is one death of the operator. Times are Unix milliseconds, 0 where not yet.
type killed struct {
	Pid     int   `json:"pid"`
	Killed  int64 `json:"killed"`  // the signal was sent
	Died    int64 `json:"died"`    // the process was gone
	Started int64 `json:"started"` // the next one was there
	Restore int64 `json:"restore"` // its first new score was in Kafka
}

func newSupervised(set []string, out io.Writer) *supervised {
	return &supervised{set: set, out: out, client: http.Client{Timeout: 2 * time.Second}}
}

// run keeps the operator running until ctx ends. One that ends by itself is an error.
func (s *supervised) run(ctx context.Context, health *web.Health) error {
	for ctx.Err() == nil {
		stop, err := s.start()
		if err != nil {
			return fmt.Errorf("start the operator: %w", err)
		}
		health.Set("operator", nil)
		end := context.AfterFunc(ctx, stop)
		err = s.cmd.Wait()
		end()
		if ctx.Err() != nil {
			return nil
		}
		if !wasKilled(err) {
			return fmt.Errorf("the operator ended: %w", err)
		}
		s.died()
		health.Set("operator", errors.New("killed"))
	}
	return nil
}

// start starts a process and returns how to make it stop in good order.
func (s *supervised) start() (stop func(), err error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	address := freeAddress("127.0.0.1:0")
	args := []string{"demo-worker"}
	for _, set := range s.set {
		args = append(args, "--set", set)
	}
	cmd := exec.Command(exe, append(args, "--set", "service.http.listen="+address)...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdout, cmd.Stderr = s.out, s.out
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cmd, s.address = cmd, address
	if n := len(s.kills); n > 0 && s.kills[n-1].Started == 0 {
		s.kills[n-1].Started = time.Now().UnixMilli()
	}
	return func() { _ = in.Close() }, nil
}

// wasKilled reports whether a process ended by SIGKILL.
func wasKilled(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// kill ends the process as kill -9 does: it has no say.
func (s *supervised) kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.kills); n > 0 && s.kills[n-1].Restore == 0 {
		return errors.New("it is dead, or has not scored an event since")
	}
	if s.cmd == nil {
		return errors.New("it has not started yet")
	}
	s.remember(killed{Pid: s.cmd.Process.Pid, Killed: time.Now().UnixMilli()})
	return s.cmd.Process.Kill()
}

// remember adds a death; s.mu is held.
func (s *supervised) remember(k killed) {
	if len(s.kills) == keptKills {
		s.kills = s.kills[1:]
	}
	s.kills = append(s.kills, k)
}

// died notes when the process was gone, whoever has killed it.
func (s *supervised) died() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now().UnixMilli()
	if n := len(s.kills); n == 0 || s.kills[n-1].Died != 0 {
		s.remember(killed{Pid: s.cmd.Process.Pid, Killed: now})
	}
	s.kills[len(s.kills)-1].Died = now
}

// scored is told of every batch of new scores.
func (s *supervised) scored(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.kills); n > 0 && s.kills[n-1].Restore == 0 && s.kills[n-1].Started != 0 {
		s.kills[n-1].Restore = now.UnixMilli()
	}
}

func (s *supervised) state() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	pid := 0
	if s.cmd != nil {
		pid = s.cmd.Process.Pid
	}
	return map[string]any{"pid": pid, "kills": append([]killed{}, s.kills...)}
}

// where is the URL of the process's API.
func (s *supervised) where() *url.URL {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &url.URL{Scheme: "http", Host: s.address}
}

// proxy answers as the operator's process does. Where that is dead, it waits for the next.
func (s *supervised) proxy() http.Handler {
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(s.where())
			r.Out.Header.Del("Origin") // was checked, and names another port
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"the operator's process is not there"}`)
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.await(r.Context())
		forward.ServeHTTP(w, r)
	})
}

// await waits until the process's API answers, for as long as an answer may take.
func (s *supervised) await(ctx context.Context) {
	const limit, again = 10 * time.Second, 50 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var dialer net.Dialer
	for ctx.Err() == nil {
		conn, err := dialer.DialContext(ctx, "tcp", s.where().Host)
		if err == nil {
			_ = conn.Close() // it only had to open
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}

// work asks the process for its counters.
func (s *supervised) work(ctx context.Context) (web.Work, error) {
	var answer struct{ Work web.Work }
	u := s.where()
	u.Path = "/api/v1/counters"
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return answer.Work, err
	}
	res, err := s.client.Do(r)
	if err != nil {
		return answer.Work, err
	}
	defer res.Body.Close()
	return answer.Work, json.NewDecoder(res.Body).Decode(&answer)
}
