package statestore

import (
	"context"
	"strings"
	"sync"
)

// sweepEntries is about how many directory entries one Advance looks at for idle streams.
const sweepEntries = 100

// sweeps are the places that the search for idle streams has come to.
type sweeps struct {
	mu sync.Mutex
	at map[Partition]uint64 // cursor of HSCAN
}

func (s *sweeps) get(p Partition) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at[p]
}

func (s *sweeps) set(p Partition, at uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at == nil {
		s.at = make(map[Partition]uint64)
	}
	s.at[p] = at
}

// sweep forgets streams that have been idle for twice the ttl, of the next few entries of
// p's directory. An operator begins a stream anew after ttl, by the same clock: so nobody
// misses what is forgotten here.
func (r *Redis) sweep(ctx context.Context, p Partition, token Token, now int64) error {
	if r.ttl <= 0 || now <= 0 {
		return nil
	}
	meta := r.metaKey(p)
	page, next, err := r.client.HScan(ctx, meta, r.sweeps.get(p), "s:*", sweepEntries).Result()
	if err != nil {
		return err
	}
	keys, args := []string{meta}, []any{}
	for i := 0; i+1 < len(page); i += 2 {
		e, ok := decodeEntry(page[i+1])
		if ok && e.time > 0 && now-e.time > 2*r.ttl.Milliseconds() {
			keys = append(keys, r.streamKey(p, strings.TrimPrefix(page[i], entryName(""))))
			args = append(args, page[i], page[i+1])
		}
	}
	if len(args) > 0 {
		if err := r.write(ctx, forgetScript, p, token, keys, args...); err != nil {
			return err
		}
	}
	r.sweeps.set(p, next)
	return nil
}
