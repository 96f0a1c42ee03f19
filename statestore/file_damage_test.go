package statestore_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/weirstream/weir/statestore"
)

// damagedFile holds 200 snapshots of 3000 bytes; change is made to its bytes.
func damagedFile(t *testing.T, change func([]byte) []byte) (path string, keys []string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "weir.state")
	store := openFile(t, path)
	if _, err := store.Claim(t.Context(), part, token); err != nil {
		t.Fatal(err)
	}
	var snaps []statestore.Snapshot
	for i := range 200 {
		keys = append(keys, fmt.Sprint("stream-", i))
		snaps = append(snaps, statestore.Snapshot{Key: keys[i], Offset: int64(i), State: bytes.Repeat([]byte{byte(i)}, 3000)})
	}
	if err := store.Save(t.Context(), part, token, snaps); err != nil {
		t.Fatal(err)
	}
	closeStore(t, store)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, keys
}

// TestFileDamageIsAnErrorNotACrash damages one page after another and cuts the file at
// each: the process lives, and what comes back is either right or named as corrupt.
func TestFileDamageIsAnErrorNotACrash(t *testing.T) {
	const page = 4096
	path, keys := damagedFile(t, func(b []byte) []byte { return b })
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused, partly, unharmed := 0, 0, 0
	for at := 0; at < len(whole); at += page {
		for i, damaged := range [][]byte{
			whole[:at], fill(whole, at, page, 0xff), fill(whole, at, page, 0), fill(whole, at+page/2, 1, 0x55),
		} {
			path := fmt.Sprintf("%s.%d.%d", path, at, i)
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			found, err := loadFile(t, path, keys)
			switch {
			case err == nil && found == len(keys):
				unharmed++
			case err == nil && at < 2*page:
				// One of bbolt's two meta pages: the file is as before its last transaction.
			case errors.Is(err, statestore.ErrCorrupt) && found == 0:
				refused++
			case errors.Is(err, statestore.ErrCorrupt), errors.Is(err, statestore.ErrLost):
				partly++ // lost: a damaged key, where bbolt has no checksum
			default:
				t.Fatalf("page %d, damage %d: %d of %d streams, error %v", at/page, i, found, len(keys), err)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	if refused == 0 || partly == 0 {
		t.Fatalf("%d damaged files were refused, %d read in part, %d unharmed", refused, partly, unharmed)
	}
}

// fill is b with n bytes from at set to c.
func fill(b []byte, at, n int, c byte) []byte {
	b = bytes.Clone(b)
	for i := at; i < min(at+n, len(b)); i++ {
		b[i] = c
	}
	return b
}

// loadFile counts the streams that come back from the file at path. It fails the test
// where one comes back with what was never saved.
func loadFile(t *testing.T, path string, keys []string) (found int, err error) {
	t.Helper()
	store, err := statestore.OpenFile(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = store.Close() }()
	snaps, err := store.Load(t.Context(), part, keys)
	for i, s := range snaps {
		if s.Offset == statestore.NoOffset {
			continue
		}
		if s.Offset != int64(i) || !bytes.Equal(s.State, bytes.Repeat([]byte{byte(i)}, 3000)) {
			t.Fatalf("%q came back as of offset %d with a state of %d bytes", s.Key, s.Offset, len(s.State))
		}
		found++
	}
	return found, err
}

// TestFileCutWhileOpenIsAnError cuts the file under a running process: calls fail, and
// do not wait for a lock that a failed one left behind.
func TestFileCutWhileOpenIsAnError(t *testing.T) {
	path, keys := damagedFile(t, func(b []byte) []byte { return b })
	store := openFile(t, path)
	if err := os.Truncate(path, 4096); err != nil {
		t.Fatal(err)
	}
	snaps := []statestore.Snapshot{{Key: "new", Offset: 1}}
	for range 2 {
		if err := store.Save(t.Context(), part, token, snaps); !errors.Is(err, statestore.ErrCorrupt) {
			t.Fatalf("Save: %v", err)
		}
		if _, err := store.Load(t.Context(), part, keys); !errors.Is(err, statestore.ErrCorrupt) {
			t.Fatalf("Load: %v", err)
		}
	}
	if err := store.Close(); !errors.Is(err, statestore.ErrCorrupt) {
		t.Fatalf("Close: %v", err)
	}
}

func TestFileNamesCorruptSnapshot(t *testing.T) {
	path, keys := damagedFile(t, func(b []byte) []byte {
		at := bytes.Index(b, bytes.Repeat([]byte{42}, 3000))
		b[at+1500] ^= 1
		return b
	})
	store := openFile(t, path)
	defer closeStore(t, store)
	snaps, err := store.Load(t.Context(), part, keys)
	var bad *statestore.CorruptError
	if !errors.As(err, &bad) || len(bad.Keys) != 1 || bad.Keys[0] != keys[42] || snaps[42].Offset != statestore.NoOffset {
		t.Fatalf("Load: %v", err)
	}
	if snaps[41].Offset != 41 || snaps[43].Offset != 43 {
		t.Fatalf("the neighbours came back as of %d and %d", snaps[41].Offset, snaps[43].Offset)
	}
	saveAs(t, store, keys[42], 0)
	if snaps, err := store.Load(t.Context(), part, keys[42:43]); err != nil || snaps[0].Offset != 0 {
		t.Fatalf("saved again: %v, %v", snaps, err)
	}
}
