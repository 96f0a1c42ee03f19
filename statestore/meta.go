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
//	cursor   ooooooooooooooooooo ffffffffffffffff cccccccc
//	store    <store id> cccccccc
//
// i, g and o are the decimal incarnation, generation and cursor in 19 places, f the
// hexadecimal fingerprint, c the checksum. Three fields, because a claim changes only
// the first, an advance only the second, and the third stays. Fixed places, because the
// scripts compare them digit by digit: a Lua number is a double and ends at 2^53. The
// cursor NoOffset is "-000000000000000001", which sorts below every digit.
type metaFields struct {
	token, cursor, store string
}

// newMetaFields is the meta of a partition claimed for the first time.
func newMetaFields(token Token) metaFields {
	return metaFields{token: encodeToken(token), cursor: encodeCursor(NoOffset, 0), store: seal(newStoreID())}
}

func encodeToken(t Token) string {
	return seal(fmt.Sprintf("%019d.%019d", t.Incarnation, t.Generation))
}

func encodeCursor(cursor int64, fingerprint uint64) string {
	return seal(fmt.Sprintf("%019d %016x", max(cursor, NoOffset), fingerprint))
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
func decodeCursor(field string) (cursor int64, fingerprint uint64, err error) {
	text, _ := unseal(field)
	position, print, _ := strings.Cut(text, " ")
	cursor, errC := strconv.ParseInt(position, 10, 64)
	fingerprint, errF := strconv.ParseUint(print, 16, 64)
	if errC != nil || errF != nil || encodeCursor(cursor, fingerprint) != field {
		return NoOffset, 0, corrupt("cursor %q", field)
	}
	return cursor, fingerprint, nil
}

// decode reads all three fields. Errors match ErrCorrupt.
func (f metaFields) decode() (Meta, error) {
	token, err := decodeToken(f.token)
	if err != nil {
		return Meta{}, err
	}
	cursor, fingerprint, err := decodeCursor(f.cursor)
	if err != nil {
		return Meta{}, err
	}
	id, ok := unseal(f.store)
	if !ok || id == "" {
		return Meta{}, corrupt("store id %q", f.store)
	}
	return Meta{Token: token, Cursor: cursor, Fingerprint: fingerprint, StoreID: id}, nil
}
