package statestore

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Memory is a Store that ends with the process. It is for tests, and for scoring where
// nothing is to be kept. The zero value is not usable: call NewMemory.
//
// For the tests of what stands on a store, it can lose what it has: see Lose, Copy and
// Restore.
type Memory struct {
	mu         sync.Mutex
	partitions map[Partition]*memoryPartition
	chains     chains
}

type memoryPartition struct {
	meta      Meta
	writes    int64
	snaps     map[string]Snapshot
	directory map[string]entry
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{partitions: make(map[Partition]*memoryPartition)}
}

// Claim implements Store.
func (m *Memory) Claim(ctx context.Context, p Partition, token Token) (Meta, error) {
	meta, err := m.claim(ctx, p, token)
	if err != nil {
		return meta, fmt.Errorf("claim partition %q: %w", p, err)
	}
	return meta, nil
}

func (m *Memory) claim(ctx context.Context, p Partition, token Token) (Meta, error) {
	if err := cmp.Or(ctx.Err(), checkToken(token)); err != nil {
		return Meta{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	part := m.partitions[p]
	if part == nil {
		part = &memoryPartition{
			meta:  Meta{Token: NoToken, Position: Position{Cursor: NoOffset, Gap: NoOffset}, StoreID: newStoreID()},
			snaps: make(map[string]Snapshot), directory: make(map[string]entry),
		}
		m.partitions[p] = part
	}
	if token.Compare(part.meta.Token) < 0 {
		return part.meta, checkOwner(part.meta.Token, token)
	}
	meta := part.meta
	meta.Token, meta.Previous = token, part.meta.Token
	part.meta.Token = token
	meta.Regressed = m.chains.claimed(p, token, meta.Previous, part.writes)
	return meta, nil
}

// Load implements Store.
func (m *Memory) Load(ctx context.Context, p Partition, keys []string) ([]Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("load partition %q: %w", p, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	part := m.partitions[p]
	owner, writes := NoToken, int64(0)
	if part != nil {
		owner, writes = part.meta.Token, part.writes
	}
	if err := m.chains.check(p, owner, writes); err != nil {
		return nil, fmt.Errorf("load partition %q: %w", p, err)
	}
	snaps := make([]Snapshot, len(keys))
	bad := &CorruptError{Partition: p}
	for i, key := range keys {
		snaps[i] = Snapshot{Key: key, Offset: NoOffset}
		if part == nil {
			continue
		}
		s, there := part.snaps[key]
		if e, known := part.directory[key]; known && (!there || s.Offset < e.offset) {
			bad.Keys, bad.Saved = append(bad.Keys, key), append(bad.Saved, e.offset)
			bad.Causes = append(bad.Causes, fmt.Errorf("%w: saved as of offset %d", ErrLost, e.offset))
		} else if there {
			s.State = slices.Clone(s.State)
			snaps[i] = s
		}
	}
	return snaps, bad.errOrNil()
}

// Save implements Store.
func (m *Memory) Save(ctx context.Context, p Partition, token Token, snaps []Snapshot) error {
	if len(snaps) == 0 {
		return nil
	}
	err := checkSnapshots(snaps)
	if err == nil {
		err = m.asOwner(ctx, p, token, func(part *memoryPartition) {
			for _, s := range snaps {
				if old, ok := part.snaps[s.Key]; !ok || s.Offset > old.Offset {
					s.State = slices.Clone(s.State)
					part.snaps[s.Key] = s
					part.directory[s.Key] = entry{offset: s.Offset, time: s.Time}
				}
			}
		})
	}
	if err != nil {
		return fmt.Errorf("save partition %q: %w", p, err)
	}
	return nil
}

// Advance implements Store.
func (m *Memory) Advance(ctx context.Context, p Partition, token Token, to Position) error {
	err := m.asOwner(ctx, p, token, func(part *memoryPartition) {
		if to.Cursor > part.meta.Cursor {
			to.Time = 0
			part.meta.Position = to
		}
	})
	if err != nil {
		return fmt.Errorf("advance partition %q: %w", p, err)
	}
	return nil
}

// asOwner runs write on partition p if token owns it and no write is missing.
func (m *Memory) asOwner(ctx context.Context, p Partition, token Token, write func(*memoryPartition)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	part := m.partitions[p]
	if part == nil {
		return errNoOwner
	}
	if err := checkOwner(part.meta.Token, token); err != nil {
		return err
	}
	acked, number := m.chains.next(p, token)
	if part.writes < acked {
		return fmt.Errorf("%w: it has %d writes of this process, and had acknowledged %d", ErrRegressed, part.writes, acked)
	}
	part.writes = max(part.writes, number)
	write(part)
	m.chains.done(p, token, number)
	return nil
}

// Lose drops the snapshots of streams and keeps their places in the directory, as a
// server does that evicts.
func (m *Memory) Lose(p Partition, keys ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		delete(m.partitions[p].snaps, key)
	}
}

// Copy is what m holds now.
func (m *Memory) Copy() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := NewMemory()
	for p, part := range m.partitions {
		twin := *part
		twin.snaps, twin.directory = maps.Clone(part.snaps), maps.Clone(part.directory)
		c.partitions[p] = &twin
	}
	return c
}

// Restore puts m back to what c holds, as a server does that restarts from a dump.
func (m *Memory) Restore(c *Memory) {
	c = c.Copy()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.partitions = c.partitions
}

// Close implements Store: there is nothing to release.
func (m *Memory) Close() error { return nil }
