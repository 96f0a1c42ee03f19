package operator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/weirstream/weir/statestore"
)

// Resume prepares an operator whose last checkpoint succeeded for another Claim, by the
// owner of a later generation: what it has in memory may still be what is stored.
func (o *Operator) Resume(token statestore.Token, cfg Config) { o.token, o.cfg = token, cfg }

// Claim makes this operator the partition's owner and returns what the store knows of it:
// above all the cursor to go on from, statestore.NoOffset for a partition never seen.
// Where the store has a newer owner, alive decides (nil meaning that there is no one to
// ask): while the group still counts this process as the owner, it is the group's
// generations that began anew, and the partition is claimed as a new incarnation.
//
// What is in memory from an earlier claim stays, if nobody has owned the partition in
// between and the store has lost nothing since.
func (o *Operator) Claim(ctx context.Context, alive func(context.Context) error) (statestore.Meta, error) {
	meta, err := o.claim(ctx, alive)
	if err != nil {
		return meta, err
	}
	if meta.Previous != o.held || meta.Regressed || meta.Cursor != o.cursor || len(o.dirty) > 0 {
		o.Forget()
	}
	o.held, o.cursor, o.claimed = o.token, meta.Cursor, meta.Cursor
	return meta, nil
}

func (o *Operator) claim(ctx context.Context, alive func(context.Context) error) (statestore.Meta, error) {
	meta, err := o.store.Claim(ctx, o.partition, o.token)
	if errors.Is(err, statestore.ErrFenced) && alive != nil && alive(ctx) == nil {
		o.token.Incarnation = meta.Token.Incarnation + 1
		meta, err = o.store.Claim(ctx, o.partition, o.token)
	}
	if err != nil {
		return meta, fmt.Errorf("claim partition %s-%d for group %q: %w",
			o.partition.Topic, o.partition.Number, o.partition.Group, err)
	}
	o.gapAt = max(o.gapAt, meta.Gap)
	return meta, nil
}

// Reclaim claims the partition again after statestore.ErrRegressed, and says whether all
// that the store lost is in memory: the next Checkpoint then writes it again. If not, the
// operator has to Forget, and to go on from the store's cursor.
//
// What the store lost are streams with events at or after the cursor that it still has. This
// owner has processed all of those if its own claim found a cursor no later than that, and
// has them in memory if none has left it since. Who the store says was the owner before says
// nothing: where the answer to a claim was lost, it is this claim itself.
func (o *Operator) Reclaim(ctx context.Context, alive func(context.Context) error) (meta statestore.Meta, whole bool, err error) {
	if meta, err = o.claim(ctx, alive); err != nil {
		return meta, false, err
	}
	if whole = meta.Cursor >= o.claimed && (meta.Cursor > o.evicted || o.evicted == statestore.NoOffset); !whole {
		return meta, false, nil
	}
	for _, s := range o.cache.live {
		if !s.dirty && s.lsn >= meta.Cursor && s.lsn != statestore.NoOffset {
			s.dirty = true
			o.dirty = append(o.dirty, s)
		}
	}
	slices.SortFunc(o.dirty, func(a, b *stream) int { return cmp.Compare(a.lsn, b.lsn) })
	return meta, true, nil
}
