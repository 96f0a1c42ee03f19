package statestore_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirstream/weir/statestore"
)

// flip changes one bit of a stored record.
func flip(record string, at int) string {
	b := []byte(record)
	b[at] ^= 0x40
	return string(b)
}

func TestRedisCorruptRecordsHideNoOthers(t *testing.T) {
	store, server := owned(t, 0)
	damage := map[string]func(string) string{
		"magic":   func(r string) string { return flip(r, 0) },
		"version": func(r string) string { return flip(r, 7) },
		"offset":  func(r string) string { return flip(r, 8) },
		"again":   func(r string) string { return flip(r, 16) },
		"crc":     func(r string) string { return flip(r, 24) },
		"state":   func(r string) string { return flip(r, len(r)-1) },
		"cut":     func(r string) string { return r[:len(r)-1] },
		"header":  func(r string) string { return r[:20] },
		"empty":   func(string) string { return "" },
		"foreign": func(string) string { return "hello" },
		"longer":  func(r string) string { return r + "\x00" },
	}
	keys := []string{"first"}
	saveAs(t, store, "first", 5)
	var want []string
	for key, change := range damage {
		saveAs(t, store, key, 5)
		name := "weir:{weir/events/3}:s:" + key
		record, err := server.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := server.Set(name, change(record)); err != nil {
			t.Fatal(err)
		}
		keys, want = append(keys, key), append(want, key)
	}
	saveAs(t, store, "last", 5)
	keys = append(keys, "last", "unknown")

	snaps, err := store.Load(t.Context(), part, keys)
	var bad *statestore.CorruptError
	if !errors.As(err, &bad) || !errors.Is(err, statestore.ErrCorrupt) {
		t.Fatalf("Load: %v", err)
	}
	if diff := cmp.Diff(want, bad.Keys); diff != "" || len(bad.Causes) != len(want) {
		t.Fatalf("%d causes, keys (-want +got):\n%s", len(bad.Causes), diff)
	}
	for i, s := range snaps {
		whole := s.Key == "first" || s.Key == "last"
		if s.Key != keys[i] || whole != (s.Offset == 5) || whole != (string(s.State) == "state of "+s.Key) {
			t.Errorf("%q came back as %+v", keys[i], s)
		}
	}
	// The state is rebuilt from an earlier event, or from none: a Save must get in again.
	for _, key := range want {
		if key == "crc" || key == "state" || key == "cut" || key == "longer" {
			continue // their offset is readable, and still stands
		}
		saveAs(t, store, key, 0)
		if snaps, err := store.Load(t.Context(), part, []string{key}); err != nil || snaps[0].Offset != 0 {
			t.Errorf("%s saved again: %v, %v", key, snaps, err)
		}
	}
}

func TestRedisCorruptMetaIsNoOwner(t *testing.T) {
	const key = "weir:{weir/events/3}:m"
	for _, field := range []string{"token", "cursor", "store"} {
		for name, damage := range map[string]func(string) string{
			"FlippedBit": func(v string) string { return flip(v, 3) },
			"Checksum":   func(v string) string { return v[:len(v)-1] + "g" },
			"Cut":        func(v string) string { return v[:5] },
			"Empty":      func(string) string { return "" },
		} {
			t.Run(field+name, func(t *testing.T) {
				store, server := owned(t, 0)
				server.HSet(key, field, damage(server.HGet(key, field)))
				_, err := store.Claim(t.Context(), part, token)
				if !errors.Is(err, statestore.ErrCorrupt) || !strings.Contains(err.Error(), key) {
					t.Fatalf("Claim: %v", err)
				}
			})
		}
	}
}
