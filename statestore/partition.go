package statestore

import (
	"strconv"
	"strings"
)

// path is the partition as part of a key, where no group or topic can pass for another
// or end the braces around it.
func (p Partition) path() string {
	return escape(p.Group) + "/" + escape(p.Topic) + "/" + strconv.Itoa(p.Number)
}

var escaper = strings.NewReplacer("%", "%25", "/", "%2F", "{", "%7B", "}", "%7D")

// escape percent-encodes the bytes that mean something in a key, and itself.
func escape(s string) string { return escaper.Replace(s) }
