package operator

import (
	"context"
	"errors"
)

// ErrNotYet is of a change to a stream that cannot be made to last before the partition's
// position has moved on: the store keeps, of two states at one offset, the first.
var ErrNotYet = errors.New("the partition has not moved since the stream's last checkpoint")

// Reset lets a known stream begin anew, as one never seen. The events before position
// must have been applied and their outputs acknowledged; the stream's own among them are
// not learnt again, whatever is replayed. The caller makes it last with Checkpoint, and
// applies nothing in between. Errors match ErrUnknownStream, or ErrNotYet where nothing
// was changed and the same call succeeds once position is greater.
func (o *Operator) Reset(ctx context.Context, name string, position int64) error {
	s, err := o.recall(ctx, name)
	if err != nil {
		return err
	}
	if !s.dirty && s.lsn >= position-1 {
		return ErrNotYet
	}
	before := s.size()
	s.lsn = position - 1
	s.forget()
	o.cache.further += s.size() - before
	if !s.dirty {
		s.dirty = true
		o.dirty = append(o.dirty, s)
	}
	return nil
}
