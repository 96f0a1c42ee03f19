package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/weirstream/weir/statestore"
)

const (
	rejoinWait  = 200 * time.Millisecond // between tries to join; kafka-go's own default is 5 s
	commitLimit = 5 * time.Second
)

// GroupConfig says which group to join and how fast it notices changes.
type GroupConfig struct {
	ID                string
	Topics            []string
	SessionTimeout    time.Duration
	HeartbeatInterval time.Duration
}

// A Group is this process's membership in a Kafka consumer group.
//
// It uses kafka-go's ConsumerGroup, whose generations wait for the work on their
// partitions to end before the group goes on, and not its Reader, which keeps handing
// out messages of partitions that it has lost.
type Group struct {
	conn   *Connection
	cfg    GroupConfig
	client *kafka.Client
	log    *slog.Logger
	report func(component string, err error)

	balancer balancer
	stuck    chan error // of length 1
}

// NewGroup returns a group that Run joins. The report function is told whether this
// process is a member ("kafka").
func NewGroup(conn *Connection, cfg GroupConfig, log *slog.Logger, report func(string, error)) *Group {
	return &Group{conn: conn, cfg: cfg, client: conn.client, log: log, report: report, stuck: make(chan error, 1)}
}

// An Assignment is one partition of one generation.
type Assignment struct {
	Topic      string
	Partition  int
	Generation int32
	// Peers is how many partitions this member has in this generation, this one included.
	Peers int
	// Committed is the group's committed offset, statestore.NoOffset where it has none.
	Committed int64

	group  *Group
	member string
	pulse  *pulse
	holds  map[topicPartition]bool // of this member in this generation
}

// Holds reports whether a partition is this member's in this generation.
func (a *Assignment) Holds(topic string, partition int) bool {
	return a.holds[topicPartition{topic, partition}]
}

// Alive returns nil while the group's coordinator knows this member in this
// generation.
func (a *Assignment) Alive(ctx context.Context) error {
	err := heartbeat(ctx, a.group.client, &heartbeatRequest{GroupID: a.group.cfg.ID, GenerationID: a.Generation, MemberID: a.member})
	if err != nil {
		return fmt.Errorf("heartbeat of group %q: %w", a.group.cfg.ID, ofMember(err))
	}
	return nil
}

// ofMember is the coordinator's error, ErrNotOwner where it does not know the member.
func ofMember(err error) error {
	if errors.Is(err, kafka.IllegalGeneration) || errors.Is(err, kafka.UnknownMemberId) || errors.Is(err, kafka.RebalanceInProgress) {
		return fmt.Errorf("%w: %w", ErrNotOwner, err)
	}
	return err
}

// ErrNotOwner means that the group has given the partition to somebody else, or is about
// to: this process must leave it as it is.
var ErrNotOwner = errors.New("this process no longer owns the partition")

// Commit tells the group that everything before offset next is done with. It is for
// lag tools: the store's cursor is what a restart goes by. The note is kept beside the offset.
func (a *Assignment) Commit(ctx context.Context, next int64, note string) error {
	ctx, cancel := context.WithTimeout(ctx, commitLimit)
	defer cancel()
	res, err := a.group.client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
		GroupID: a.group.cfg.ID, GenerationID: int(a.Generation), MemberID: a.member,
		Topics: map[string][]kafka.OffsetCommit{a.Topic: {{Partition: a.Partition, Offset: next, Metadata: note}}},
	})
	if err != nil {
		return fmt.Errorf("commit %s-%d at %d: %w", a.Topic, a.Partition, next, err)
	}
	for _, p := range res.Topics[a.Topic] {
		if p.Error != nil {
			return fmt.Errorf("commit %s-%d at %d: %w", a.Topic, a.Partition, next, ofMember(p.Error))
		}
	}
	return nil
}

