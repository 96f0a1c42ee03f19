package encoding

import (
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Tags of attributes, from opentelemetry/proto/common/v1.
const (
	tagKey   = 1<<3 | block // of KeyValue
	tagValue = 2<<3 | block

	tagString = 1<<3 | block // of AnyValue
	tagBool   = 2<<3 | varint
	tagInt    = 3<<3 | varint
	tagDouble = 4<<3 | fixed64
	tagArray  = 5<<3 | block
	tagMap    = 6<<3 | block
	tagBytes  = 7<<3 | block

	tagElements = 1<<3 | block // of ArrayValue and KeyValueList
)

// maxAttributeDepth is how deep an attribute's lists and maps may be nested.
const maxAttributeDepth = 8

// attribute adds a KeyValue to the labels, if names has it. It returns false after a fault.
func (d *OTLP) attribute(pair []byte, names []string) bool {
	key, value, ok := keyValue(pair)
	if !ok {
		return d.fault(ReasonMalformed, "an attribute is no protobuf")
	}
	if !named(key, names) {
		return true
	}
	// What the value is made of is part of the record where it is a string, and else
	// written to values, whose earlier parts stay where they are when it grows.
	tag, w := anyValue(value)
	if w.bad {
		return d.fault(ReasonMalformed, "the value of attribute %v is no protobuf", quoted(key))
	}
	if tag == tagString {
		d.labels = append(d.labels, label{key, w.bytes})
		return true
	}
	start := len(d.values)
	d.values, ok = appendAny(d.values, tag, &w, 1)
	if !ok {
		return d.fault(ReasonBadStream, "the value of attribute %v is no protobuf, or nested deeper than %d levels", quoted(key), maxAttributeDepth)
	}
	d.labels = append(d.labels, label{key, d.values[start:len(d.values):len(d.values)]})
	return true
}

// keyValue returns the key and the AnyValue of a KeyValue.
func keyValue(pair []byte) (key, value []byte, ok bool) {
	w := wire{rest: pair}
	for w.next() {
		switch w.tag {
		case tagKey:
			key = w.bytes
		case tagValue:
			value = w.bytes
		}
	}
	return key, value, !w.bad
}

// anyValue returns the field of an AnyValue that is set, with tag 0 where none is: the
// last one, as they are a oneof.
func anyValue(value []byte) (tag uint64, set wire) {
	w := wire{rest: value}
	for w.next() {
		switch w.tag {
		case tagString, tagBool, tagInt, tagDouble, tagArray, tagMap, tagBytes:
			tag, set = w.tag, w
		}
	}
	set.bad = w.bad
	return tag, set
}

// appendAny appends an AnyValue as text. An empty one is an empty text.
func appendAny(dst []byte, tag uint64, w *wire, depth int) (all []byte, ok bool) {
	switch tag {
	case tagString:
		return append(dst, w.bytes...), true
	case tagBool:
		return strconv.AppendBool(dst, w.scalar != 0), true
	case tagInt:
		return strconv.AppendInt(dst, int64(w.scalar), 10), true
	case tagDouble:
		return strconv.AppendFloat(dst, math.Float64frombits(w.scalar), 'g', -1, 64), true
	case tagBytes:
		return hex.AppendEncode(dst, w.bytes), true
	case tagArray:
		return appendArray(dst, w.bytes, depth)
	case tagMap:
		return appendMap(dst, w.bytes, depth)
	}
	return dst, true
}

func appendArray(dst, array []byte, depth int) (all []byte, ok bool) {
	if depth > maxAttributeDepth {
		return dst, false
	}
	dst = append(dst, '[')
	w := wire{rest: array}
	for n := 0; w.next(); {
		if w.tag != tagElements {
			continue
		}
		if n++; n > 1 {
			dst = append(dst, ',')
		}
		tag, element := anyValue(w.bytes)
		if dst, ok = appendAny(dst, tag, &element, depth+1); !ok || element.bad {
			return dst, false
		}
	}
	return append(dst, ']'), !w.bad
}

func appendMap(dst, list []byte, depth int) (all []byte, ok bool) {
	if depth > maxAttributeDepth {
		return dst, false
	}
	var pairs []string
	w := wire{rest: list}
	for w.next() {
		if w.tag != tagElements {
			continue
		}
		key, value, ok := keyValue(w.bytes)
		if !ok {
			return dst, false
		}
		tag, element := anyValue(value)
		pair, ok := appendAny(append(slices.Clone(key), '='), tag, &element, depth+1)
		if !ok || element.bad {
			return dst, false
		}
		pairs = append(pairs, string(pair))
	}
	slices.Sort(pairs)
	dst = append(dst, '{')
	dst = append(dst, strings.Join(pairs, ",")...)
	return append(dst, '}'), !w.bad
}
