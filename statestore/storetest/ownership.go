package storetest

import (
	"context"
	"math"
	"testing"

	"github.com/weirstream/weir/statestore"
)

var ownershipCases = []testCase{
	{
		"FirstClaimDrawsStoreID", "a partition that the store does not know has no cursor, and an id that no other " +
			"partition or store has: that is how an emptied store is recognised",
		func(t *testing.T, s statestore.Store) {
			other := part
			other.Number++
			meta, sibling := claim(t, s, part, generation(7)), claim(t, s, other, generation(7))
			want := statestore.Meta{
				Token: generation(7), Position: position(statestore.NoOffset, 0), StoreID: meta.StoreID, Previous: statestore.NoToken,
			}
			if meta != want || meta.StoreID == "" || meta.StoreID == sibling.StoreID {
				t.Fatalf("first claims: %+v and %+v", meta, sibling)
			}
		},
	},
	{
		"LaterClaimKeepsMeta", "an owner goes on where the last one stopped: a claim changes the token, nothing else",
		func(t *testing.T, s statestore.Store) {
			first := claim(t, s, part, generation(1))
			if err := s.Advance(t.Context(), part, generation(1), position(42, 0xfeed_f00d_dead_beef)); err != nil {
				t.Fatal(err)
			}
			want := statestore.Meta{
				Token: generation(2), Position: position(42, 0xfeed_f00d_dead_beef), StoreID: first.StoreID, Previous: generation(1),
			}
			if got := claim(t, s, part, generation(2)); got != want {
				t.Fatalf("second claim: %+v, want %+v", got, want)
			}
		},
	},
	{
		"RepeatedClaimIsHarmless", "a client repeats a claim whose reply was lost: the same token wins again, with the same id",
		func(t *testing.T, s statestore.Store) {
			first, again := claim(t, s, part, generation(3)), claim(t, s, part, generation(3))
			if first.Previous = generation(3); first != again {
				t.Fatalf("claimed %+v, again %+v", first, again)
			}
		},
	},
	{
		"TokensAreOrdered", "incarnation counts before generation; each number in whole, also where a double would round it",
		testTokenOrder,
	},
	{
		"LowerClaimIsFenced", "a process that slept through a rebalance must not take its partition back",
		func(t *testing.T, s statestore.Store) {
			claim(t, s, part, generation(5))
			save(t, s, generation(5), snap("a", 1))
			meta, err := s.Claim(t.Context(), part, generation(4))
			wantErr(t, "Claim by a lower token", err, statestore.ErrFenced)
			if meta.Token != generation(5) {
				t.Errorf("refused Claim names owner %v, want %v", meta.Token, generation(5))
			}
			save(t, s, generation(5), snap("a", 2))
			wantLoad(t, s, snap("a", 2))
		},
	},
	{
		"GreaterClaimFencesWrites", "once a greater token has claimed, nothing of the old owner gets in, nor does it with the new one's help",
		func(t *testing.T, s statestore.Store) {
			claim(t, s, part, generation(5))
			save(t, s, generation(5), snap("a", 1))
			claim(t, s, part, generation(6))
			before := claim(t, s, part, generation(6))
			err := s.Save(t.Context(), part, generation(5), []statestore.Snapshot{snap("a", 9), snap("new", 9)})
			wantErr(t, "Save after a greater claim", err, statestore.ErrFenced)
			wantErr(t, "Advance after a greater claim", s.Advance(t.Context(), part, generation(5), position(9, 9)), statestore.ErrFenced)
			wantLoad(t, s, snap("a", 1), absent("new"))
			if after := claim(t, s, part, generation(6)); after != before {
				t.Fatalf("meta changed from %+v to %+v", before, after)
			}
		},
	},
	{
		"WriteWithoutOwnerRegressed", "an owner that finds no owner, or a lower one, writes to a store that lost its claim: it must " +
			"learn so, and claim again",
		func(t *testing.T, s statestore.Store) {
			snaps := []statestore.Snapshot{snap("a", 1)}
			wantErr(t, "Save before any claim", s.Save(t.Context(), part, generation(1), snaps), statestore.ErrRegressed)
			wantErr(t, "Advance before any claim", s.Advance(t.Context(), part, generation(1), position(1, 1)), statestore.ErrRegressed)
			claim(t, s, part, generation(1))
			wantErr(t, "Save above the claim", s.Save(t.Context(), part, generation(2), snaps), statestore.ErrRegressed)
			wantErr(t, "Advance above the claim", s.Advance(t.Context(), part, generation(2), position(1, 1)), statestore.ErrRegressed)
			wantLoad(t, s, absent("a"))
			if meta := claim(t, s, part, generation(1)); meta.Cursor != statestore.NoOffset {
				t.Fatalf("a refused Advance moved the cursor to %d", meta.Cursor)
			}
		},
	},
	{
		"NegativeTokenIsRefused", "no consumer group has a negative generation: it would be a mistake that outlives its maker",
		func(t *testing.T, s statestore.Store) {
			for _, token := range []statestore.Token{{Incarnation: -1}, {Generation: -1}} {
				if _, err := s.Claim(t.Context(), part, token); err == nil {
					t.Errorf("Claim as %s succeeded", token)
				}
			}
		},
	},
	{
		"PartitionsAreApart", "names are joined into keys: no group or topic may pass for another's",
		testPartitionsApart,
	},
	{
		"CancelledContext", "a caller that gave up gets its context's error, and the store is as it was",
		func(t *testing.T, s statestore.Store) {
			claim(t, s, part, generation(1))
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := s.Claim(ctx, part, generation(2))
			wantErr(t, "Claim", err, context.Canceled)
			_, err = s.Load(ctx, part, []string{"a"})
			wantErr(t, "Load", err, context.Canceled)
			wantErr(t, "Save", s.Save(ctx, part, generation(1), []statestore.Snapshot{snap("a", 1)}), context.Canceled)
			wantErr(t, "Advance", s.Advance(ctx, part, generation(1), position(1, 1)), context.Canceled)
			save(t, s, generation(1), snap("b", 1))
			wantLoad(t, s, absent("a"), snap("b", 1))
		},
	},
}

