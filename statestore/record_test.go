package statestore

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"testing"
)

// goldenRecord was laid out by hand; its checksum is from a bitwise CRC-32C in Python
// (reflected polynomial 0x82f63b78), which gives the published e3069283 for "123456789".
const goldenRecord = "77656972" + "00000001" + "0123456789abcdef" + "0123456789abcdef" + "a0b3fb0b" + "7374617465"

func TestRecordLayout(t *testing.T) {
	got := appendRecord([]byte("before"), 0x0123_4567_89ab_cdef, []byte("state"))
	if want := "before"; string(got[:len(want)]) != want {
		t.Fatalf("what was in the buffer became %q", got[:len(want)])
	}
	if h := hex.EncodeToString(got[len("before"):]); h != goldenRecord {
		t.Fatalf("record %s\nwant   %s", h, goldenRecord)
	}
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("weir"))
	f.Add(appendRecord(nil, 0, nil))
	f.Add(appendRecord(nil, math.MaxInt64, []byte("state")))
	f.Add(appendRecord(nil, 7, []byte("state"))[:recordHeader+2])
	f.Add(appendRecord(nil, NoOffset, nil))
	f.Fuzz(func(t *testing.T, record []byte) {
		offset, state, err := decodeRecord(record)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) || offset != NoOffset || state != nil {
				t.Fatalf("offset %d, state %q beside error %v", offset, state, err)
			}
			return
		}
		if offset < 0 || !bytes.Equal(appendRecord(nil, offset, state), record) {
			t.Fatalf("%x decoded to offset %d, state %x, which encodes otherwise", record, offset, state)
		}
	})
}

func FuzzDecodeMeta(f *testing.F) {
	fresh := newMetaFields(Token{Generation: 17})
	f.Add(fresh.token, fresh.cursor, fresh.store)
	f.Add(encodeToken(Token{math.MaxInt64, math.MaxInt64}), encodeCursor(Position{math.MaxInt64, math.MaxUint64, math.MaxInt64, 0}), seal("id"))
	f.Add("", seal(""), "x")
	f.Add(seal("1.2"), fresh.cursor, fresh.store)
	f.Add(fresh.token, seal("-2 0"), seal(" "))
	f.Fuzz(func(t *testing.T, token, cursor, store string) {
		meta, err := metaFields{token: token, cursor: cursor, store: store}.decode()
		if err != nil {
			if !errors.Is(err, ErrCorrupt) || meta != (Meta{}) {
				t.Fatalf("%+v beside error %v", meta, err)
			}
			return
		}
		if encodeToken(meta.Token) != token || encodeCursor(meta.Position) != cursor {
			t.Fatalf("%q and %q decoded to %+v, which encodes otherwise", token, cursor, meta)
		}
	})
}

func FuzzDecodeEntry(f *testing.F) {
	f.Add(appendEntry(nil, &Snapshot{Offset: 7, Time: 1_795_429_680_000}))
	f.Add(appendEntry(nil, &Snapshot{Offset: math.MaxInt64, Time: math.MinInt64}))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, ok := decodeEntry(b)
		if ok && !bytes.Equal(appendEntry(nil, &Snapshot{Offset: e.offset, Time: e.time}), b) {
			t.Fatalf("%x decoded to %+v, which encodes otherwise", b, e)
		}
	})
}
