package storetest

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirstream/weir/statestore"
)

// A model is the contract in its plainest form, for one partition.
type model struct {
	claimed bool
	meta    statestore.Meta
	snaps   map[string]statestore.Snapshot
}

func (m *model) claim(token statestore.Token) error {
	if m.claimed && token.Compare(m.meta.Token) < 0 {
		return statestore.ErrFenced
	}
	if !m.claimed {
		m.claimed, m.meta.Position, m.meta.Token = true, position(statestore.NoOffset, 0), statestore.NoToken
	}
	m.meta.Token, m.meta.Previous = token, m.meta.Token
	return nil
}

func (m *model) refusal(token statestore.Token) error {
	switch {
	case !m.claimed || token.Compare(m.meta.Token) > 0:
		return statestore.ErrRegressed
	case token != m.meta.Token:
		return statestore.ErrFenced
	}
	return nil
}

func (m *model) save(token statestore.Token, snaps []statestore.Snapshot) error {
	if len(snaps) == 0 {
		return nil
	}
	if err := m.refusal(token); err != nil {
		return err
	}
	for _, s := range snaps {
		if old, ok := m.snaps[s.Key]; !ok || old.Offset < s.Offset {
			m.snaps[s.Key] = s
		}
	}
	return nil
}

func (m *model) advance(token statestore.Token, to statestore.Position) error {
	if err := m.refusal(token); err != nil {
		return err
	}
	if to.Cursor > m.meta.Cursor {
		m.meta.Position = to
	}
	return nil
}

// Small ranges, so that tokens, keys and offsets meet again.
var (
	drawToken = rapid.Custom(func(t *rapid.T) statestore.Token {
		return statestore.Token{Incarnation: rapid.Int64Range(0, 1).Draw(t, "incarnation"), Generation: rapid.Int64Range(0, 2).Draw(t, "generation")}
	})
	drawKey    = rapid.SampledFrom([]string{"", "a", "b", "}:m"})
	drawOffset = rapid.OneOf(rapid.Int64Range(0, 4), rapid.Int64Range(1<<53-1, 1<<53+2))
	drawSnap   = rapid.Custom(func(t *rapid.T) statestore.Snapshot {
		return statestore.Snapshot{
			Key: drawKey.Draw(t, "key"), Offset: drawOffset.Draw(t, "offset"), Time: drawOffset.Draw(t, "time"), State: rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "state"),
		}
	})
)

// testModel makes random calls to the store and to a model, each walk in its own partition.
func testModel(t *testing.T, s statestore.Store) {
	walks := 0
	rapid.Check(t, func(rt *rapid.T) {
		walks++
		p := statestore.Partition{Group: "model", Topic: "events", Number: walks}
		m := &model{snaps: make(map[string]statestore.Snapshot)}
		agree := func(what string, got, want error) {
			if fmt.Sprint(kind(got)) != fmt.Sprint(want) {
				rt.Fatalf("%s: error %v, the model says %v", what, got, want)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"claim": func(rt *rapid.T) {
				token := drawToken.Draw(rt, "token")
				got, err := s.Claim(t.Context(), p, token)
				agree("Claim", err, m.claim(token))
				if err != nil {
					return
				}
				if m.meta.StoreID == "" {
					m.meta.StoreID = got.StoreID
				}
				if got != m.meta {
					rt.Fatalf("Claim: %+v, the model says %+v", got, m.meta)
				}
			},
			"save": func(rt *rapid.T) {
				token, snaps := drawToken.Draw(rt, "token"), rapid.SliceOfN(drawSnap, 0, 4).Draw(rt, "snaps")
				agree("Save", s.Save(t.Context(), p, token, snaps), m.save(token, snaps))
			},
			"advance": func(rt *rapid.T) {
				token := drawToken.Draw(rt, "token")
				to := statestore.Position{
					Cursor: drawOffset.Draw(rt, "cursor"), Fingerprint: rapid.Uint64().Draw(rt, "fingerprint"), Gap: drawOffset.Draw(rt, "gap"),
				}
				agree("Advance", s.Advance(t.Context(), p, token, to), m.advance(token, to))
			},
			"": func(rt *rapid.T) { checkSnaps(t, rt, s, p, m) },
		})
	})
}

// checkSnaps compares every stream's snapshot with the model's.
func checkSnaps(t *testing.T, rt *rapid.T, s statestore.Store, p statestore.Partition, m *model) {
	keys := []string{"}:m", "b", "a", "", "never"}
	want := make([]statestore.Snapshot, len(keys))
	for i, key := range keys {
		want[i] = absent(key)
		if saved, ok := m.snaps[key]; ok {
			want[i] = saved
		}
	}
	got, err := s.Load(t.Context(), p, keys)
	if diff := diffSnaps(want, got); err != nil || diff != "" {
		rt.Fatalf("Load: %v, (-model +got):\n%s", err, diff)
	}
}
