package statestore

import (
	"strconv"
	"testing"

	"github.com/alicebob/miniredis/v2"
)

// Records of streams with many fields are large: they are read a few at a time.
func TestRedisReadsLargeRecordsFewAtATime(t *testing.T) {
	r, err := OpenRedis("redis://"+miniredis.RunT(t).Addr(), "weir:", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	token, p := Token{Generation: 1}, Partition{Group: "g", Topic: "t"}
	if _, err := r.Claim(t.Context(), p, token); err != nil {
		t.Fatal(err)
	}
	if got := r.loadable(); got != chunkKeys {
		t.Errorf("%d records at a time before any was read", got)
	}
	var snaps []Snapshot
	var keys []string
	for i := range 40 {
		keys = append(keys, strconv.Itoa(i))
		snaps = append(snaps, Snapshot{Key: keys[i], Offset: 1, State: make([]byte, chunkBytes/4)})
	}
	if err := r.Save(t.Context(), p, token, snaps); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got, err := r.Load(t.Context(), p, keys)
		if err != nil || len(got) != len(snaps) || got[39].Key != "39" || len(got[39].State) != chunkBytes/4 {
			t.Fatalf("%d snapshots, %v", len(got), err)
		}
	}
	if got := r.loadable(); got != 3 {
		t.Errorf("%d records of %d bytes at a time", got, chunkBytes/4)
	}
}
