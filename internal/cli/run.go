package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/weirstream/weir/config"
	"github.com/weirstream/weir/internal/web"
	"github.com/weirstream/weir/operator"
	"github.com/weirstream/weir/pipeline"
)

type runCmd struct{ configFlags }

// Help is shown by weir run --help.
func (*runCmd) Help() string {
	return `Joins the consumer group kafka.group_id and scores the events of the partitions it is given,
until it is told to stop (SIGTERM, SIGINT). Start as many as the input topic has partitions:
they share the work, and take over from each other with the states that are in the store.

Examples:

  weir run --config weir.yaml
  weir run --config weir.yaml --set service.log.level=debug
  WEIR_KAFKA_BROKERS=kafka:9092 WEIR_INPUT_TOPICS=events weir run`
}

// Run runs the operator.
func (c *runCmd) Run(ctx context.Context, std *streams) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	return operate(ctx, cfg, std)
}

// operate runs the operator of a configuration until ctx ends.
func operate(ctx context.Context, cfg config.Config, std *streams) error {
	svc, err := openService(cfg, std)
	if err != nil {
		return err
	}
	return svc.run(ctx)
}

// openService builds the service that logs to standard error. It sets go-redis' logger,
// which is the process's: a process runs one service.
func openService(cfg config.Config, std *streams) (*service, error) {
	log := newLogger(std.err, cfg.Service.Log)
	redis.SetLogger(redisLog{log})
	return newService(cfg, log)
}

// redisLog takes what go-redis says of its own. Weir tells of failing calls itself, so
// this is detail.
type redisLog struct{ log *slog.Logger }

// Printf implements go-redis' logging interface.
func (l redisLog) Printf(ctx context.Context, format string, v ...any) {
	l.log.DebugContext(ctx, "redis client", "says", fmt.Sprintf(format, v...))
}

// A service is the operator with everything around it: what run starts, and demo as well.
type service struct {
	cfg       config.Config
	log       *slog.Logger
	model     *operator.Model
	store     *store
	kafka     *pipeline.Connection
	topics    pipeline.Topics
	telemetry *telemetry
	retry     *pipeline.Retrier
	widths    map[string]int // partitions of the output topics at the start

	page *livePage

	mu      sync.Mutex
	workers map[*pipeline.Worker]bool // at work now
	warm    warm
	ended   web.Work // of workers that are not
}

// newService builds the parts; nothing is dialled yet.
func newService(cfg config.Config, log *slog.Logger) (*service, error) {
	model, err := openModel(cfg.Model.Use)
	if err != nil {
		return nil, err
	}
	kafka, err := openKafka(cfg)
	if err != nil {
		return nil, err
	}
	store, err := openStore(cfg.State)
	if err != nil {
		return nil, err
	}
	s := &service{
		cfg: cfg, log: log, model: model, store: store, kafka: kafka, workers: make(map[*pipeline.Worker]bool),
		topics: pipeline.Topics{Inputs: cfg.Input.Topics, Scores: cfg.Output.Scores.Topic, DLQ: cfg.Output.DLQ.Topic, Gauges: cfg.Output.Metrics.Topic},
	}
	s.telemetry, err = newTelemetry(cfg.Service.Name, pipeline.MetricLabels{
		Group: cfg.Kafka.GroupID, Input: strings.Join(s.topics.Inputs, ","), Scores: s.topics.Scores,
	}, s.gauges, os.Environ())
	if err != nil {
		return nil, err
	}
	s.page = newLivePage(cfg, s.workDone)
	s.retry = &pipeline.Retrier{Log: log, Report: s.telemetry.health.Set, Count: s.telemetry.metrics.Retry}
	return s, nil
}

// gauges sums what the partitions' workers hold.
func (s *service) gauges() pipeline.Gauges {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := pipeline.Gauges{Partitions: int64(len(s.workers))}
	for w := range s.workers {
		load := w.Load()
		sum.Streams += load.Streams
		sum.ReplayDepth += load.ReplayDepth
		sum.Lag += load.Lag
		sum.CheckpointAge = max(sum.CheckpointAge, load.CheckpointAge())
	}
	return sum
}

// enlist counts a worker among those at work, until the returned function is called.
func (s *service) enlist(w *pipeline.Worker) (dismiss func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.workers[w] = true
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.workers, w)
		addLoad(&s.ended, ended(w.Load()))
	}
}