func testTokenOrder(t *testing.T, s statestore.Store) {
	const exact = 1 << 53 // float64 holds every integer up to here, not the next
	ascending := []statestore.Token{
		{},
		{Generation: 1},
		{Generation: 2},
		{Generation: 10},
		{Generation: exact},
		{Generation: exact + 1},
		{Generation: math.MaxInt64},
		{Incarnation: 1},
		{Incarnation: 1, Generation: 9},
		{Incarnation: 2},
		{Incarnation: exact, Generation: 5},
		{Incarnation: exact + 1},
		{Incarnation: math.MaxInt64, Generation: math.MaxInt64},
	}
	for i, token := range ascending {
		if meta := claim(t, s, part, token); meta.Token != token {
			t.Fatalf("claimed as %s, the store says %s", token, meta.Token)
		}
		for _, lower := range ascending[:i] {
			_, err := s.Claim(t.Context(), part, lower)
			wantErr(t, "Claim as "+lower.String()+" after "+token.String(), err, statestore.ErrFenced)
		}
	}
}

func testPartitionsApart(t *testing.T, s statestore.Store) {
	partitions := []statestore.Partition{
		{Group: "a", Topic: "b", Number: 1},
		{Group: "a", Topic: "b", Number: 11},
		{Group: "a", Topic: "b/1", Number: 1},
		{Group: "a/b", Topic: "1", Number: 1},
		{Group: "a", Topic: "b}:s:", Number: 1},
		{Group: "{a}", Topic: "{}", Number: 1},
		{Group: "a%2Fb", Topic: "1", Number: 1},
		{Group: "", Topic: "", Number: 0},
		{Group: "a", Topic: "B", Number: 1},
		{Group: "π\x00 \n", Topic: "*?[x]", Number: math.MaxInt32},
	}
	ids := make(map[string]bool)
	for i, p := range partitions {
		ids[claim(t, s, p, generation(int64(i))).StoreID] = true
		if err := s.Save(t.Context(), p, generation(int64(i)), []statestore.Snapshot{snap("k", int64(i))}); err != nil {
			t.Fatal(err)
		}
	}
	if len(ids) != len(partitions) {
		t.Fatalf("%d partitions have %d store ids", len(partitions), len(ids))
	}
	for i, p := range partitions {
		wantLoadIn(t, s, p, snap("k", int64(i)))
	}
}
