package statestore

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// What a URL leaves open. A chunk of snapshots fits into a connection's buffers, and a
// Cluster's new master is found a second after its election: go-redis looks for one
// only every minute by default.
const (
	redisBuffer        = 1 << 20
	redisDialTimeout   = 5 * time.Second
	redisIOTimeout     = 5 * time.Second
	redisClusterReload = time.Second
)

// OpenRedis returns a store on the server or servers that rawURL names, in one of
// go-redis' forms; see NewRedis for prefix and ttl. It does not connect: Ping does.
//
//	redis://user:password@host:6379/0                          one server
//	rediss://…                                                 with TLS
//	unix:///run/redis.sock?db=0                                a socket
//	redis://host1:6379?addr=host2:6379&addr=host3:6379         a Cluster
//	redis://host1:26379/0?master_name=main&addr=host2:26379    Sentinel
//
// A Cluster with one known node repeats it as addr. With Sentinel the URL's user and
// password are the Sentinels', those of Redis are the options username and password.
// No error shows a password.
func OpenRedis(rawURL, prefix string, ttl time.Duration) (*Redis, error) {
	u, err := parseRedisURL(rawURL)
	if err != nil {
		return nil, fmt.Errorf("redis URL: %w", err)
	}
	var r *Redis
	switch query := u.Query(); {
	case query.Has("master_name"):
		r, err = openSentinel(rawURL, prefix, ttl)
	case query.Has("addr"):
		r, err = openCluster(rawURL, prefix, ttl)
	default:
		r, err = openSingle(rawURL, prefix, ttl)
	}
	if err != nil {
		return nil, fmt.Errorf("redis URL: %w", err)
	}
	return r, nil
}

// parseRedisURL refuses what would make go-redis' own messages quote a password, or
// read from replicas.
func parseRedisURL(rawURL string) (*url.URL, error) {
	scheme, rest, ok := strings.Cut(rawURL, "://")
	if !ok || (scheme != "redis" && scheme != "rediss" && scheme != "unix") {
		return nil, errors.New("must begin with redis://, rediss:// or unix://")
	}
	if end := strings.IndexAny(rest, "/?#"); scheme != "unix" && end >= 0 && strings.Contains(rest[end:], "@") {
		return nil, errors.New(`has an "@" after the host: write the /, ?, # and @ of a password as %2F, %3F, %23 and %40`)
	}
	u, err := url.Parse(rawURL)
	if err != nil { // it quotes the URL
		return nil, errors.New("cannot be parsed: write special characters of a password as %XX, such as %2F for /")
	}
	for _, option := range []string{"read_only", "route_by_latency", "route_randomly", "replica_only"} {
		if u.Query().Has(option) {
			return nil, fmt.Errorf("remove %s: a replica's state may be older than one already confirmed", option)
		}
	}
	return u, nil
}

// timeouts fills in those that the URL does not set. Each form of server has options of
// its own type.
func timeouts(dial, read, write *time.Duration) {
	*dial = cmp.Or(*dial, redisDialTimeout)
	*read = cmp.Or(*read, redisIOTimeout)
	*write = cmp.Or(*write, redisIOTimeout)
}

func openSingle(rawURL, prefix string, ttl time.Duration) (*Redis, error) {
	o, err := redis.ParseURL(rawURL)
	if err != nil {
		return nil, err
	}
	o.ReadBufferSize, o.WriteBufferSize, o.ContextTimeoutEnabled = redisBuffer, redisBuffer, true
	timeouts(&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout)
	return NewRedis(redis.NewClient(o), prefix, ttl), nil
}

func openCluster(rawURL, prefix string, ttl time.Duration) (*Redis, error) {
	o, err := redis.ParseClusterURL(rawURL)
	if err != nil {
		return nil, err
	}
	o.ReadBufferSize, o.WriteBufferSize, o.ContextTimeoutEnabled = redisBuffer, redisBuffer, true
	timeouts(&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout)
	o.ClusterStateReloadInterval = redisClusterReload
	return NewRedis(redis.NewClusterClient(o), prefix, ttl), nil
}

func openSentinel(rawURL, prefix string, ttl time.Duration) (*Redis, error) {
	o, err := redis.ParseFailoverURL(rawURL)
	if err != nil {
		return nil, err
	}
	o.ReadBufferSize, o.WriteBufferSize, o.ContextTimeoutEnabled = redisBuffer, redisBuffer, true
	timeouts(&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout)
	r := NewRedis(redis.NewFailoverClient(o), prefix, ttl)
	r.hide(o.Password)
	r.hide(o.SentinelPassword)
	return r, nil
}
