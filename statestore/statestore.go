// Package statestore keeps what a partition must not lose: one snapshot a stream,
// and one meta record a partition.
//
// A [Snapshot] holds the bytes of a stream's state together with the offset of the
// last event folded into them. Both are one value, written in one command, so no
// crash can separate them. The package does not know what the bytes mean.
//
// # Contract
//
// Every implementation passes the suite in package storetest. Its rules:
//
//   - Save keeps, per key and atomically, the snapshot with the greater offset. A
//     repeated or late Save is harmless: the clients of some stores retry by themselves.
//   - Save is not atomic over keys. Nobody needs it to be: each snapshot carries its own
//     offset, and replay from the partition's cursor skips what a snapshot already holds.
//   - Claim makes a partition's token the owner. A lower token is refused with
//     [ErrFenced], by Claim and by every later write: a process that lost its partition
//     without knowing can neither write nor take it back.
//   - Advance moves the cursor, and only after the snapshots below it are saved. The
//     cursor never moves back.
//   - A write whose token is not the owner writes nothing: [ErrFenced] where the owner is
//     greater, [ErrRegressed] where it is lower or missing.
//   - What was saved and is there no more is not taken for new. Beside the snapshots a
//     store keeps a directory: each stream's last saved offset, written in the same
//     command. Load names a stream whose record is missing or older than that.
//   - A record that cannot be used hides no other: Load then returns every snapshot,
//     the corrupt and missing ones as if unknown, and a [*CorruptError] that names them.
//     Such a record also stands in nobody's way: the next Save of its key replaces it.
//   - A store that lost writes which it had acknowledged to this process says so at the
//     next call: [ErrRegressed]. Every write is numbered, and the partition's meta keeps
//     the last number.
//   - Any bytes are a key, up to [MaxKey] of them, the empty key included; tokens and
//     snapshot offsets reach from 0 to 2^63-1. What is outside is refused as a whole,
//     before anything is written.
//   - After every other error the call may be made again with the same arguments,
//     whether or not its first attempt took effect.
//
// # Which store
//
// [Redis] is for production: it outlives the machine and several processes share it.
// [File] keeps one process's partitions in one file. [Memory] forgets.
package statestore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
)

// NoOffset is the offset of a stream that has no snapshot and the cursor of a
// partition that was never advanced.
const NoOffset int64 = -1

// MaxKey is the length in bytes of the longest stream key that every store takes.
const MaxKey = 16 << 10

// Errors that callers tell apart with errors.Is. Anything else is a store that is
// unreachable or refuses to work: the same call may be made again.
var (
	// ErrFenced: a greater token owns the partition; this process must give it up.
	ErrFenced = errors.New("statestore: partition is owned by a newer token")
	// ErrRegressed: the store lost writes that it had acknowledged: the claim, or later
	// ones. The partition must be claimed again.
	ErrRegressed = errors.New("statestore: store lost acknowledged writes")
	// ErrCorrupt: a record's bytes are not what was written.
	ErrCorrupt = errors.New("statestore: corrupt record")
	// ErrLost: a record was saved, and is gone or older than what was saved.
	ErrLost = errors.New("statestore: lost record")
)

// A Partition names the unit of ownership: one partition of one input topic, as
// consumed by one group.
type Partition struct {
	Group  string
	Topic  string
	Number int
}

// String names the partition in messages: group/topic/number.
func (p Partition) String() string {
	return fmt.Sprintf("%s/%s/%d", p.Group, p.Topic, p.Number)
}

// A Token orders the owners of a partition. Compare by Incarnation, then Generation.
type Token struct {
	// Incarnation counts the times the consumer group's generations started again.
	Incarnation int64
	// Generation is the consumer group's generation.
	Generation int64
}

// Compare returns -1 where t is lower than u, 0 where they are equal, 1 where t is greater.
func (t Token) Compare(u Token) int {
	return cmp.Or(cmp.Compare(t.Incarnation, u.Incarnation), cmp.Compare(t.Generation, u.Generation))
}

// String is the token in messages: incarnation.generation.
func (t Token) String() string {
	return fmt.Sprintf("%d.%d", t.Incarnation, t.Generation)
}

// NoToken is the previous owner of a partition that nobody had claimed.
var NoToken = Token{Incarnation: -1, Generation: -1}

// A Position is how far a partition was processed.
type Position struct {
	// Cursor is the next offset to read: every event below it is in the snapshots.
	Cursor int64
	// Fingerprint identifies the record before the cursor, so that a log that was cut
	// or replaced is recognised. Zero where unknown.
	Fingerprint uint64
	// Gap is an offset before which events are missing from the snapshots, because the
	// log lost them before they were read. NoOffset where none are.
	Gap int64
	// Time is the log's clock at the cursor in Unix milliseconds, by which a store
	// forgets idle streams. Zero where unknown; not part of a Meta.
	Time int64
}

// Meta is what the store knows of a partition as a whole.
type Meta struct {
	Token Token
	Position
	// StoreID is drawn at random at the partition's first claim: another value later
	// means another store, or one that was emptied.
	StoreID string
	// Previous is the owner that the claim found, NoToken where there was none.
	Previous Token
	// Regressed says that the store lost writes that it had acknowledged to this process
	// since its last claim of the partition.
	Regressed bool
}

// A Snapshot is one stream's state as of one offset.
type Snapshot struct {
	Key    string
	Offset int64
	// Time is the log's clock at the stream's last event, in Unix milliseconds.
	Time  int64
	State []byte
}

// A Store keeps snapshots and metas. Its methods are safe for concurrent use.
type Store interface {
	// Claim makes token the owner of partition p and returns p's meta as it then is.
	// A partition that the store does not know gets Cursor NoOffset and a new StoreID.
	// Beside ErrFenced the meta is there as well, with the owner's token.
	Claim(ctx context.Context, p Partition, token Token) (Meta, error)
	// Load returns one snapshot for each key, in the keys' order. An unknown key has
	// offset NoOffset, no Time and a nil State. States are the caller's to keep. Beside a
	// *CorruptError, and no other error, the snapshots are there as well.
	Load(ctx context.Context, p Partition, keys []string) ([]Snapshot, error)
	// Save writes snapshots as the owner. It does not keep the States. Without
	// snapshots it does nothing and asks nobody.
	Save(ctx context.Context, p Partition, token Token, snaps []Snapshot) error
	// Advance moves p's cursor to to.Cursor, with what else there is to know of that
	// position. A cursor at or below the stored one changes nothing.
	Advance(ctx context.Context, p Partition, token Token, to Position) error
	// Close releases what the store holds open.
	Close() error
}
