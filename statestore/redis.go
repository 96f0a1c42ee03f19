package statestore

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis keeps snapshots and metas in Redis, Valkey or what speaks their protocol: a
// single server, Sentinel, or a Cluster. See OpenRedis for a client from a URL.
//
// A partition is one hash and one string a stream. The braces are Redis Cluster's hash
// tag: a partition lies in one slot, so that a script reaches all of it.
//
//	<prefix>{<group>/<topic>/<number>}:m           the meta: see metaFields
//	<prefix>{<group>/<topic>/<number>}:s:<stream>  a snapshot: see record.go
//
// Every write is a script that looks at the owner first and writes nothing if it is not
// the caller. All scripts may run twice: go-redis repeats a command whose reply it lost.
type Redis struct {
	client  redis.UniversalClient
	prefix  string
	ttl     time.Duration
	secrets []string // what no error may show
}

var _ Store = (*Redis)(nil)

var (
	//go:embed order.lua
	orderLua string
	//go:embed claim.lua
	claimLua string
	//go:embed save.lua
	saveLua string
	//go:embed advance.lua
	advanceLua string

	claimScript   = redis.NewScript(orderLua + claimLua)
	saveScript    = redis.NewScript(orderLua + saveLua)
	advanceScript = redis.NewScript(orderLua + advanceLua)
)

// NewRedis returns a store on client, which its Close closes. Every key begins with
// prefix, which must hold no braces: they are for the partition's hash tag. A snapshot is forgotten when it was not replaced for ttl, never where ttl is
// 0 or less; metas are never forgotten. The client must read from masters only: a
// replica's snapshot may be older than one that was already confirmed.
func NewRedis(client redis.UniversalClient, prefix string, ttl time.Duration) *Redis {
	r := &Redis{client: client, prefix: prefix, ttl: ttl}
	switch c := client.(type) {
	case *redis.Client:
		r.hide(c.Options().Password)
	case *redis.ClusterClient:
		r.hide(c.Options().Password)
	}
	return r
}

// Claim implements Store.
func (r *Redis) Claim(ctx context.Context, p Partition, token Token) (Meta, error) {
	meta, err := r.claim(ctx, p, token)
	if err != nil {
		return meta, r.wrap(err, "claim partition %q", p)
	}
	return meta, nil
}

func (r *Redis) claim(ctx context.Context, p Partition, token Token) (Meta, error) {
	if err := checkToken(token); err != nil {
		return Meta{}, err
	}
	fresh := newMetaFields(token)
	key := r.metaKey(p)
	reply, err := claimScript.Run(ctx, r.client, []string{key}, fresh.token, fresh.cursor, fresh.store).Slice()
	if err != nil {
		return Meta{}, err
	}
	if len(reply) != 3 {
		return Meta{}, fmt.Errorf("claim script replied %d fields", len(reply))
	}
	var fields metaFields
	fields.token, _ = reply[0].(string)
	fields.cursor, _ = reply[1].(string)
	fields.store, _ = reply[2].(string)
	meta, err := fields.decode()
	if err != nil {
		return Meta{}, fmt.Errorf("key %q: %w; delete that key to begin the partition again", key, err)
	}
	return meta, checkOwner(meta.Token, token)
}

// Advance implements Store.
func (r *Redis) Advance(ctx context.Context, p Partition, token Token, cursor int64, fingerprint uint64) error {
	mine := encodeToken(token)
	reply := advanceScript.Run(ctx, r.client, []string{r.metaKey(p)}, mine, encodeCursor(cursor, fingerprint))
	if err := ownerReply(reply, token, mine); err != nil {
		return r.wrap(err, "advance partition %q", p)
	}
	return nil
}

// ownerReply reads the reply of a script that writes as the owner: the owner's field.
func ownerReply(reply *redis.Cmd, token Token, mine string) error {
	stored, err := reply.Text()
	switch {
	case errors.Is(err, redis.Nil):
		return errNoOwner
	case err != nil:
		return err
	case stored == mine:
		return nil
	}
	owner, err := decodeToken(stored)
	if err != nil {
		return err
	}
	return checkOwner(owner, token)
}

// Close closes the client.
func (r *Redis) Close() error {
	if err := r.client.Close(); err != nil {
		return r.wrap(err, "close redis")
	}
	return nil
}

// Ping asks every master for a sign of life.
func (r *Redis) Ping(ctx context.Context) error {
	err := r.eachMaster(ctx, func(ctx context.Context, node redis.Cmdable) error {
		return node.Ping(ctx).Err()
	})
	if err != nil {
		return r.wrap(err, "ping redis")
	}
	return nil
}

// eachMaster runs fn on every server that holds keys, on those of a Cluster at the same time.
func (r *Redis) eachMaster(ctx context.Context, fn func(context.Context, redis.Cmdable) error) error {
	cluster, ok := r.client.(*redis.ClusterClient)
	if !ok {
		return fn(ctx, r.client)
	}
	return cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		return fn(ctx, node)
	})
}

// metaKey is the key of p's meta.
func (r *Redis) metaKey(p Partition) string { return r.prefix + "{" + p.path() + "}:m" }

// streamKey is the key of one of p's snapshots.
func (r *Redis) streamKey(p Partition, stream string) string {
	return r.prefix + "{" + p.path() + "}:s:" + stream
}

// ttlMillis is the ttl as the save script takes it.
func (r *Redis) ttlMillis() string {
	if r.ttl <= 0 {
		return "0"
	}
	return strconv.FormatInt(max(r.ttl.Milliseconds(), 1), 10)
}
