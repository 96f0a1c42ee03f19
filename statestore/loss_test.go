package statestore_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/weirstream/weir/statestore"
)

const (
	metaKey   = "weir:{weir/events/3}:m"
	streamKey = "weir:{weir/events/3}:s:"
)

// wantLost fails unless Load names exactly the keys that want has, each with the offset
// that it was saved as of.
func wantLost(t *testing.T, store statestore.Store, keys []string, want map[string]int64) {
	t.Helper()
	snaps, err := store.Load(t.Context(), part, keys)
	var bad *statestore.CorruptError
	if len(want) > 0 && (!errors.As(err, &bad) || !errors.Is(err, statestore.ErrLost)) {
		t.Fatalf("Load: %v", err)
	}
	got := make(map[string]int64)
	if bad != nil {
		for i, key := range bad.Keys {
			got[key] = bad.Saved[i]
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("lost streams (-want +got):\n%s", diff)
	}
	for i, s := range snaps {
		if _, lost := want[keys[i]]; lost && (s.Offset != statestore.NoOffset || s.State != nil) {
			t.Errorf("lost stream %q came back as of %d", keys[i], s.Offset)
		}
	}
}

func TestRedisMissingRecordIsLostNotNew(t *testing.T) {
	store, server := owned(t, 0)
	for key, offset := range map[string]int64{"kept": 1, "evicted": 2, "older": 3} {
		saveAs(t, store, key, offset)
	}
	old, err := server.Get(streamKey + "older")
	if err != nil {
		t.Fatal(err)
	}
	saveAs(t, store, "older", 9)
	if err := server.Set(streamKey+"older", old); err != nil {
		t.Fatal(err)
	}
	server.Del(streamKey + "evicted")
	all := []string{"kept", "evicted", "older", "new"}
	wantLost(t, store, all, map[string]int64{"evicted": 2, "older": 9})
	// It is computed again, up to an offset that may be lower than before.
	saveAs(t, store, "evicted", 0)
	saveAs(t, store, "older", 10)
	wantLost(t, store, all, map[string]int64{})
}

func TestMemoryLosesOnDemand(t *testing.T) {
	store := statestore.NewMemory()
	if _, err := store.Claim(t.Context(), part, token); err != nil {
		t.Fatal(err)
	}
	saveAs(t, store, "kept", 1)
	saveAs(t, store, "evicted", 2)
	store.Lose(part, "evicted")
	wantLost(t, store, []string{"kept", "evicted", "new"}, map[string]int64{"evicted": 2})
}

func TestFileDamagedKeyIsLostNotNew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weir.state")
	store := openFile(t, path)
	if _, err := store.Claim(t.Context(), part, token); err != nil {
		t.Fatal(err)
	}
	saveAs(t, store, "kept", 1)
	saveAs(t, store, "gone", 2)
	closeStore(t, store)
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("weir statestore 1")).Bucket([]byte("weir/events/3")).Delete([]byte("s:gone"))
	}), db.Close())
	if err != nil {
		t.Fatal(err)
	}
	store = openFile(t, path)
	defer closeStore(t, store)
	wantLost(t, store, []string{"kept", "gone", "new"}, map[string]int64{"gone": 2})
}

// TestRegressionIsNoticedAtTheNextWrite puts a store back to what it was some writes ago,
// as a fail-over to a replica that was behind does, with the owner's claim still there.
func TestRegressionIsNoticedAtTheNextWrite(t *testing.T) {
	writes := []func(s statestore.Store, offset int64) error{
		func(s statestore.Store, offset int64) error {
			return s.Save(t.Context(), part, token, []statestore.Snapshot{{Key: "a", Offset: offset}})
		},
		func(s statestore.Store, offset int64) error {
			return s.Advance(t.Context(), part, token, statestore.Position{Cursor: offset, Gap: statestore.NoOffset})
		},
	}
	for last := range writes { // the write that is lost
		for next := range writes { // and the one that notices
			redisStore, server := owned(t, 0)
			memory := statestore.NewMemory()
			if _, err := memory.Claim(t.Context(), part, token); err != nil {
				t.Fatal(err)
			}
			var dump *statestore.Memory
			var fields map[string]string
			for name, c := range map[string]struct {
				store         statestore.Store
				keep, putBack func()
			}{
				"redis": {redisStore, func() { fields = hash(t, server, metaKey) }, func() {
					server.Del(metaKey)
					for field, value := range fields {
						server.HSet(metaKey, field, value)
					}
				}},
				"memory": {memory, func() { dump = memory.Copy() }, func() { memory.Restore(dump) }},
			} {
				for i := range int64(5) {
					c.keep()
					if err := writes[last](c.store, 10*i+1); err != nil {
						t.Fatal(name, err)
					}
				}
				c.putBack()
				if _, err := c.store.Load(t.Context(), part, []string{"a"}); !errors.Is(err, statestore.ErrRegressed) {
					t.Errorf("%s, write %d lost, then Load: %v", name, last, err)
				}
				if err := writes[next](c.store, 100); !errors.Is(err, statestore.ErrRegressed) {
					t.Errorf("%s, write %d lost, then write %d: %v", name, last, next, err)
				}
				meta, err := c.store.Claim(t.Context(), part, token)
				if err != nil || !meta.Regressed || meta.Previous != token {
					t.Errorf("%s claimed again: %+v, %v", name, meta, err)
				}
				if err := writes[next](c.store, 100); err != nil {
					t.Errorf("%s, after a claim: %v", name, err)
				}
				if meta, err := c.store.Claim(t.Context(), part, token); err != nil || meta.Regressed {
					t.Errorf("%s claimed once more: %+v, %v", name, meta, err)
				}
			}
		}
	}
}

func hash(t *testing.T, server *miniredis.Miniredis, key string) map[string]string {
	t.Helper()
	names, err := server.HKeys(key)
	if err != nil {
		t.Fatal(err)
	}
	fields := make(map[string]string)
	for _, name := range names {
		fields[name] = server.HGet(key, name)
	}
	return fields
}
