package pipeline

import (
	"cmp"
	"encoding/json"
	"slices"
	"sync"

	"github.com/segmentio/kafka-go"
)

// A balancer gives partitions to the members of a group, evenly, and to each as many as it
// can of those that it had: their streams are in its memory. Every member tells in its
// user data what it had, and in which generation; the group's leader decides. It
// implements kafka.GroupBalancer.
type balancer struct {
	mu   sync.Mutex
	mine holding
}

// A holding is what a member had.
type holding struct {
	Generation int32            `json:"generation"`
	Partitions map[string][]int `json:"partitions"`
}

var _ kafka.GroupBalancer = (*balancer)(nil)

// hold notes what this member has now.
func (b *balancer) hold(gen *kafka.Generation) {
	h := holding{Generation: gen.ID, Partitions: make(map[string][]int)}
	for topic, partitions := range gen.Assignments {
		for _, p := range partitions {
			h.Partitions[topic] = append(h.Partitions[topic], p.ID)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mine = h
}

// ProtocolName implements kafka.GroupBalancer.
func (b *balancer) ProtocolName() string { return "weir-sticky" }

// UserData implements kafka.GroupBalancer.
func (b *balancer) UserData() ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return json.Marshal(b.mine)
}

// topicPartition names a partition.
type topicPartition struct {
	topic  string
	number int
}

// A share is what one member gets.
type share struct {
	id     string
	topics []string
	had    map[topicPartition]int32 // the generation in which it had a partition
	gets   []topicPartition
}

// AssignGroups implements kafka.GroupBalancer. The same members and partitions give the same
// assignment, in whatever order they come.
func (b *balancer) AssignGroups(members []kafka.GroupMember, partitions []kafka.Partition) kafka.GroupMemberAssignments {
	shares := make([]*share, len(members))
	for i, m := range members {
		shares[i] = &share{id: m.ID, topics: m.Topics, had: hadBy(m.UserData)}
	}
	slices.SortFunc(shares, func(a, b *share) int { return cmp.Compare(a.id, b.id) })
	places := make([]topicPartition, len(partitions))
	for i, p := range partitions {
		places[i] = topicPartition{p.Topic, p.ID}
	}
	slices.SortFunc(places, func(a, b topicPartition) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.number, b.number))
	})
	for _, p := range leave(shares, slices.Compact(places)) {
		if s := poorest(shares, p.topic); s != nil {
			s.gets = append(s.gets, p)
		}
	}
	all := make(kafka.GroupMemberAssignments, len(shares))
	for _, s := range shares {
		all[s.id] = make(map[string][]int)
		for _, p := range s.gets {
			all[s.id][p.topic] = append(all[s.id][p.topic], p.number)
		}
	}
	return all
}

// hadBy reads a member's user data. Of what cannot be read, nothing was had.
func hadBy(userData []byte) map[topicPartition]int32 {
	var h holding
	if json.Unmarshal(userData, &h) != nil {
		return nil
	}
	had := make(map[topicPartition]int32)
	for topic, numbers := range h.Partitions {
		for _, n := range numbers {
			had[topicPartition{topic, n}] = h.Generation
		}
	}
	return had
}

// leave gives partitions to who had them last, up to an even share, and returns the others.
func leave(shares []*share, places []topicPartition) (others []topicPartition) {
	if len(shares) == 0 {
		return places
	}
	least, more := len(places)/len(shares), len(places)%len(shares)
	for _, p := range places {
		s := lastOwner(shares, p)
		switch {
		case s == nil:
		case len(s.gets) < least:
			s.gets = append(s.gets, p)
			continue
		case len(s.gets) == least && more > 0:
			more--
			s.gets = append(s.gets, p)
			continue
		}
		others = append(others, p)
	}
	return others
}

// lastOwner is the member that had a partition in the latest generation; nil where none did.
func lastOwner(shares []*share, p topicPartition) (owner *share) {
	for _, s := range shares {
		generation, had := s.had[p]
		if had && slices.Contains(s.topics, p.topic) && (owner == nil || generation > owner.had[p]) {
			owner = s
		}
	}
	return owner
}

// poorest is the member of a topic's readers that has the fewest partitions.
func poorest(shares []*share, topic string) (poorest *share) {
	for _, s := range shares {
		if slices.Contains(s.topics, topic) && (poorest == nil || len(s.gets) < len(poorest.gets)) {
			poorest = s
		}
	}
	return poorest
}
