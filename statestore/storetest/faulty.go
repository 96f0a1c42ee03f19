package storetest

import (
	"context"
	"sync"

	"github.com/weirstream/weir/statestore"
)

// An Op names a method of a store.
type Op string

// The ops that a Fault can meet.
const (
	Claim   Op = "Claim"
	Load    Op = "Load"
	Save    Op = "Save"
	Advance Op = "Advance"
)

// A Fault is what happens to one call.
type Fault struct {
	Op Op
	// Call counts the calls of Op from 1. 0 means every call.
	Call int
	// After lets the call take effect first: with Err its reply is lost.
	After bool
	// Err is returned in place of the call's own result. Where it is nil the call
	// succeeds or fails by itself, once Hold allows.
	Err error
	// Hold, where not nil, stops the call until Hold is closed or the context ends.
	Hold <-chan struct{}
}

// Faulty is a store whose calls fail or stop as its faults say. Where several faults
// meet one call, each does, in the order they were given.
type Faulty struct {
	inner statestore.Store

	mu     sync.Mutex
	faults []Fault
	calls  map[Op]int
}

var _ statestore.Store = (*Faulty)(nil)

// NewFaulty wraps inner, which the Faulty's Close closes.
func NewFaulty(inner statestore.Store, faults ...Fault) *Faulty {
	return &Faulty{inner: inner, faults: faults, calls: make(map[Op]int)}
}

// Inject adds a fault. Calls made before count.
func (f *Faulty) Inject(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, fault)
}

// Heal removes every fault.
func (f *Faulty) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
}

// Calls says how often op was called.
func (f *Faulty) Calls(op Op) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[op]
}

// call counts a call of op and runs it between its faults.
func (f *Faulty) call(ctx context.Context, op Op, run func() error) error {
	var before, after []Fault
	f.mu.Lock()
	f.calls[op]++
	for _, fault := range f.faults {
		switch {
		case fault.Op != op || fault.Call != 0 && fault.Call != f.calls[op]:
		case fault.After:
			after = append(after, fault)
		default:
			before = append(before, fault)
		}
	}
	f.mu.Unlock()
	if err := suffer(ctx, before); err != nil {
		return err
	}
	err := run()
	if lost := suffer(ctx, after); lost != nil {
		return lost
	}
	return err
}

// suffer waits and fails as faults say.
func suffer(ctx context.Context, faults []Fault) error {
	for _, fault := range faults {
		if fault.Hold != nil {
			select {
			case <-fault.Hold:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if fault.Err != nil {
			return fault.Err
		}
	}
	return nil
}

// Claim implements statestore.Store.
func (f *Faulty) Claim(ctx context.Context, p statestore.Partition, token statestore.Token) (statestore.Meta, error) {
	var meta statestore.Meta
	var own error
	err := f.call(ctx, Claim, func() error {
		meta, own = f.inner.Claim(ctx, p, token)
		return nil
	})
	if err != nil {
		return statestore.Meta{}, err
	}
	return meta, own // beside ErrFenced the meta counts
}

// Load implements statestore.Store.
func (f *Faulty) Load(ctx context.Context, p statestore.Partition, keys []string) ([]statestore.Snapshot, error) {
	var snaps []statestore.Snapshot
	var own error
	err := f.call(ctx, Load, func() error {
		snaps, own = f.inner.Load(ctx, p, keys)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return snaps, own // beside a CorruptError the snapshots count
}

// Save implements statestore.Store.
func (f *Faulty) Save(ctx context.Context, p statestore.Partition, token statestore.Token, snaps []statestore.Snapshot) error {
	return f.call(ctx, Save, func() error { return f.inner.Save(ctx, p, token, snaps) })
}

// Advance implements statestore.Store.
func (f *Faulty) Advance(ctx context.Context, p statestore.Partition, token statestore.Token, to statestore.Position) error {
	return f.call(ctx, Advance, func() error { return f.inner.Advance(ctx, p, token, to) })
}

// Close implements statestore.Store.
func (f *Faulty) Close() error { return f.inner.Close() }
