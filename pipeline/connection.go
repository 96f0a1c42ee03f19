package pipeline

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
)

const (
	dialTimeout = 5 * time.Second
	callTimeout = 30 * time.Second // a broker that answers a produce or commit later counts as gone
	metadataTTL = 2 * time.Second  // how soon a moved partition leader is noticed
)

// A Connection is how to reach a Kafka cluster, and the sockets in use. It is shared
// by all partitions and safe for concurrent use.
type Connection struct {
	Brokers []string

	tls    *tls.Config
	sasl   sasl.Mechanism
	client *kafka.Client
	pool   *kafka.Transport
}

// NewConnection prepares a connection; nothing is dialled yet. A nil tlsConfig means
// plain TCP, a nil mechanism no authentication.
func NewConnection(brokers []string, clientID string, tlsConfig *tls.Config, mechanism sasl.Mechanism) *Connection {
	pool := &kafka.Transport{
		DialTimeout: dialTimeout, MetadataTTL: metadataTTL, ClientID: clientID, TLS: tlsConfig, SASL: mechanism,
	}
	return &Connection{
		Brokers: brokers, tls: tlsConfig, sasl: mechanism, pool: pool,
		client: &kafka.Client{Addr: kafka.TCP(brokers...), Timeout: callTimeout, Transport: pool},
	}
}

// Client returns the client that everything but group membership goes through.
func (c *Connection) Client() *kafka.Client { return c.client }

// Close closes the idle sockets; the ones in use close when they become idle.
func (c *Connection) Close() { c.pool.CloseIdleConnections() }

// dialer returns the dialer for group membership, which kafka-go does not route
// through a Transport.
func (c *Connection) dialer() *kafka.Dialer {
	return &kafka.Dialer{Timeout: dialTimeout, DualStack: true, TLS: c.tls, SASLMechanism: c.sasl, ClientID: c.pool.ClientID}
}

// Partitions returns how many partitions a topic has.
func (c *Connection) Partitions(ctx context.Context, topic string) (int, error) {
	have, err := c.partitions(ctx, topic)
	if err != nil {
		return 0, err
	}
	if have[topic] == 0 {
		return 0, fmt.Errorf("topic %q does not exist", topic)
	}
	return have[topic], nil
}

// partitions returns how many partitions each topic has, without those that do not
// exist.
func (c *Connection) partitions(ctx context.Context, topics ...string) (map[string]int, error) {
	res, err := c.client.Metadata(ctx, &kafka.MetadataRequest{Topics: topics})
	if err != nil {
		return nil, fmt.Errorf("ask Kafka at %v for its topics: %w", c.Brokers, err)
	}
	n := make(map[string]int, len(res.Topics))
	for _, t := range res.Topics {
		if t.Error == nil && len(t.Partitions) > 0 {
			n[t.Name] = len(t.Partitions)
		}
	}
	return n, nil
}
