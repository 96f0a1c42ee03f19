package ssm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

var (
	// ErrCorrupt is wrapped by every error that says that bytes are no saved State.
	ErrCorrupt = errors.New("corrupt state")
	// ErrModelMismatch is wrapped by an error that says that a saved State belongs
	// to a model with other dimensions or parameters.
	ErrModelMismatch = errors.New("state of another model")
)

const (
	stateMagic   = "WSSM"
	stateVersion = 1
	stateHeader  = 28 // bytes
	stateTrailer = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// StateSize returns the bytes that AppendState appends.
func (m *Model) StateSize() int { return stateHeader + 4*m.StateLen() + stateTrailer }

// AppendState appends a saved form of s to b. All numbers are little-endian:
//
//	0        4           8           12              28              28+4n    32+4n
//	┌────────┬───────────┬───────────┬───────────────┬───────────────┬────────┐
//	│ "WSSM" │ version 1 │ n, u32:   │ fingerprint   │ n float32,    │ CRC-32C│
//	│        │ u32       │ StateLen  │ of the model  │ as in State   │ of 0…  │
//	└────────┴───────────┴───────────┴───────────────┴───────────────┴────────┘
//
// It panics if s has not the model's StateLen.
func (m *Model) AppendState(b []byte, s State) []byte {
	if len(s) != m.StateLen() {
		panic(fmt.Sprintf("ssm: AppendState: a State has length %d, want %d", len(s), m.StateLen()))
	}
	from := len(b)
	b = append(b, stateMagic...)
	b = binary.LittleEndian.AppendUint32(b, stateVersion)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(s)))
	b = append(b, m.fingerprint[:]...)
	b = appendFloats(b, s)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[from:], castagnoli))
}

// UnmarshalState reads what AppendState wrote into s, which must have the
// model's StateLen. Truncated, damaged or non-finite bytes give an error that
// wraps ErrCorrupt, those of another model one that wraps ErrModelMismatch; s is
// then unchanged. It panics if s has not the model's StateLen.
func (m *Model) UnmarshalState(s State, data []byte) error {
	if len(s) != m.StateLen() {
		panic(fmt.Sprintf("ssm: UnmarshalState: a State has length %d, want %d", len(s), m.StateLen()))
	}
	if len(data) < stateHeader+stateTrailer || string(data[:4]) != stateMagic {
		return fmt.Errorf("%w: %d bytes without the header of a state", ErrCorrupt, len(data))
	}
	if v := binary.LittleEndian.Uint32(data[4:]); v != stateVersion {
		return fmt.Errorf("%w: format version %d, want %d", ErrCorrupt, v, stateVersion)
	}
	n := binary.LittleEndian.Uint32(data[8:])
	if uint64(len(data)) != stateHeader+4*uint64(n)+stateTrailer {
		return fmt.Errorf("%w: %d bytes for a state of length %d", ErrCorrupt, len(data), n)
	}
	body, trailer := data[:len(data)-stateTrailer], data[len(data)-stateTrailer:]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(trailer) {
		return fmt.Errorf("%w: checksum does not match", ErrCorrupt)
	}
	if [16]byte(data[12:28]) != m.fingerprint || int(n) != len(s) {
		return fmt.Errorf("%w: fingerprint %x, want %x", ErrModelMismatch, data[12:28], m.fingerprint)
	}
	numbers := body[stateHeader:]
	for i := range s {
		if v := math.Float32frombits(binary.LittleEndian.Uint32(numbers[4*i:])); isNonFinite(v) {
			return fmt.Errorf("%w: it holds %v at index %d", ErrCorrupt, v, i)
		}
	}
	for i := range s {
		s[i] = math.Float32frombits(binary.LittleEndian.Uint32(numbers[4*i:]))
	}
	return nil
}
