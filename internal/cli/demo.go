package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weirstream/weir/config"
)

// processStart is when this program began, as near as it can tell.
var processStart = time.Now()

type demoCmd struct {
	Set   []string      `help:"Set one setting of the operator, such as scoring.budget=1/1d; may be repeated." placeholder:"KEY=VALUE" sep:"none"`
	For   time.Duration `help:"Stop by itself after this time." placeholder:"20s"`
	JSON  bool          `help:"Print the summary as one line of JSON."`
	Speed float64       `help:"Seconds of telemetry replayed in one second." default:"7200" placeholder:"N"`
}

// Help is shown by weir demo --help.
func (*demoCmd) Help() string {
	return `Shows the whole operator at work with nothing to install: it starts a Kafka broker and a Redis server
inside this process, replays days of real server telemetry with labelled incidents as one stream a
metric, and scores it through the same code as weir run, over TCP. Progress and anomalies go to
standard error, the summary at the end to standard output. Ctrl-C stops it.

Examples:

  weir demo
  weir demo --for 20s --json
  weir demo --speed 60 --set scoring.budget=1/1d`
}

// load returns the operator's configuration against the embedded servers.
func (c *demoCmd) load(e *embedded) (config.Config, error) {
	listen := freeAddress(config.Default().Service.HTTP.Listen)
	set := append([]string{
		"service.name=weir-demo", "service.http.listen=" + listen, "service.log.level=warn",
		"kafka.brokers=" + e.kafka, "kafka.group_id=weir-demo", "input.topics=" + demoInput, "state.redis.url=" + e.redis,
	}, c.Set...)
	return config.Load("", config.Overrides{Environ: os.Environ(), Set: set})
}

// freeAddress is address where its port is free, else the same host with any port.
func freeAddress(address string) string {
	l, err := net.Listen("tcp", address)
	if err == nil {
		_ = l.Close() // nothing was sent
		return address
	}
	host, _, _ := net.SplitHostPort(address)
	return net.JoinHostPort(host, "0")
}

// Run runs the demo until ctx ends or --for has passed.
func (c *demoCmd) Run(ctx context.Context, std *streams) (err error) {
	began := processStart
	if !(c.Speed > 0) {
		return usageErrorf("--speed %v: use a number above 0", c.Speed)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if c.For > 0 {
		// Not a deadline: network calls would see it pass before the context does.
		defer time.AfterFunc(time.Until(began.Add(c.For)), cancel).Stop()
	}
	e, err := startEmbedded()
	if err != nil {
		return err
	}
	defer e.close()
	cfg, err := c.load(e)
	if err != nil {
		return err
	}
	svc, err := openService(cfg, std)
	if err != nil {
		return err
	}
	seen, err := c.play(ctx, e, svc, std.err, began)
	if err != nil {
		return err
	}
	return c.summarize(std.out, seen.summary())
}

// play runs the operator between the replay that feeds it and the watch that shows what
// it says. The three end together.
func (c *demoCmd) play(ctx context.Context, e *embedded, svc *service, progress io.Writer, began time.Time) (*watch, error) {
	w := &watch{kafka: svc.kafka, out: progress, began: began, stateBytes: svc.model.StateBytes()}
	w.say("Embedded Kafka at %s and Redis at %s; real telemetry at %g times its speed; model %s.\n",
		e.kafka, e.redis, c.Speed, svc.model.Tag())
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return svc.run(ctx) })
	g.Go(func() error { return replay(ctx, svc.kafka, c.Speed) })
	g.Go(func() error { return w.run(ctx) })
	g.Go(func() error { return e.keepSmall(ctx) })
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return nil, err
	}
	return w, nil
}

// summarize prints the demo's result.
func (c *demoCmd) summarize(out io.Writer, s demoSummary) error {
	if c.JSON {
		return json.NewEncoder(out).Encode(s)
	}
	_, err := fmt.Fprintf(out, "%d events of %d streams scored in %.1f s, the first after %d ms; %d bytes of state a stream; "+
		"%d anomalies, %d of them in labelled incidents\n",
		s.Events, s.Streams, s.Seconds, s.FirstEventMs, s.StateBytes, s.Anomalies, s.InIncidents)
	return err
}
