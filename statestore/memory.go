package statestore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
)

// Memory is a Store that ends with the process. It is for tests, and for scoring where
// nothing is to be kept. The zero value is not usable: call NewMemory.
type Memory struct {
	mu         sync.Mutex
	partitions map[Partition]*memoryPartition
}

type memoryPartition struct {
	meta  Meta
	snaps map[string]Snapshot
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
			meta:  Meta{Token: token, Cursor: NoOffset, StoreID: newStoreID()},
			snaps: make(map[string]Snapshot),
		}
		m.partitions[p] = part
	}
	if token.Compare(part.meta.Token) < 0 {
		return part.meta, checkOwner(part.meta.Token, token)
	}
	part.meta.Token = token
	return part.meta, nil
}

// Load implements Store.
func (m *Memory) Load(ctx context.Context, p Partition, keys []string) ([]Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("load partition %q: %w", p, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	part := m.partitions[p]
	snaps := make([]Snapshot, len(keys))
	for i, key := range keys {
		snaps[i] = Snapshot{Key: key, Offset: NoOffset}
		if part == nil {
			continue
		}
		if s, ok := part.snaps[key]; ok {
			s.State = slices.Clone(s.State)
			snaps[i] = s
		}
	}
	return snaps, nil
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
func (m *Memory) Advance(ctx context.Context, p Partition, token Token, cursor int64, fingerprint uint64) error {
	err := m.asOwner(ctx, p, token, func(part *memoryPartition) {
		if cursor > part.meta.Cursor {
			part.meta.Cursor, part.meta.Fingerprint = cursor, fingerprint
		}
	})
	if err != nil {
		return fmt.Errorf("advance partition %q: %w", p, err)
	}
	return nil
}

// asOwner runs write on partition p if token owns it.
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
	write(part)
	return nil
}

// Close implements Store: there is nothing to release.
func (m *Memory) Close() error { return nil }
