package pipeline

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"pgregory.net/rapid"
)

// memberOf is a member with what it had.
func memberOf(t rapid.TB, id string, generation int32, had map[string][]int, topics ...string) kafka.GroupMember {
	data, err := json.Marshal(holding{generation, had})
	if err != nil {
		t.Fatal(err)
	}
	return kafka.GroupMember{ID: id, Topics: topics, UserData: data}
}

func partitionsOf(topic string, n int) (all []kafka.Partition) {
	for i := range n {
		all = append(all, kafka.Partition{Topic: topic, ID: i})
	}
	return all
}

// TestBalanceIsEvenAndMovesNoMoreThanItMust plays members that come and go.
func TestBalanceIsEvenAndMovesNoMoreThanItMust(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		partitions := partitionsOf("events", rapid.IntRange(1, 40).Draw(t, "partitions"))
		had := map[string]map[string][]int{}
		names := []string{"a", "b", "c", "d", "e", "f"}
		for generation := range int32(6) {
			live := rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, len(names), rapid.ID).Draw(t, "members")
			var members []kafka.GroupMember
			for _, id := range live {
				members = append(members, memberOf(t, id, generation, had[id], "events"))
			}
			got := (&balancer{}).AssignGroups(members, partitions)
			rand.New(rand.NewPCG(uint64(generation), 1)).Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
			if diff := cmp.Diff(got, (&balancer{}).AssignGroups(members, partitions)); diff != "" {
				t.Fatalf("members in another order (-before +after):\n%s", diff)
			}
			wantEvenAndSticky(t, got, had, len(partitions))
			had = got
		}
	})
}

// wantEvenAndSticky fails unless each partition has one owner, shares differ by one at
// most, and a member lost none of its partitions as long as it has fewer than an even share.
func wantEvenAndSticky(t *rapid.T, got kafka.GroupMemberAssignments, had map[string]map[string][]int, n int) {
	owner := map[int]string{}
	for id, topics := range got {
		for _, p := range topics["events"] {
			if before, twice := owner[p]; twice {
				t.Fatalf("partition %d went to %s and to %s", p, before, id)
			}
			owner[p] = id
		}
		if k := len(topics["events"]); k < n/len(got) || k > (n+len(got)-1)/len(got) {
			t.Fatalf("%s has %d of %d partitions among %d", id, k, n, len(got))
		}
	}
	if len(owner) != n {
		t.Fatalf("%d of %d partitions have an owner", len(owner), n)
	}
	for id := range got {
		kept := 0
		for _, p := range had[id]["events"] {
			if owner[p] == id {
				kept++
			}
		}
		if least := min(len(had[id]["events"]), n/len(got)); kept < least {
			t.Fatalf("%s kept %d of its %d partitions, could have kept %d: %v, then %v", id, kept, len(had[id]["events"]), least, had, got)
		}
	}
}

func TestBalanceGivesAPartitionToItsLatestOwner(t *testing.T) {
	members := []kafka.GroupMember{
		memberOf(t, "slept", 3, map[string][]int{"events": {0, 1}}, "events"),
		memberOf(t, "owner", 7, map[string][]int{"events": {0, 1}}, "events"),
		{ID: "zero", Topics: []string{"events", "more"}, UserData: []byte("not ours")},
	}
	got := (&balancer{}).AssignGroups(members, append(partitionsOf("events", 3), partitionsOf("more", 3)...))
	want := kafka.GroupMemberAssignments{
		"owner": {"events": {0, 1}}, "slept": {"events": {2}}, "zero": {"more": {0, 1, 2}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzHolding(f *testing.F) {
	f.Add([]byte(`{"generation":3,"partitions":{"events":[0,1]}}`))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		members := []kafka.GroupMember{{ID: "a", Topics: []string{"t"}, UserData: data}, {ID: "b", Topics: []string{"t"}}}
		got := (&balancer{}).AssignGroups(members, partitionsOf("t", 4))
		if len(got["a"]["t"]) != 2 || len(got["b"]["t"]) != 2 {
			t.Fatal(fmt.Sprint(got))
		}
	})
}
