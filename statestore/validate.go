package statestore

import (
	"crypto/rand"
	"fmt"
)

// newStoreID draws the id of a partition that is claimed for the first time.
func newStoreID() string { return rand.Text() }

// checkToken refuses what no owner can hold.
func checkToken(t Token) error {
	if t.Incarnation < 0 || t.Generation < 0 {
		return fmt.Errorf("token %s: both numbers must be 0 or more", t)
	}
	return nil
}

// checkSnapshots refuses a Save that could not be kept or found again.
func checkSnapshots(snaps []Snapshot) error {
	for _, s := range snaps {
		if s.Offset < 0 {
			return fmt.Errorf("stream %q: offset %d: must be 0 or more", s.Key, s.Offset)
		}
		if len(s.Key) > MaxKey {
			return fmt.Errorf("stream %.40q…: key of %d bytes: at most %d", s.Key, len(s.Key), MaxKey)
		}
	}
	return nil
}

// checkOwner says whether the holder of mine may write where stored is the owner.
func checkOwner(stored, mine Token) error {
	switch mine.Compare(stored) {
	case 0:
		return nil
	case -1:
		return fmt.Errorf("%w: owner %s, this process %s", ErrFenced, stored, mine)
	default:
		return fmt.Errorf("%w: owner %s, this process had claimed as %s", ErrRegressed, stored, mine)
	}
}

// errNoOwner is what a write meets where nobody ever claimed, or the claim was lost.
var errNoOwner = fmt.Errorf("%w: the partition has no owner", ErrRegressed)
