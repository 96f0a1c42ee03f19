package statestore

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis keeps snapshots and metas in Redis, Valkey or what speaks their protocol: a
// single server, Sentinel, or a Cluster. See OpenRedis for a client from a URL.
//
// A partition is one hash and one string a stream. The braces are Redis Cluster's hash
// tag: a partition lies in one slot, so that a script reaches all of it.
//
//	<prefix>{<group>/<topic>/<number>}:m           the meta (see metaFields), the number of
//	                                               writes, and the directory (see entry)
//	<prefix>{<group>/<topic>/<number>}:s:<stream>  a snapshot: see record.go
//
// Every write is a script that looks at the owner first and writes nothing if it is not
// the caller. All scripts may run twice: go-redis repeats a command whose reply it lost.
type Redis struct {
	client  redis.UniversalClient
	prefix  string
	ttl     time.Duration
	secrets []string // what no error may show
	chains  chains
	sweeps  sweeps
	largest atomic.Int64 // record that was read
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
	//go:embed forget.lua
	forgetLua string

	claimScript   = redis.NewScript(orderLua + claimLua)
	saveScript    = redis.NewScript(orderLua + saveLua)
	advanceScript = redis.NewScript(orderLua + advanceLua)
	forgetScript  = redis.NewScript(orderLua + forgetLua)
)

// NewRedis returns a store on client, which its Close closes. Every key begins with
// prefix, which must hold no braces: they are for the partition's hash tag. A snapshot is
// forgotten some time after the log's clock is twice ttl past it, never where ttl is 0 or
// less. Nothing is left to the server's own expiry: what it had thrown away could not be
// told from what it lost. The client must read from masters only: a replica's snapshot
// may be older than one that was already confirmed.
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
	reply, err := claimScript.Run(ctx, r.client, []string{key}, fresh.token, fresh.cursor, fresh.store).StringSlice()
	if err != nil {
		return Meta{}, err
	}
	if len(reply) != 5 {
		return Meta{}, fmt.Errorf("claim script replied %d fields", len(reply))
	}
	meta, err := metaFields{token: reply[0], cursor: reply[1], store: reply[2]}.decode()
	if err == nil {
		meta.Previous, err = decodePrevious(reply[3])
	}
	if err != nil {
		return Meta{}, fmt.Errorf("key %q: %w; delete that key to begin the partition again", key, err)
	}
	if err := checkOwner(meta.Token, token); err != nil {
		return meta, err
	}
	writes, _ := strconv.ParseInt(reply[4], 10, 64) // damaged: a new chain, from 0
	meta.Regressed = r.chains.claimed(p, token, meta.Previous, writes)
	return meta, nil
}

// decodePrevious reads the owner before a claim, "" where there was none.
func decodePrevious(field string) (Token, error) {
	if field == "" {
		return NoToken, nil
	}
	return decodeToken(field)
}

// Advance implements Store.
func (r *Redis) Advance(ctx context.Context, p Partition, token Token, to Position) error {
	if err := r.write(ctx, advanceScript, p, token, []string{r.metaKey(p)}, encodeCursor(to)); err != nil {
		return r.wrap(err, "advance partition %q", p)
	}
	if err := r.sweep(ctx, p, token, to.Time); err != nil {
		return r.wrap(err, "forget idle streams of partition %q", p)
	}
	return nil
}

// write runs a script that writes as the owner. Its first key is p's meta; its first
// arguments, which write puts before args, are those of owns in order.lua.
func (r *Redis) write(ctx context.Context, script *redis.Script, p Partition, token Token, keys []string, args ...any) error {
	mine := encodeToken(token)
	acked, number := r.chains.next(p, token)
	reply, err := script.Run(ctx, r.client, keys, append([]any{mine, acked, number}, args...)...).Slice()
	if errors.Is(err, redis.Nil) {
		r.chains.done(p, token, number)
		return nil
	}
	if err != nil {
		return err
	}
	if len(reply) != 2 {
		return fmt.Errorf("script replied %d fields", len(reply))
	}
	stored, _ := reply[0].(string)
	switch stored {
	case "":
		return errNoOwner
	case mine:
		return fmt.Errorf("%w: it has %v writes of this process, and had acknowledged %d", ErrRegressed, reply[1], acked)
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
