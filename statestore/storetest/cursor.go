package storetest

import (
	"math"
	"testing"

	"github.com/weirstream/weir/statestore"
)

var cursorCases = []testCase{
	{
		"CursorMovesForwardOnly", "a late Advance must not put the cursor back, nor change the fingerprint that belongs to it; " +
			"cursors are exact up to 2^63-1",
		func(t *testing.T, s statestore.Store) {
			claim(t, s, part, generation(1))
			ascending := []int64{0, 1, 9, 10, 1 << 53, 1<<53 + 1, math.MaxInt64 - 1, math.MaxInt64}
			for i, cursor := range ascending {
				for j, c := range append([]int64{cursor, statestore.NoOffset, cursor}, ascending[:i]...) {
					fingerprint := uint64(cursor) ^ 0xffff_ffff_0000_0000
					if j > 0 {
						fingerprint = 1
					}
					if err := s.Advance(t.Context(), part, generation(1), position(c, fingerprint)); err != nil {
						t.Fatalf("Advance to %d: %v", c, err)
					}
				}
				meta := claim(t, s, part, generation(1))
				if meta.Cursor != cursor || meta.Fingerprint != uint64(cursor)^0xffff_ffff_0000_0000 {
					t.Fatalf("advanced to %d and then not beyond, cursor %d, fingerprint %#x", cursor, meta.Cursor, meta.Fingerprint)
				}
			}
		},
	},
	{
		"GapStaysWithCursor", "a crash must not forget that events are missing: the mark moves with the cursor",
		func(t *testing.T, s statestore.Store) {
			claim(t, s, part, generation(1))
			for _, to := range []statestore.Position{
				{Cursor: 10, Fingerprint: 3, Gap: 7}, {Cursor: 12, Gap: 11}, {Cursor: 13, Fingerprint: 4, Gap: statestore.NoOffset},
			} {
				if err := s.Advance(t.Context(), part, generation(1), to); err != nil {
					t.Fatal(err)
				}
				if got := claim(t, s, part, generation(1)).Position; got != to {
					t.Fatalf("advanced to %+v, claimed at %+v", to, got)
				}
			}
		},
	},
	{
		"AdvanceToNowhere", "a partition without an event has nowhere to go: asking changes nothing",
		func(t *testing.T, s statestore.Store) {
			claim(t, s, part, generation(1))
			before := claim(t, s, part, generation(1))
			for _, cursor := range []int64{statestore.NoOffset, -2, math.MinInt64} {
				if err := s.Advance(t.Context(), part, generation(1), position(cursor, 7)); err != nil {
					t.Fatal(err)
				}
			}
			if after := claim(t, s, part, generation(1)); after != before {
				t.Fatalf("meta changed from %+v to %+v", before, after)
			}
		},
	},
	{
		"AdvanceLeavesSnapshots", "the cursor and the snapshots are told apart, also for the stream whose name is like the cursor's",
		func(t *testing.T, s statestore.Store) {
			claim(t, s, part, generation(1))
			save(t, s, generation(1), snap("cursor", 3))
			if err := s.Advance(t.Context(), part, generation(1), position(9, 1)); err != nil {
				t.Fatal(err)
			}
			wantLoad(t, s, snap("cursor", 3))
		},
	},
}
