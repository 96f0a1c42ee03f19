package statestore

import (
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// metaFields is a partition's meta as stored: three short texts, each followed by the
// CRC-32C of what precedes it.
//
//	token    iiiiiiiiiiiiiiiiiii.ggggggggggggggggggg cccccccc
//	cursor   ooooooooooooooooooo ffffffffffffffff ppppppppppppppppppp cccccccc
//	store    <store id> cccccccc
//
// i, g, o and p are the decimal incarnation, generation, cursor and gap in 19 places, f
// the hexadecimal fingerprint, c the checksum. Three fields, because a claim changes only
// the first, an advance only the second, and the third stays. Fixed places, because the
// scripts compare them digit by digit: a Lua number is a double and ends at 2^53. The
// cursor NoOffset is "-000000000000000001", which sorts below every digit.
type metaFields struct {
	token, cursor, store string
}

// newMetaFields is the meta of a partition claimed for the first time.
func newMetaFields(token Token) metaFields {
	return metaFields{
		token: encodeToken(token), cursor: encodeCursor(Position{Cursor: NoOffset, Gap: NoOffset}), store: seal(newStoreID()),
	}
}

func encodeToken(t Token) string {
	return seal(fmt.Sprintf("%019d.%019d", t.Incarnation, t.Generation))
}

func encodeCursor(p Position) string {
	return seal(fmt.Sprintf("%019d %016x %019d", max(p.Cursor, NoOffset), p.Fingerprint, max(p.Gap, NoOffset)))
}

// seal appends text's checksum, unseal takes it off where it is right.
func seal(text string) string {
	return fmt.Sprintf("%s %08x", text, crc32.Checksum([]byte(text), castagnoli))
}

func unseal(sealed string) (text string, ok bool) {
	i := strings.LastIndexByte(sealed, ' ')
	if i < 0 || seal(sealed[:i]) != sealed {
		return "", false
	}
	return sealed[:i], true
}

// decodeToken is encodeToken's inverse. Errors match ErrCorrupt.
func decodeToken(field string) (Token, error) {
	text, _ := unseal(field)
	incarnation, generation, _ := strings.Cut(text, ".")
	i, errI := strconv.ParseInt(incarnation, 10, 64)
	g, errG := strconv.ParseInt(generation, 10, 64)
	t := Token{Incarnation: i, Generation: g}
	if errI != nil || errG != nil || checkToken(t) != nil || encodeToken(t) != field {
		return Token{}, corrupt("owner %q", field)
	}
	return t, nil
}

// decodeCursor is encodeCursor's inverse. Errors match ErrCorrupt.
func decodeCursor(field string) (Position, error) {
	text, _ := unseal(field)
	cursor, rest, _ := strings.Cut(text, " ")
	print, gap, _ := strings.Cut(rest, " ")
	var p Position
	var errC, errF, errG error
	p.Cursor, errC = strconv.ParseInt(cursor, 10, 64)
	p.Fingerprint, errF = strconv.ParseUint(print, 16, 64)
	p.Gap, errG = strconv.ParseInt(gap, 10, 64)
	if errC != nil || errF != nil || errG != nil || encodeCursor(p) != field {
		return Position{}, corrupt("cursor %q", field)
	}
	return p, nil
}

// decode reads all three fields. Errors match ErrCorrupt.
func (f metaFields) decode() (Meta, error) {
	token, err := decodeToken(f.token)
	if err != nil {
		return Meta{}, err
	}
	position, err := decodeCursor(f.cursor)
	if err != nil {
		return Meta{}, err
	}
	id, ok := unseal(f.store)
	if !ok || id == "" {
		return Meta{}, corrupt("store id %q", f.store)
	}
	return Meta{Token: token, Position: position, StoreID: id}, nil
}
