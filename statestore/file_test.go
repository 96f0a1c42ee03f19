package statestore_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/weirstream/weir/statestore"
	"github.com/weirstream/weir/statestore/storetest"
)

func TestFileKeepsContract(t *testing.T) {
	storetest.TestStore(t, func(t *testing.T) statestore.Store {
		store := openFile(t, filepath.Join(t.TempDir(), "weir.state"))
		t.Cleanup(func() { closeStore(t, store) })
		return store
	})
}

func openFile(t testing.TB, path string) *statestore.File {
	t.Helper()
	store, err := statestore.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func closeStore(t testing.TB, store statestore.Store) {
	t.Helper()
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}

func TestFileReopenedHoldsWhatWasSaved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weir.state")
	store := openFile(t, path)
	first, err := store.Claim(t.Context(), part, token)
	if err != nil {
		t.Fatal(err)
	}
	saveAs(t, store, "a", 7)
	if err := store.Advance(t.Context(), part, token, statestore.Position{Cursor: 8, Fingerprint: 99, Gap: 5}); err != nil {
		t.Fatal(err)
	}
	closeStore(t, store)

	store = openFile(t, path)
	defer closeStore(t, store)
	meta, err := store.Claim(t.Context(), part, token)
	want := statestore.Meta{
		Token: token, Position: statestore.Position{Cursor: 8, Fingerprint: 99, Gap: 5}, StoreID: first.StoreID, Previous: token,
	}
	if err != nil || meta != want {
		t.Fatalf("reopened: %+v, %v; want %+v", meta, err, want)
	}
	snaps, err := store.Load(t.Context(), part, []string{"a"})
	if err != nil || snaps[0].Offset != 7 || string(snaps[0].State) != "state of a" {
		t.Fatalf("reopened: %+v, %v", snaps, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the file's mode: %v, %v", info.Mode(), err)
	}
}

func TestFileIsForOneProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weir.state")
	store := openFile(t, path)
	_, err := statestore.OpenFile(path)
	if err == nil || !strings.Contains(err.Error(), "in use by another process") || !strings.Contains(err.Error(), path) {
		t.Fatalf("opened twice: %v", err)
	}
	closeStore(t, store)
	closeStore(t, openFile(t, path))
}

func TestFileRefusesWhatItDidNotWrite(t *testing.T) {
	foreign := filepath.Join(t.TempDir(), "foreign")
	db, err := bbolt.Open(foreign, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("members"))
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	otherProgram, err := os.ReadFile(foreign)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"Text":         []byte("stream,value\nweb-7,0.93\n"),
		"LongText":     bytes.Repeat([]byte("stream,value\n"), 10_000),
		"Zeros":        make([]byte, 1<<16),
		"OtherProgram": otherProgram,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "weir.state")
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			for range 2 { // again: the first refusal must let go of the file
				_, err := statestore.OpenFile(path)
				if !errors.Is(err, statestore.ErrCorrupt) || !strings.Contains(err.Error(), path) {
					t.Fatalf("OpenFile: %v", err)
				}
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, content) {
				t.Fatalf("the file was changed (%v)", err)
			}
		})
	}
}

func TestFileWithoutFolderFails(t *testing.T) {
	_, err := statestore.OpenFile(filepath.Join(t.TempDir(), "none", "weir.state"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("OpenFile: %v", err)
	}
}

// TestFileSurvivesKill kills a process while it saves: every Save that had returned is
// there afterwards, and no half of another.
func TestFileSurvivesKill(t *testing.T) {
	if child := os.Getenv("WEIR_TEST_SAVE_TO"); child != "" {
		saveForEver(t, child) // before TempDir: a killed process leaves its own behind
	}
	path := filepath.Join(t.TempDir(), "weir.state")
	for round := range 3 {
		acked := killWhileSaving(t, path)
		store := openFile(t, path)
		keys := []string{"a", "b", "c"}
		snaps, err := store.Load(t.Context(), part, keys)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range snaps {
			if s.Offset < acked || s.Offset != snaps[0].Offset || string(s.State) != fmt.Sprintf("%s%d", s.Key, s.Offset) {
				t.Fatalf("round %d: %d was confirmed, found %v", round, acked, snaps)
			}
		}
		closeStore(t, store)
	}
}

// killWhileSaving starts this test as a process that saves, kills it after its 20th
// Save and returns the last offset that it had reported.
func killWhileSaving(t *testing.T, path string) (acked int64) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestFileSurvivesKill$")
	child.Env = append(os.Environ(), "WEIR_TEST_SAVE_TO="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); {
		offset, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil {
			t.Errorf("the saving process says %q", lines.Text())
			continue
		}
		acked = offset
		if n++; n == 20 {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil || acked == 0 {
		t.Fatalf("the saving process ended by itself (%v) after %d", err, acked)
	}
	return acked
}

// saveForEver saves three streams at rising offsets and prints each that is on disk.
func saveForEver(t *testing.T, path string) {
	store := openFile(t, path)
	if _, err := store.Claim(t.Context(), part, token); err != nil {
		t.Fatal(err)
	}
	snaps, err := store.Load(t.Context(), part, []string{"a", "b", "c"})
	for offset := snaps[0].Offset + 1; err == nil; offset++ {
		for i := range snaps {
			snaps[i].Offset, snaps[i].State = offset, fmt.Appendf(nil, "%s%d", snaps[i].Key, offset)
		}
		err = store.Save(t.Context(), part, token, snaps)
		fmt.Println(offset)
	}
	t.Fatal(err)
}
