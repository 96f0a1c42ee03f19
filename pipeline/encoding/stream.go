package encoding

import (
	"bytes"
	"slices"
)

// A label is one part of a stream's name: a tag, an attribute or a label.
type label struct {
	key, value []byte
}

// sortLabels sorts by key, and returns a key that is there twice, or nil.
func sortLabels(labels []label) (twice []byte) {
	slices.SortFunc(labels, func(a, b label) int { return bytes.Compare(a.key, b.key) })
	for i := 1; i < len(labels); i++ {
		if bytes.Equal(labels[i-1].key, labels[i].key) {
			return labels[i].key
		}
	}
	return nil
}

// appendLabels appends sorted labels as key=value, each behind a comma.
func appendLabels(dst []byte, labels []label) []byte {
	for i := range labels {
		dst = append(dst, ',')
		dst = appendEscaped(dst, labels[i].key)
		dst = append(dst, '=')
		dst = appendEscaped(dst, labels[i].value)
	}
	return dst
}

// appendEscaped appends s so that no two lists of labels make the same name.
func appendEscaped(dst, s []byte) []byte {
	for _, c := range s {
		if c == '\\' || c == ',' || c == '=' || c == ';' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return dst
}