// run serves HTTP and works until ctx ends or something is wrong that waiting cannot mend.
func (s *service) run(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer func() { err = errors.Join(err, s.store.Close()) }()
	defer s.kafka.Close()
	page, err := s.pageHandler()
	if err != nil {
		return err
	}
	served, err := s.telemetry.serve(ctx, s.cfg.Service.HTTP.Listen, page, s.log)
	if err != nil {
		return err
	}
	shown := make(chan error, 1)
	go func() { shown <- s.page.run(ctx) }()
	defer func() {
		cancel()
		err = errors.Join(err, served(), <-shown)
	}()
	s.log.Info("starting", "service", s.cfg.Service.Name, "model", s.model.Tag(), "group", s.cfg.Kafka.GroupID,
		"delivery", s.cfg.Delivery, "input", s.topics.Inputs, "scores", s.topics.Scores, "dlq", s.topics.DLQ, "store", s.cfg.State.Store)
	if err := s.prepare(ctx); err != nil {
		return stopped(ctx, err)
	}
	group := pipeline.NewGroup(s.kafka, pipeline.GroupConfig{
		ID: s.cfg.Kafka.GroupID, Topics: s.topics.Inputs,
		SessionTimeout: s.cfg.Kafka.SessionTimeout, HeartbeatInterval: s.cfg.Kafka.HeartbeatInterval,
	}, s.log, s.telemetry.health.Set)
	if err := group.Run(ctx, s.work); err != nil {
		return err
	}
	s.log.Info("stopped")
	return nil
}

// prepare waits until the store and Kafka are there and fit.
func (s *service) prepare(ctx context.Context) error {
	if err := s.retry.Do(ctx, "state", "reach the store", s.store.ready); err != nil {
		return fmt.Errorf("state store: %w", err)
	}
	return s.retry.Do(ctx, "kafka", "prepare topics", func(ctx context.Context) (err error) {
		if err = s.topics.Prepare(ctx, s.kafka, s.log); err != nil {
			return err
		}
		s.widths, err = s.topics.Widths(ctx, s.kafka, 0)
		return err
	})
}

// stopped turns the error of a start that was told to stop into none.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// widthsFor returns how many partitions the output topics have. It looks again where the
// input has grown a partition that they did not have when the service started.
func (s *service) widthsFor(ctx context.Context, a *pipeline.Assignment) (map[string]int, error) {
	if a.Partition < s.widths[s.topics.Scores] {
		return s.widths, nil
	}
	return s.topics.Widths(ctx, s.kafka, a.Partition+1)
}

// retrier returns the retrier of one partition, which reports under its own name: one
// that works must not hide one that does not.
func (s *service) retrier(a *pipeline.Assignment) (r *pipeline.Retrier, done func()) {
	name := func(component string) string { return fmt.Sprintf("%s of %s-%d", component, a.Topic, a.Partition) }
	retry := *s.retry
	retry.Report = func(component string, err error) { s.telemetry.health.Set(name(component), err) }
	retry.Beat = a.Beat
	retry.Note = func(component, text string) { s.telemetry.health.Note(name(component), text) }
	return &retry, func() {
		for _, component := range []string{"kafka", "state", "registry", "rebuild"} {
			s.telemetry.health.Set(name(component), nil)
		}
	}
}

// work carries one partition for one generation of the group.
func (s *service) work(ctx context.Context, a *pipeline.Assignment) error {
	decoder, err := newDecoder(s.cfg.Input)
	if err != nil {
		return err
	}
	registry, err := newRegistry(s.cfg.Input.Avro)
	if err != nil {
		return err
	}
	widths, err := s.widthsFor(ctx, a)
	if err != nil {
		return err
	}
	client := s.kafka.Client()
	scores := pipeline.NewKafkaSink(client, s.topics.Scores, a.Partition)
	// A dead letter's place is of no consequence; it only has to exist.
	letters := pipeline.NewKafkaSink(client, s.topics.DLQ, a.Partition%widths[s.topics.DLQ])
	sinks := []*pipeline.KafkaSink{scores, letters}
	var gauges pipeline.Sink
	if s.topics.Gauges != "" {
		sink := pipeline.NewKafkaSink(client, s.topics.Gauges, a.Partition%widths[s.topics.Gauges])
		sinks, gauges = append(sinks, sink), sink
	}
	delivery := pipeline.NewDelivery(pipeline.DeliveryMode(s.cfg.Delivery), a, s.log, sinks...)
	retry, done := s.retrier(a)
	defer done()
	o := s.operatorFor(a)
	w := &pipeline.Worker{
		Service: s.cfg.Service.Name, Group: s.cfg.Kafka.GroupID, Topic: a.Topic, Partition: a.Partition,
		Source: pipeline.NewKafkaSource(client, a.Topic, a.Partition, s.cfg.Input.InitialOffset == "latest", delivery.Commit),
		Scores: scores, DeadLetters: letters, Gauges: gauges, Delivery: delivery,
		Operator: o,
		Decoder:  decoder, Registry: registry, MaxBytes: int(s.cfg.Input.MaxBytes), CheckpointEvery: s.cfg.State.Checkpoint.Every,
		DrainTimeout: s.cfg.Kafka.SessionTimeout / 2, Alive: a.Alive, Committed: a.Committed,
		Retry: retry, Metrics: s.telemetry.metrics, Tracer: s.telemetry.tracer, Log: s.log,
		Observe: func(p []operator.Prediction) { s.page.board.Observe(a.Topic, a.Partition, p) },
		Asks:    make(pipeline.Asks),
	}
	defer s.enlist(w)()
	err = w.Run(ctx)
	if err == nil {
		s.keep(a, o)
	}
	return err
}
