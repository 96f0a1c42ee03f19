package statestore

import (
	"context"
	"fmt"
	"iter"
	"slices"
)

// While a script or an MGET runs, a server does nothing else. So many keys and bytes at
// a time keep that near a millisecond; a greater single state goes alone.
const (
	chunkKeys  = 128
	chunkBytes = 1 << 20
)

// Save implements Store.
func (r *Redis) Save(ctx context.Context, p Partition, token Token, snaps []Snapshot) error {
	if err := checkSnapshots(snaps); err != nil {
		return r.wrap(err, "save partition %q", p)
	}
	for chunk := range chunks(snaps) {
		if err := r.saveChunk(ctx, p, token, chunk); err != nil {
			return r.wrap(err, "save partition %q, stream %q and %d more", p, chunk[0].Key, len(chunk)-1)
		}
	}
	return nil
}

func (r *Redis) saveChunk(ctx context.Context, p Partition, token Token, chunk []Snapshot) error {
	mine := encodeToken(token)
	keys := append(make([]string, 0, len(chunk)+1), r.metaKey(p))
	args := append(make([]any, 0, len(chunk)+2), mine, r.ttlMillis())
	buf := make([]byte, 0, recordBytes(chunk))
	for _, s := range chunk {
		start := len(buf)
		buf = appendRecord(buf, s.Offset, s.State)
		keys = append(keys, r.streamKey(p, s.Key))
		args = append(args, buf[start:])
	}
	return ownerReply(saveScript.Run(ctx, r.client, keys, args...), token, mine)
}

// chunks cuts snaps into runs of at most chunkKeys and, where there are several in a
// run, chunkBytes.
func chunks(snaps []Snapshot) iter.Seq[[]Snapshot] {
	return func(yield func([]Snapshot) bool) {
		for len(snaps) > 0 {
			n, size := 1, recordBytes(snaps[:1])
			for n < min(len(snaps), chunkKeys) {
				size += recordBytes(snaps[n : n+1])
				if size > chunkBytes {
					break
				}
				n++
			}
			if !yield(snaps[:n]) {
				return
			}
			snaps = snaps[n:]
		}
	}
}

// recordBytes is the length of the records of snaps.
func recordBytes(snaps []Snapshot) int {
	n := 0
	for _, s := range snaps {
		n += recordHeader + len(s.State)
	}
	return n
}

// Load implements Store.
func (r *Redis) Load(ctx context.Context, p Partition, keys []string) ([]Snapshot, error) {
	snaps := make([]Snapshot, 0, len(keys))
	bad := &CorruptError{Partition: p}
	for chunk := range slices.Chunk(keys, chunkKeys) {
		records, err := r.loadChunk(ctx, p, chunk)
		if err != nil {
			return nil, r.wrap(err, "load partition %q, stream %q and %d more", p, chunk[0], len(chunk)-1)
		}
		for i, key := range chunk {
			snap := Snapshot{Key: key, Offset: NoOffset}
			if record, ok := records[i].(string); ok {
				snap = bad.snapshotOf(key, []byte(record))
			}
			snaps = append(snaps, snap)
		}
	}
	return snaps, bad.errOrNil()
}

// loadChunk returns a string for each key, nil where there is none.
func (r *Redis) loadChunk(ctx context.Context, p Partition, keys []string) ([]any, error) {
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = r.streamKey(p, key)
	}
	records, err := r.client.MGet(ctx, names...).Result()
	if err == nil && len(records) != len(names) {
		return nil, fmt.Errorf("MGET of %d keys replied %d values", len(names), len(records))
	}
	return records, err
}
