package statestore

import (
	"context"
	"fmt"
	"iter"
	"strconv"
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
	keys := append(make([]string, 0, len(chunk)+1), r.metaKey(p))
	args := make([]any, 0, 3*len(chunk))
	buf := make([]byte, 0, recordBytes(chunk)+entrySize*len(chunk))
	for i := range chunk {
		s := &chunk[i]
		start := len(buf)
		buf = appendEntry(buf, s)
		mid := len(buf)
		buf = appendRecord(buf, s.Offset, s.State)
		keys = append(keys, r.streamKey(p, s.Key))
		args = append(args, entryName(s.Key), buf[start:mid], buf[mid:])
	}
	return r.write(ctx, saveScript, p, token, keys, args...)
}

// entryName is the field of p's meta that holds a stream's directory entry.
func entryName(stream string) string { return "s:" + stream }

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
	for len(keys) > 0 {
		chunk := keys[:min(len(keys), r.loadable())]
		keys = keys[len(chunk):]
		there, err := r.loadChunk(ctx, p, chunk)
		if err != nil {
			return nil, r.wrap(err, "load partition %q, stream %q and %d more", p, chunk[0], len(chunk)-1)
		}
		for i, key := range chunk {
			snaps = append(snaps, bad.snapshotOf(key, there[i]))
		}
	}
	return snaps, bad.errOrNil()
}

// loadable is how many records are asked for at a time: so many that they would be about
// chunkBytes if all were as large as the largest so far.
func (r *Redis) loadable() int {
	return int(min(max(chunkBytes/max(r.largest.Load(), 1), 1), chunkKeys))
}

// loadChunk returns what is stored of each key. The directory is read first: what is saved
// in between is then newer than its entry, not older.
func (r *Redis) loadChunk(ctx context.Context, p Partition, keys []string) ([]stored, error) {
	fields, names := append(make([]string, 0, len(keys)+2), "token", "writes"), make([]string, len(keys))
	for i, key := range keys {
		fields, names[i] = append(fields, entryName(key)), r.streamKey(p, key)
	}
	pipe := r.client.Pipeline()
	directory, records := pipe.HMGet(ctx, r.metaKey(p), fields...), pipe.MGet(ctx, names...)
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	if len(directory.Val()) != len(fields) || len(records.Val()) != len(keys) {
		return nil, fmt.Errorf("%d entries and %d records for %d keys", len(directory.Val()), len(records.Val()), len(keys))
	}
	owner, entries := directory.Val()[:2], directory.Val()[2:]
	if err := r.checkChain(p, owner); err != nil {
		return nil, err
	}
	there := make([]stored, len(keys))
	for i := range there {
		if text, ok := entries[i].(string); ok {
			there[i].entry = []byte(text)
		}
		if text, ok := records.Val()[i].(string); ok {
			there[i].record = []byte(text)
			r.largest.Store(max(r.largest.Load(), int64(len(text))))
		}
	}
	return there, nil
}

// checkChain refuses to go on where the store lost what it had acknowledged: of a stream
// that was saved meanwhile it would show an older state. The owner's fields are token and
// writes.
func (r *Redis) checkChain(p Partition, owner []any) error {
	field, _ := owner[0].(string)
	number, _ := owner[1].(string)
	token, err := decodeToken(field)
	if err != nil {
		token = NoToken
	}
	writes, _ := strconv.ParseInt(number, 10, 64) // missing: 0
	return r.chains.check(p, token, writes)
}
