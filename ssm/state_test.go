package ssm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"os"
	"testing"
)

// steppedState returns a state after some events, and the model's walk.
func steppedState(t testing.TB, m *Model) State {
	t.Helper()
	w := walk{m, rand.New(rand.NewPCG(6, 6))}
	states := newStates(m, 1)
	for range 5 {
		x, gap, tokens := w.events(1)
		w.step(m.NewStepper(1), x, gap, tokens, states)
	}
	return states[0]
}

func TestASavedStateGoesOnWithTheSameBits(t *testing.T) {
	eachVariant(t, func(t *testing.T, m *Model) {
		s := steppedState(t, m)
		data := m.AppendState([]byte("before"), s)
		if len(data) != len("before")+m.StateSize() {
			t.Fatalf("%d bytes, StateSize says %d", len(data)-len("before"), m.StateSize())
		}
		back := m.NewState()
		if err := m.UnmarshalState(back, data[len("before"):]); err != nil {
			t.Fatal(err)
		}
		if !sameBits(s, back) {
			t.Fatal("the state came back with other bits")
		}
	})
}

func TestAnyDamageIsRefused(t *testing.T) {
	m := randomModel(t, Dims{DModel: 4, DInner: 8, DState: 2, DConv: 2, DTRank: 1, NLayer: 1, NInput: 1, NOutput: 1, NormEps: 1e-5}, 1)
	good := m.AppendState(nil, steppedState(t, m))
	s := m.NewState()
	s[0] = 7
	refused := func(what string, data []byte) {
		t.Helper()
		if err := m.UnmarshalState(s, data); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%s: error %v, want ErrCorrupt", what, err)
		}
		if s[0] != 7 || s[1] != 0 {
			t.Fatalf("%s: the state was changed", what)
		}
	}
	for n := range good {
		refused("truncated", good[:n])
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[n] ^= 1 << bit
			refused("one bit changed", bad)
		}
	}
	refused("longer", append(bytes.Clone(good), 0))

	nan := bytes.Clone(good)
	binary.LittleEndian.PutUint32(nan[stateHeader+4:], math.Float32bits(float32(math.NaN())))
	binary.LittleEndian.PutUint32(nan[len(nan)-4:], crc32.Checksum(nan[:len(nan)-4], castagnoli))
	refused("NaN with a good checksum", nan)
}

func TestTheStateOfAnotherModelIsRefused(t *testing.T) {
	d := eventDims(32, 2)
	a, b := randomModel(t, d, 1), randomModel(t, d, 2)
	d.NormEps = 1e-6
	c, err := New(d, a.Tensors(), nil)
	if err != nil {
		t.Fatal(err)
	}
	data := a.AppendState(nil, a.NewState())
	for _, other := range []*Model{b, c, randomModel(t, eventDims(20, 2), 1)} {
		if err := other.UnmarshalState(other.NewState(), data); !errors.Is(err, ErrModelMismatch) {
			t.Errorf("error %v, want ErrModelMismatch", err)
		}
	}
}

// TestSavedStatesStayReadable reads bytes that an earlier version wrote, and
// writes the same.
func TestSavedStatesStayReadable(t *testing.T) {
	m, err := Load(os.DirFS("testdata/mamba/mamba-odd"))
	if err != nil {
		t.Fatal(err)
	}
	frozen, err := os.ReadFile("testdata/state-v1-mamba-odd.bin")
	if err != nil {
		t.Fatal(err)
	}
	s := m.NewState()
	if err := m.UnmarshalState(s, frozen); err != nil {
		t.Fatal(err)
	}
	if again := m.AppendState(nil, s); !bytes.Equal(again, frozen) {
		t.Error("the same state is written in other bytes")
	}
	states := newStates(m, 1)
	st, logits := m.NewStepper(1), make([]float32, m.dims.Vocab)
	for token := range int32(10) {
		st.StepTokens(logits, []int32{token}, states)
	}
	if !sameBits(s, states[0]) {
		t.Error("tokens 0 to 9 lead to another state than they did")
	}
}

func FuzzUnmarshalState(f *testing.F) {
	m := randomModel(f, Dims{DModel: 4, DInner: 8, DState: 2, DConv: 2, DTRank: 1, NLayer: 1, NInput: 1, NOutput: 1, NormEps: 1e-5}, 1)
	f.Add(m.AppendState(nil, steppedState(f, m)))
	f.Add([]byte(stateMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := m.NewState()
		err := m.UnmarshalState(s, data)
		switch {
		case err == nil && !bytes.Equal(m.AppendState(nil, s), data):
			t.Fatal("what was read is written in other bytes")
		case err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrModelMismatch):
			t.Fatalf("an error of no kind: %v", err)
		}
	})
}

func BenchmarkState(b *testing.B) {
	m := randomModel(b, eventDims(64, 2), 1)
	s := steppedState(b, m)
	data := m.AppendState(nil, s)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(data)))
		buf := make([]byte, 0, m.StateSize())
		for b.Loop() {
			buf = m.AppendState(buf[:0], s)
		}
	})
	b.Run("unmarshal", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if err := m.UnmarshalState(s, data); err != nil {
				b.Fatal(err)
			}
		}
	})
}
