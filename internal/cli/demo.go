package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weirstream/weir/config"
	"github.com/weirstream/weir/internal/sample"
	"github.com/weirstream/weir/internal/web"
	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/pipeline"
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
metric, and has a process of its own score it, the same as weir run, over TCP. Open the page that it
names: there you can break a stream, and kill the operator. Progress and anomalies go to standard
error, the summary at the end to standard output. Ctrl-C stops it.

Examples:

  weir demo
  weir demo --for 20s --json
  weir demo --speed 60 --set scoring.budget=1/1d`
}

// load returns the operator's configuration against the embedded servers.
func (c *demoCmd) load(e *embedded) (config.Config, []string, error) {
	set := append([]string{
		"service.name=weir-demo", "service.http.listen=" + freeAddress(config.Default().Service.HTTP.Listen),
		"service.log.level=warn", "kafka.brokers=" + e.kafka, "kafka.group_id=weir-demo",
		// The embedded broker misses a killed operator after this.
		"kafka.session_timeout=2500ms", "kafka.heartbeat_interval=400ms",
		"input.topics=" + demoInput, "state.redis.url=" + e.redis,
	}, c.Set...)
	cfg, err := config.Load("", config.Overrides{Environ: os.Environ(), Set: set})
	return cfg, set, err
}

// freeAddress is address where its port is free, else the same host with one that is.
func freeAddress(address string) string {
	host, _, _ := net.SplitHostPort(address)
	for _, try := range []string{address, net.JoinHostPort(host, "0")} {
		if l, err := net.Listen("tcp", try); err == nil {
			_ = l.Close() // nothing was sent
			return l.Addr().String()
		}
	}
	return address
}

// A demo is one under way: the servers, the telemetry, the page, and the twin are in this
// process; the operator is in one of its own, which may be killed.
type demo struct {
	cfg     config.Config
	servers *embedded
	model   *operator.Model
	kafka   *pipeline.Connection
	page    *livePage
	health  *web.Health
	player  *player
	worker  *supervised
	twin    *twin
	watch   *watch
	log     io.Writer
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
	d, err := c.open(std, began)
	if err != nil {
		return err
	}
	defer d.close()
	if err := d.run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return c.summarize(std.out, d.watch.summary())
}

// open starts the servers and puts the parts together.
func (c *demoCmd) open(std *streams, began time.Time) (*demo, error) {
	e, err := startEmbedded()
	if err != nil {
		return nil, err
	}
	cfg, set, err := c.load(e)
	if err != nil {
		e.close()
		return nil, err
	}
	d := &demo{cfg: cfg, servers: e, health: web.NewHealth("operator"), log: std.err}
	if err := d.build(set, c.Speed, began, std); err != nil {
		e.close()
		return nil, err
	}
	return d, nil
}

func (d *demo) build(set []string, speed float64, began time.Time, std *streams) (err error) {
	if d.model, err = openModel(d.cfg.Model.Use); err != nil {
		return err
	}
	if d.kafka, err = openKafka(d.cfg); err != nil {
		return err
	}
	streams, err := sample.Streams()
	if err != nil {
		return fmt.Errorf("read the bundled telemetry: %w", err)
	}
	d.worker = newSupervised(set, std.err)
	d.player = newPlayer(d.kafka, streams, speed)
	d.twin = newTwin(d)
	d.page = newLivePage(d.cfg, d.worker.work)
	d.watch = &watch{
		kafka: d.kafka, out: std.err, began: began, stateBytes: d.model.StateBytes(),
		player: d.player, twin: d.twin, worker: d.worker, board: d.page.board,
	}
	return nil
}

func (d *demo) close() {
	d.kafka.Close()
	d.servers.close()
}

// run lets the parts work together. They end together.
func (d *demo) run(ctx context.Context) error {
	api := &web.API{
		Board: d.page.board, Meter: d.page.meter, Health: d.health, Forward: d.worker.proxy(), Labels: d.player.labels,
		Demo: &web.Demo{State: d.state, Kill: d.worker.kill, Break: d.player.breakStream, Speed: d.player.setSpeed},
	}
	mux := d.health.Mux()
	mux.Handle("GET /metrics", d.worker.proxy())
	mux.Handle("/", guarded(d.cfg.Service.HTTP, api))
	server, err := d.serve(ctx, mux)
	if err != nil {
		return err
	}
	address := "no page: service.http.listen is empty"
	if server != nil {
		address = "page at http://" + server.Addr().String()
	}
	d.watch.say("Embedded Kafka at %s and Redis at %s; real telemetry at %g times its speed; model %s.\nOpen the %s\n",
		d.servers.kafka, d.servers.redis, d.player.factor(), d.model.Tag(), address)
	g, ctx := errgroup.WithContext(ctx)
	if server != nil {
		g.Go(func() error { return server.Serve(ctx) })
	}
	for _, part := range []func(context.Context) error{
		func(ctx context.Context) error { return d.worker.run(ctx, d.health) },
		d.page.run, d.player.run, d.watch.run, d.twin.run, d.servers.keepSmall,
	} {
		g.Go(func() error { return part(ctx) })
	}
	return g.Wait()
}

// serve binds the page's address; nil where there is none.
func (d *demo) serve(ctx context.Context, handler http.Handler) (*web.Server, error) {
	if d.cfg.Service.HTTP.Listen == "" {
		return nil, nil
	}
	return web.Listen(ctx, d.cfg.Service.HTTP.Listen, handler)
}

// state is what the page shows of the demo itself.
func (d *demo) state() any {
	return map[string]any{
		"speed": d.player.factor(), "worker": d.worker.state(), "twin": d.twin.state(),
		"breaks": d.player.broken(), "kinds": breakKinds,
	}
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
