package storetest

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/weirstream/weir/statestore"
)

var snapshotCases = []testCase{
	{
		"UnknownKeys", "a stream without a snapshot is new, in a partition that nobody claimed as well; that is no error",
		func(t *testing.T, s statestore.Store) {
			wantLoad(t, s, absent("a"), absent(""))
			claim(t, s, part, generation(1))
			save(t, s, generation(1), snap("b", 4))
			wantLoad(t, s, absent("a"), snap("b", 4), absent("c"))
			if got, err := s.Load(t.Context(), part, []string{"a"}); err != nil || got[0].State != nil {
				t.Fatalf("an unknown stream: %v, %v; want a nil State", got, err)
			}
		},
	},
	{
		"LoadKeepsOrder", "the result lines up with the keys asked for, whatever their order, and repeats a repeated one",
		func(t *testing.T, s statestore.Store) {
			claim(t, s, part, generation(1))
			save(t, s, generation(1), snap("a", 1), snap("b", 2), snap("c", 3))
			wantLoad(t, s, snap("c", 3), absent("x"), snap("a", 1), snap("c", 3), snap("b", 2))
			wantLoad(t, s)
		},
	},
	{
		"GreaterOffsetWins", "a repeated or late Save must not put a stream back; one Save may hold a stream twice, in any order",
		func(t *testing.T, s statestore.Store) {
			claim(t, s, part, generation(1))
			save(t, s, generation(1), snap("a", 10), snap("b", 20))
			other := snap("a", 10)
			other.State = []byte("another state with the same offset")
			save(t, s, generation(1), other, snap("b", 19))
			wantLoad(t, s, snap("a", 10), snap("b", 20))
			save(t, s, generation(1), snap("a", 12), snap("a", 14), snap("a", 13), snap("b", 5))
			wantLoad(t, s, snap("a", 14), snap("b", 20))
		},
	},
	{
		"NewOwnerSeesAndReplaces", "snapshots belong to the partition, not to the token that wrote them",
		func(t *testing.T, s statestore.Store) {
			claim(t, s, part, generation(1))
			save(t, s, generation(1), snap("a", 1), snap("b", 8))
			claim(t, s, part, generation(2))
			save(t, s, generation(2), snap("a", 2), snap("b", 7))
			wantLoad(t, s, snap("a", 2), snap("b", 8))
		},
	},
	{
		"TimeStaysWithSnapshot", "an idle stream is known by its time, which comes back with the snapshot it was saved with",
		func(t *testing.T, s statestore.Store) {
			claim(t, s, part, generation(1))
			now, next := snap("a", 3), snap("a", 2)
			now.Time, next.Time = 1_795_429_680_000, 1_795_429_690_000
			save(t, s, generation(1), now, next)
			wantLoad(t, s, now)
		},
	},
	{
		"OffsetsAreExact", "offsets reach 2^63-1: a store that compares them as doubles or as text loses or repeats events",
		testExactOffsets,
	},
	{
		"AnyBytesAreAKey", "a stream's name comes from the user's events: nothing in it may reach another stream or the meta",
		testWeirdKeys,
	},
	{
		"BadSnapshotsAreRefusedWhole", "what cannot be stored is refused before anything is written",
		func(t *testing.T, s statestore.Store) {
			claim(t, s, part, generation(1))
			for _, bad := range []statestore.Snapshot{snap("a", -1), snap(strings.Repeat("k", statestore.MaxKey+1), 1)} {
				err := s.Save(t.Context(), part, generation(1), []statestore.Snapshot{snap("good", 1), bad})
				if err == nil {
					t.Errorf("Save of offset %d under a key of %d bytes succeeded", bad.Offset, len(bad.Key))
				}
			}
			wantLoad(t, s, absent("good"), absent("a"))
		},
	},
	{
		"StatesAreCopies", "the caller goes on to change its state in place, and may change what it loaded",
		func(t *testing.T, s statestore.Store) {
			claim(t, s, part, generation(1))
			mine := snap("a", 1)
			save(t, s, generation(1), mine)
			clear(mine.State)
			loaded, err := s.Load(t.Context(), part, []string{"a"})
			if err != nil {
				t.Fatal(err)
			}
			clear(loaded[0].State)
			_ = append(loaded[0].State, "more"...)
			wantLoad(t, s, snap("a", 1))
		},
	},
	{
		"AnyBytesAreAState", "the store does not know what a state means: empty, zeros, and its own format as well",
		func(t *testing.T, s statestore.Store) {
			claim(t, s, part, generation(1))
			every := make([]byte, 256)
			for i := range every {
				every[i] = byte(i)
			}
			snaps := []statestore.Snapshot{
				{Key: "none", Offset: 0},
				{Key: "zeros", Offset: 1, State: make([]byte, 64)},
				{Key: "every", Offset: 2, State: every},
				{Key: "magic", Offset: 3, State: []byte("weir\x00\x00\x00\x01")},
			}
			save(t, s, generation(1), snaps...)
			wantLoad(t, s, snaps...)
		},
	},
	{
		"SaveOfNothing", "a checkpoint without a changed stream is nothing to ask a server about",
		func(t *testing.T, s statestore.Store) {
			if err := s.Save(t.Context(), part, generation(1), nil); err != nil {
				t.Fatal(err)
			}
		},
	},
	{
		"LargeBatch", "a checkpoint holds thousands of streams: however the store cuts it up, each arrives once and in its place",
		testLargeBatch,
	},
	{
		"LargeState", "a single state may exceed what a store sends at a time",
		func(t *testing.T, s statestore.Store) {
			claim(t, s, part, generation(1))
			big := statestore.Snapshot{Key: "big", Offset: 5, State: bytes.Repeat([]byte("0123456789abcdef"), 3<<16)}
			save(t, s, generation(1), snap("before", 1), big, snap("after", 2))
			wantLoad(t, s, snap("before", 1), big, snap("after", 2))
		},
	},
}

