package statestore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"go.etcd.io/bbolt"
)

// File keeps snapshots and metas in one file, a bbolt B+ tree, for one process at a
// time. A Save or an Advance is one transaction and on disk when it returns: it takes
// the time of an fsync, whatever the number of snapshots. The file does not shrink.
// A damaged snapshot or page is found when it is read. A damaged key, which bbolt does not
// checksum, is found as long as the stream's other key, on another page, is not damaged too.
//
//	"weir statestore 1"                the only bucket; 1 is the format's version
//	└─ <group>/<topic>/<number>        a bucket for each partition
//	   ├─ d:<stream>                   its directory entry: see directory.go
//	   ├─ m:token  m:cursor  m:store   the meta: see metaFields
//	   └─ s:<stream>                   a snapshot: see record.go
type File struct {
	db *bbolt.DB
	// broken is set when bbolt panicked: it may still hold its locks, and every later
	// call would wait for them for ever.
	broken atomic.Bool
}

var _ Store = (*File)(nil)

const (
	fileKind = "weir statestore "
	fileRoot = fileKind + "1"
)

var (
	fileToken  = []byte("m:token")
	fileCursor = []byte("m:cursor")
	fileStore  = []byte("m:store")
)

var errFileBroken = corrupt("the state file is damaged: end the process and put the file right")

// Claim implements Store.
func (f *File) Claim(ctx context.Context, p Partition, token Token) (Meta, error) {
	var meta Meta
	err := checkToken(token)
	if err == nil {
		err = f.update(ctx, func(root *bbolt.Bucket) (err error) {
			b, err := root.CreateBucketIfNotExists([]byte(p.path()))
			if err == nil {
				meta, err = claimBucket(b, token)
			}
			return err
		})
	}
	if err != nil {
		return meta, fmt.Errorf("claim partition %q: %w", p, err)
	}
	return meta, nil
}

func claimBucket(b *bbolt.Bucket, token Token) (Meta, error) {
	fields := metaFields{
		token: string(b.Get(fileToken)), cursor: string(b.Get(fileCursor)), store: string(b.Get(fileStore)),
	}
	first := fields.token == ""
	if first {
		fields = newMetaFields(token)
	}
	meta, err := fields.decode()
	if err != nil {
		return Meta{}, err
	}
	if token.Compare(meta.Token) < 0 {
		return meta, checkOwner(meta.Token, token)
	}
	meta.Token, meta.Previous = token, meta.Token
	if first {
		meta.Previous = NoToken
	}
	return meta, errors.Join(
		b.Put(fileToken, []byte(encodeToken(token))),
		b.Put(fileCursor, []byte(fields.cursor)),
		b.Put(fileStore, []byte(fields.store)))
}

// Load implements Store.
func (f *File) Load(ctx context.Context, p Partition, keys []string) ([]Snapshot, error) {
	snaps := make([]Snapshot, len(keys))
	bad := &CorruptError{Partition: p}
	err := ctx.Err()
	if err == nil {
		err = f.transact(func() error {
			return f.db.View(func(tx *bbolt.Tx) error {
				b := tx.Bucket([]byte(fileRoot)).Bucket([]byte(p.path()))
				for i, key := range keys {
					snaps[i] = Snapshot{Key: key, Offset: NoOffset}
					if b == nil {
						continue
					}
					there := stored{record: slices.Clone(b.Get(snapshotKey(key))), entry: b.Get(entryKey(key))}
					snaps[i] = bad.snapshotOf(key, there)
				}
				return nil
			})
		})
	}
	if err != nil {
		return nil, fmt.Errorf("load partition %q: %w", p, err)
	}
	return snaps, bad.errOrNil()
}

// Save implements Store.
func (f *File) Save(ctx context.Context, p Partition, token Token, snaps []Snapshot) error {
	if len(snaps) == 0 {
		return nil
	}
	err := checkSnapshots(snaps)
	if err == nil {
		err = f.asOwner(ctx, p, token, func(b *bbolt.Bucket) error {
			for _, s := range snaps {
				if err := saveSnapshot(b, s); err != nil {
					return fmt.Errorf("stream %q: %w", s.Key, err)
				}
			}
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("save partition %q: %w", p, err)
	}
	return nil
}

// saveSnapshot keeps s unless the stored snapshot's offset is as great.
func saveSnapshot(b *bbolt.Bucket, s Snapshot) error {
	key := snapshotKey(s.Key)
	if old := b.Get(key); old != nil {
		if offset, _, err := decodeRecord(old); err == nil && offset >= s.Offset {
			return nil
		}
	}
	return errors.Join(
		b.Put(entryKey(s.Key), appendEntry(nil, &s)),
		b.Put(key, appendRecord(make([]byte, 0, recordHeader+len(s.State)), s.Offset, s.State)))
}

// Advance implements Store.
func (f *File) Advance(ctx context.Context, p Partition, token Token, to Position) error {
	err := f.asOwner(ctx, p, token, func(b *bbolt.Bucket) error {
		at, err := decodeCursor(string(b.Get(fileCursor)))
		if err != nil || to.Cursor <= at.Cursor {
			return err
		}
		return b.Put(fileCursor, []byte(encodeCursor(to)))
	})
	if err != nil {
		return fmt.Errorf("advance partition %q: %w", p, err)
	}
	return nil
}

// asOwner runs write on partition p's bucket if token owns it.
func (f *File) asOwner(ctx context.Context, p Partition, token Token, write func(*bbolt.Bucket) error) error {
	return f.update(ctx, func(root *bbolt.Bucket) error {
		b := root.Bucket([]byte(p.path()))
		if b == nil {
			return errNoOwner
		}
		owner, err := decodeToken(string(b.Get(fileToken)))
		if err == nil {
			err = checkOwner(owner, token)
		}
		if err != nil {
			return err
		}
		return write(b)
	})
}

// update runs write in a transaction that is on disk when update returns nil, and that
// did not happen when it returns an error.
func (f *File) update(ctx context.Context, write func(root *bbolt.Bucket) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return f.transact(func() error {
		return f.db.Update(func(tx *bbolt.Tx) error { return write(tx.Bucket([]byte(fileRoot))) })
	})
}

// transact runs a transaction, the last one if the file turns out to be damaged.
func (f *File) transact(run func() error) error {
	if f.broken.Load() {
		return errFileBroken
	}
	done := false
	err := guarded(func() error {
		err := run()
		done = true
		return err
	})
	if !done {
		f.broken.Store(true)
	}
	return err
}

func snapshotKey(stream string) []byte { return append([]byte("s:"), stream...) }

func entryKey(stream string) []byte { return append([]byte("d:"), stream...) }

// Close closes the file, after the calls that use it.
func (f *File) Close() error {
	if f.broken.Load() {
		return fmt.Errorf("close state file: %w", errFileBroken)
	}
	if err := f.db.Close(); err != nil {
		return fmt.Errorf("close state file: %w", err)
	}
	return nil
}