// Run joins the group and calls work, on a goroutine of its own, for each partition
// of each generation. The context that work gets ends with the generation or with
// ctx; the partition may go to another member once work has returned. Run returns
// when ctx has ended, all work has returned and the group has been left; or with ErrStuck,
// when the group has been left though some work would not return: then the process has to
// end.
func (g *Group) Run(ctx context.Context, work func(ctx context.Context, a *Assignment) error) error {
	cg, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: g.cfg.ID, Brokers: g.conn.Brokers, Topics: g.cfg.Topics, Dialer: g.conn.dialer(),
		SessionTimeout: g.cfg.SessionTimeout, RebalanceTimeout: g.cfg.SessionTimeout,
		HeartbeatInterval: g.cfg.HeartbeatInterval, JoinGroupBackoff: rejoinWait,
		GroupBalancers:        []kafka.GroupBalancer{&g.balancer, kafka.RangeGroupBalancer{}}, // the second for members of before
		WatchPartitionChanges: true, StartOffset: kafka.FirstOffset,
	})
	if err != nil {
		return fmt.Errorf("join group %q: %w", g.cfg.ID, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Close ends the generation, waits for its work and leaves the group.
	left := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = cg.Close()
		close(left)
	})
	defer func() {
		if stop() {
			_ = cg.Close()
			return
		}
		<-left
	}()
	g.report("kafka", errors.New("joining the group"))
	var failing retryLogger
	for {
		gen, err := cg.Next(ctx)
		select {
		case stuck := <-g.stuck:
			return stuck
		default:
		}
		if ctx.Err() != nil || errors.Is(err, kafka.ErrGroupClosed) {
			return nil
		}
		if err != nil {
			g.report("kafka", err)
			failing.log(g.log, "join group", "kafka", rejoinWait, err)
			continue
		}
		failing = retryLogger{}
		g.start(gen, func(ctx context.Context, a *Assignment) error {
			err := supervise(ctx, a, work)
			if errors.Is(err, ErrStuck) {
				select {
				case g.stuck <- err:
				default:
				}
				cancel()
			}
			return err
		})
	}
}

// start sets the generation's partitions to work.
func (g *Group) start(gen *kafka.Generation, work func(context.Context, *Assignment) error) {
	g.report("kafka", nil)
	g.report("partitions", nil)
	g.balancer.hold(gen)
	holds := make(map[topicPartition]bool)
	for topic, partitions := range gen.Assignments {
		for _, p := range partitions {
			holds[topicPartition{topic, p.ID}] = true
		}
	}
	n := len(holds)
	for topic, partitions := range gen.Assignments {
		for _, p := range partitions {
			a := &Assignment{
				Topic: topic, Partition: p.ID, Generation: gen.ID, Peers: n, Committed: p.Offset, group: g, member: gen.MemberID, holds: holds, pulse: &pulse{},
			}
			if a.Committed < 0 {
				a.Committed = statestore.NoOffset
			}
			gen.Start(func(ctx context.Context) { g.workOn(ctx, a, work) })
		}
	}
	g.log.Info("joined group", "group", g.cfg.ID, "generation", gen.ID, "partitions", n)
}

// workOn runs work for one partition and keeps a failing one from making the group
// rebalance in a tight loop: the generation ends when a goroutine of it returns.
func (g *Group) workOn(ctx context.Context, a *Assignment, work func(context.Context, *Assignment) error) {
	err := work(ctx, a)
	if ctx.Err() != nil {
		if err != nil {
			g.log.Warn("partition given up without a checkpoint; its events will be replayed",
				"topic", a.Topic, "partition", a.Partition, "err", err)
		}
		return
	}
	g.log.Error("partition stopped", "topic", a.Topic, "partition", a.Partition, "err", err)
	g.report("partitions", err)
	if errors.Is(err, ErrLogReplaced) || errors.Is(err, ErrTopics) || errors.Is(err, statestore.ErrEvicts) || errors.Is(err, ErrStateLost) {
		<-ctx.Done() // joining the group again would not mend it, and disturb the others
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(g.cfg.SessionTimeout / 2):
	}
}