func testExactOffsets(t *testing.T, s statestore.Store) {
	ascending := []int64{
		0, 1, 9, 10, 127, 128, 255, 256, 99_999, 100_000, math.MaxInt32, 1 << 32, 1<<53 - 1, 1 << 53, 1<<53 + 1, 1<<53 + 2,
		1<<62 + 1, math.MaxInt64 - 1, math.MaxInt64,
	}
	claim(t, s, part, generation(1))
	for i, offset := range ascending {
		save(t, s, generation(1), snap("a", offset))
		wantLoad(t, s, snap("a", offset))
		for _, lower := range ascending[:i] {
			save(t, s, generation(1), statestore.Snapshot{Key: "a", Offset: lower, State: []byte("late")})
		}
		wantLoad(t, s, snap("a", offset))
	}
}

func testWeirdKeys(t *testing.T, s statestore.Store) {
	keys := []string{
		"", " ", "a", "A", "a ", "m", ":m", "m:token", "s:", ":s:a", "{", "}", "{}", "}:m", "{x}:s:a", "a/b", "a%2Fb", "*", "?", "[a]",
		"\x00", "a\x00", "a\x00b", "\r\n", "$1\r\n", "\xff\xfe", "\xc3\x28", "é", "e\u0301", "流/温度", "🌊", "'; --", `"\`,
		strings.Repeat("k", 1024), strings.Repeat("k", 1023), strings.Repeat("é", statestore.MaxKey/2),
	}
	snaps := make([]statestore.Snapshot, len(keys))
	for i, key := range keys {
		snaps[i] = statestore.Snapshot{Key: key, Offset: int64(i), State: fmt.Appendf(nil, "state %d", i)}
	}
	claim(t, s, part, generation(1))
	before := claim(t, s, part, generation(1))
	save(t, s, generation(1), snaps...)
	wantLoad(t, s, snaps...)
	if after := claim(t, s, part, generation(1)); after != before {
		t.Fatalf("meta changed from %+v to %+v", before, after)
	}
}

func testLargeBatch(t *testing.T, s statestore.Store) {
	claim(t, s, part, generation(1))
	snaps := make([]statestore.Snapshot, 1000)
	for i := range snaps {
		snaps[i] = statestore.Snapshot{
			Key: fmt.Sprintf("host-%d/cpu", i), Offset: int64(i), State: bytes.Repeat([]byte{byte(i), byte(i >> 8)}, 5<<10),
		}
	}
	save(t, s, generation(1), snaps...)
	wantLoad(t, s, snaps...)
	late := make([]statestore.Snapshot, len(snaps))
	for i, kept := range snaps {
		late[i] = statestore.Snapshot{Key: kept.Key, Offset: 500, State: []byte("offset 500")}
		if kept.Offset < 500 {
			snaps[i] = late[i]
		}
	}
	save(t, s, generation(1), late...)
	wantLoad(t, s, snaps...)
}
