package statestore

import (
	"fmt"
	"strings"
)

// A CorruptError names the streams whose records Load could not use: they are damaged, or
// gone though they were saved. The other streams' snapshots were returned beside it.
type CorruptError struct {
	Partition Partition
	// Keys are the streams, in the order in which Load was asked for them.
	Keys []string
	// Saved are the offsets that Keys were saved as of, NoOffset where that is lost too.
	Saved []int64
	// Causes say what is wrong with each of Keys. Each matches ErrCorrupt or ErrLost.
	Causes []error
}

// shownCauses bounds the message where a whole partition is damaged.
const shownCauses = 5

// Error lists the first few streams with what is wrong.
func (e *CorruptError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "load partition %q: %d of its records cannot be used", e.Partition, len(e.Keys))
	for i, key := range e.Keys {
		if i == shownCauses {
			fmt.Fprintf(&b, "; and %d more", len(e.Keys)-i)
			break
		}
		fmt.Fprintf(&b, "; stream %q: %v", key, e.Causes[i])
	}
	return b.String()
}

// Unwrap lets errors.Is find ErrCorrupt and ErrLost, and errors.As the causes.
func (e *CorruptError) Unwrap() []error { return e.Causes }

// snapshotOf turns what is stored into key's snapshot, which aliases it. A record that
// cannot be used is noted in e and gives the snapshot of an unknown stream.
func (e *CorruptError) snapshotOf(key string, there stored) Snapshot {
	snap, saved, err := there.snapshot(key)
	if err != nil {
		e.Keys = append(e.Keys, key)
		e.Saved = append(e.Saved, saved)
		e.Causes = append(e.Causes, err)
	}
	return snap
}

// errOrNil is e as Load returns it: nil where nothing was noted.
func (e *CorruptError) errOrNil() error {
	if len(e.Keys) == 0 {
		return nil
	}
	return e
}

// corrupt makes an error that matches ErrCorrupt.
func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}
