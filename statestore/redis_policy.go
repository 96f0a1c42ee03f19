package statestore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// ErrEvicts means that the server is set to throw states away when its memory is full.
var ErrEvicts = errors.New("statestore: redis would evict states")

// CheckPolicy refuses with ErrEvicts a server that would evict snapshots or metas to
// stay below its maxmemory: each would have to be computed again from the log. It
// says whether every master told its policy. One that does not (INFO is forbidden or
// unknown to it) is not refused.
func (r *Redis) CheckPolicy(ctx context.Context) (known bool, err error) {
	var silent atomic.Bool
	err = r.eachMaster(ctx, func(ctx context.Context, node redis.Cmdable) error {
		policy, limit, err := evictionPolicy(ctx, node)
		if err != nil {
			return err
		}
		if policy == "" {
			silent.Store(true)
		}
		if evicts(policy, limit) {
			return fmt.Errorf("%w: its maxmemory is %s bytes and its maxmemory-policy %s: set maxmemory-policy to noeviction",
				ErrEvicts, limit, policy)
		}
		return nil
	})
	if err != nil {
		return false, r.wrap(err, "check redis")
	}
	return !silent.Load(), nil
}

// evicts says whether policy reaches the store's keys. The volatile-* policies take only
// keys with a time to live, which none of them has.
func evicts(policy, limit string) bool {
	return limit != "0" && strings.HasPrefix(policy, "allkeys-")
}

// untold begins the replies of a server that forbids or does not know INFO memory: an
// unknown command or section, an ACL, miniredis. Others, such as LOADING, are failures.
var untold = []string{"ERR ", "NOPERM ", "section (memory)"}

// evictionPolicy reads a server's maxmemory-policy and maxmemory in bytes, "" where it
// refuses to tell them.
func evictionPolicy(ctx context.Context, node redis.Cmdable) (policy, limit string, err error) {
	info, err := node.Info(ctx, "memory").Result()
	if err != nil {
		for _, prefix := range untold {
			if strings.HasPrefix(err.Error(), prefix) {
				return "", "", nil
			}
		}
		return "", "", err
	}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "maxmemory_policy":
			policy = value
		case "maxmemory":
			limit = value
		}
	}
	return policy, limit, nil
}
