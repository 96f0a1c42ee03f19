package statestore_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/weirstream/weir/statestore"
)

// A checkpoint's share of one partition: 128 streams of 10 KiB.
const (
	benchStreams = 128
	benchBytes   = 10 << 10
)

// eachStore runs bench on every store, on Redis where WEIR_TEST_REDIS names one.
func eachStore(b *testing.B, bench func(*testing.B, statestore.Store)) {
	b.Run("Memory", func(b *testing.B) { bench(b, statestore.NewMemory()) })
	b.Run("File", func(b *testing.B) {
		store := openFile(b, filepath.Join(b.TempDir(), "weir.state"))
		defer closeStore(b, store)
		bench(b, store)
	})
	b.Run("Miniredis", func(b *testing.B) {
		bench(b, openRedis(b, "redis://"+miniredis.RunT(b).Addr(), "weir:", 0))
	})
	b.Run("Redis", func(b *testing.B) {
		store, _ := realRedis(b, 0)
		bench(b, store)
	})
}

// benchSnaps claims part and returns its snapshots, to be saved at rising offsets.
func benchSnaps(b *testing.B, store statestore.Store) []statestore.Snapshot {
	b.Helper()
	if _, err := store.Claim(b.Context(), part, token); err != nil {
		b.Fatal(err)
	}
	snaps := make([]statestore.Snapshot, benchStreams)
	for i := range snaps {
		snaps[i] = statestore.Snapshot{Key: fmt.Sprintf("host-%d/cpu", i), State: bytes.Repeat([]byte{byte(i)}, benchBytes)}
	}
	b.ReportAllocs()
	b.SetBytes(benchStreams * benchBytes)
	return snaps
}

func BenchmarkSave(b *testing.B) {
	eachStore(b, func(b *testing.B, store statestore.Store) {
		snaps := benchSnaps(b, store)
		for b.Loop() {
			for i := range snaps {
				snaps[i].Offset++
			}
			if err := store.Save(b.Context(), part, token, snaps); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	eachStore(b, func(b *testing.B, store statestore.Store) {
		snaps := benchSnaps(b, store)
		if err := store.Save(b.Context(), part, token, snaps); err != nil {
			b.Fatal(err)
		}
		keys := make([]string, len(snaps))
		for i, s := range snaps {
			keys[i] = s.Key
		}
		for b.Loop() {
			if _, err := store.Load(b.Context(), part, keys); err != nil {
				b.Fatal(err)
			}
		}
	})
}
