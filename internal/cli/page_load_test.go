package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/weirstream/weir/internal/web"
	"github.com/weirstream/weir/pipeline"
)

// TestPageUnderLoad keeps the page open on 2,000 streams at 5,000 events/s, beside
// clients that do not read, for as long as WEIR_TEST_LOAD says, such as 10m.
func TestPageUnderLoad(t *testing.T) {
	span, err := time.ParseDuration(os.Getenv("WEIR_TEST_LOAD"))
	if err != nil {
		t.Skip("WEIR_TEST_LOAD=10m runs this for so long")
	}
	modules := browserModules(t)
	r := newRig(t, 8)
	address := freeAddress("127.0.0.1:0")
	svc, _ := r.operate(t, "service.http.listen="+address, "service.log.level=warn", "kafka.session_timeout=10s", "kafka.heartbeat_interval=1s")
	ctx, cancel := context.WithCancel(t.Context())
	fed := make(chan error, 1)
	go func() { fed <- r.produceSteadily(ctx, 2000, 5000) }()
	until(t, time.Minute, "the page", func() bool {
		res, err := http.Get("http://" + address + "/readyz")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == 200
	})
	for range 4 {
		idle, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer idle.Close()
		_, _ = fmt.Fprintf(idle, "GET /api/v1/events?limit=500&stream=s1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
	}
	cmd := exec.CommandContext(t.Context(), "node", "testdata/browser/load.mjs", "http://"+address+"/", modules, fmt.Sprint(span.Seconds()))
	said, err := cmd.CombinedOutput()
	t.Logf("%s", said)
	if err != nil {
		t.Error(err)
	}
	var saw struct {
		Before float64 `json:"heap_before_mib"`
		After  float64 `json:"heap_after_mib"`
	}
	if err := json.Unmarshal(said, &saw); err != nil || saw.After > 1.25*saw.Before+2 {
		t.Errorf("the browser's heap grew from %.1f to %.1f MiB, %v", saw.Before, saw.After, err)
	}
	cancel()
	if err := <-fed; err != nil {
		t.Error(err)
	}
	res, err := http.Get("http://" + address + "/api/v1/counters")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var c web.Counters
	if err := json.NewDecoder(res.Body).Decode(&struct {
		Dropped *int64 `json:"not_shown"`
	}{&c.Dropped}); err != nil || c.Dropped > 0 {
		t.Errorf("%d events were not shown, %v", c.Dropped, err)
	}
	done, _ := svc.workDone(t.Context())
	t.Logf("%d events scored, %d not shown", done.Events, c.Dropped)
}

// produceSteadily writes so many events a second of so many streams, until ctx ends.
func (r *rig) produceSteadily(ctx context.Context, streams, perSecond int) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for n := 0; ; {
		parts := make([][]pipeline.Message, r.width)
		for due := int(time.Since(began).Seconds() * float64(perSecond)); n < due; n++ {
			s := n % streams
			v := fmt.Appendf(nil, `{"stream":"s%d","ts":%d,"value":%d}`, s, 1_780_000_000_000+int64(n/streams)*400, (n/streams*7+s*13)%101)
			parts[s%r.width] = append(parts[s%r.width], pipeline.Message{Key: fmt.Appendf(nil, "s%d", s), Value: v})
		}
		for p, msgs := range parts {
			if len(msgs) == 0 {
				continue
			}
			if err := r.produce(ctx, p, msgs); err != nil {
				return unlessEnded(ctx, err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
