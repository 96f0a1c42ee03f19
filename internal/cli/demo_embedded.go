package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"
)

const (
	demoPartitions = 8
	demoInput      = "events"
	demoScores     = "events.scores"
	demoDLQ        = "events.dlq"
	// demoRetention bounds what the broker keeps of a partition, in bytes: a demo that
	// runs for days stays small.
	demoRetention = 8 << 20
	retentionTick = 5 * time.Second
)

// embedded is a Kafka broker and a Redis server in this process, on loopback ports.
type embedded struct {
	kafka string // host:port
	redis string // URL

	broker *kfake.Cluster
	server *miniredis.Miniredis
}

func startEmbedded() (*embedded, error) {
	broker, err := kfake.NewCluster(
		kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(time.Second),
		kfake.SeedTopics(demoPartitions, demoInput, demoScores, demoDLQ),
		kfake.BrokerConfigs(map[string]string{
			"log.retention.bytes": fmt.Sprint(demoRetention),
			"log.retention.ms":    "-1", // the telemetry is older than any wall clock
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("start the embedded Kafka: %w", err)
	}
	server, err := miniredis.Run()
	if err != nil {
		broker.Close()
		return nil, fmt.Errorf("start the embedded Redis: %w", err)
	}
	return &embedded{
		kafka: broker.ListenAddrs()[0], redis: "redis://" + server.Addr(), broker: broker, server: server,
	}, nil
}

// keepSmall applies the broker's retention from time to time, which it does not do by
// itself.
func (e *embedded) keepSmall(ctx context.Context) error {
	tick := time.NewTicker(retentionTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			e.broker.ApplyRetention()
		}
	}
}

func (e *embedded) close() {
	e.broker.Close()
	e.server.Close()
}
