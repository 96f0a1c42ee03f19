package encoding

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// A wire walks over the fields of one protobuf message without decoding the messages in
// it. As in all protobuf, fields come in any order, unknown ones are skipped, and so is a
// field whose wire type is not the one expected.
type wire struct {
	rest []byte
	// tag is the field's number and wire type as in the encoding: number<<3 | type.
	tag uint64
	// scalar is the value of a varint, fixed32 or fixed64 field.
	scalar uint64
	// bytes is the value of a string, bytes, message or packed field.
	bytes []byte
	bad   bool
}

// Wire types, the low bits of a tag.
const (
	varint  = uint64(protowire.VarintType)
	fixed64 = uint64(protowire.Fixed64Type)
	block   = uint64(protowire.BytesType)
)

// next goes to the next field. It returns false behind the last one and where the bytes
// are no message, which sets bad.
func (w *wire) next() bool {
	if len(w.rest) == 0 {
		return false
	}
	num, typ, n := protowire.ConsumeTag(w.rest)
	if n < 0 {
		w.bad = true
		return false
	}
	w.rest = w.rest[n:]
	w.tag = uint64(num)<<3 | uint64(typ)
	switch typ {
	case protowire.VarintType:
		w.scalar, n = protowire.ConsumeVarint(w.rest)
	case protowire.Fixed64Type:
		w.scalar, n = protowire.ConsumeFixed64(w.rest)
	case protowire.BytesType:
		w.bytes, n = protowire.ConsumeBytes(w.rest)
	default:
		n = protowire.ConsumeFieldValue(num, typ, w.rest)
	}
	if n < 0 {
		w.bad = true
		return false
	}
	w.rest = w.rest[n:]
	return true
}

// float is the scalar of a double field.
func (w *wire) float() float64 { return math.Float64frombits(w.scalar) }

// appendFixed appends the numbers of a packed field of fixed64; ok is false where they
// are cut off.
func appendFixed(dst []uint64, packed []byte) (all []uint64, ok bool) {
	for len(packed) > 0 {
		v, n := protowire.ConsumeFixed64(packed)
		if n < 0 {
			return dst, false
		}
		dst, packed = append(dst, v), packed[n:]
	}
	return dst, true
}

// appendVarints appends the numbers of a packed field of varints.
func appendVarints(dst []uint64, packed []byte) (all []uint64, ok bool) {
	for len(packed) > 0 {
		v, n := protowire.ConsumeVarint(packed)
		if n < 0 {
			return dst, false
		}
		dst, packed = append(dst, v), packed[n:]
	}
	return dst, true
}
