package ssm

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// A Model is a stack of Mamba or Mamba-2 blocks with its ends. It is immutable and may be
// used from many goroutines at once.
type Model struct {
	dims        Dims
	extra       json.RawMessage
	weights     weights
	layers      []packedLayer
	ends        packedEnds
	fingerprint [16]byte
}

// New makes a model of dims from its tensors, which it keeps; they must not be
// changed afterwards. The names and shapes are those of a model folder (see
// Load); every value must be finite. extra is the "weir" object of an event
// model's config.json, or nil. An error wraps ErrModel and names what is wrong.
func New(dims Dims, tensors []Tensor, extra json.RawMessage) (*Model, error) {
	if err := dims.Validate(); err != nil {
		return nil, err
	}
	byName := make(map[string]Tensor, len(tensors))
	for _, t := range tensors {
		if _, dup := byName[t.Name]; dup {
			return nil, fmt.Errorf("%w: tensor %q is there twice", ErrModel, t.Name)
		}
		byName[t.Name] = t
	}
	m := &Model{dims: dims, extra: extra}
	for _, s := range m.weights.slots(dims) {
		t, ok := byName[s.name]
		if !ok {
			return nil, fmt.Errorf("%w: tensor %q %s is missing", ErrModel, s.name, shapeString(s.shape))
		}
		if err := s.fill(t); err != nil {
			return nil, err
		}
		delete(byName, s.name)
	}
	if err := m.settleHead(byName); err != nil {
		return nil, err
	}
	for _, t := range tensors { // in the caller's order, so that the error is the same each time
		if _, left := byName[t.Name]; left && !dims.ignored(t.Name) {
			return nil, fmt.Errorf("%w: tensor %q is not part of a model of this configuration", ErrModel, t.Name)
		}
	}
	m.fingerprint = m.sum()
	m.pack()
	return m, nil
}

// settleHead makes the embedding the head where they are tied. A copy of it
// under the head's name does no harm.
func (m *Model) settleHead(left map[string]Tensor) error {
	if m.dims.Vocab == 0 || !m.dims.TieHead {
		return nil
	}
	m.weights.head = m.weights.embedding
	if t, ok := left[lmHeadName]; ok {
		if !slices.Equal(t.Data, m.weights.embedding) {
			return fmt.Errorf("%w: tensor %q differs from the embedding, but tie_word_embeddings is true", ErrModel, lmHeadName)
		}
		delete(left, lmHeadName)
	}
	return nil
}

func (s slot) fill(t Tensor) error {
	if !slices.Equal(t.Shape, s.shape) || len(t.Data) != s.len() {
		return fmt.Errorf("%w: tensor %q has shape %s, want %s", ErrModel, t.Name, shapeString(t.Shape), shapeString(s.shape))
	}
	for i, v := range t.Data {
		if isNonFinite(v) {
			return fmt.Errorf("%w: tensor %q holds %v at index %d, want finite numbers", ErrModel, t.Name, v, i)
		}
	}
	*s.data = t.Data
	return nil
}

func isNonFinite(v float32) bool { return math.Float32bits(v)&0x7f800000 == 0x7f800000 }

// Dims returns the sizes of the model.
func (m *Model) Dims() Dims { return m.dims }

// Extra returns the "weir" object of config.json, or nil. It must not be changed.
func (m *Model) Extra() json.RawMessage { return m.extra }

// Fingerprint identifies what the model computes: a hash of its dimensions and
// its parameters, the same wherever and under whatever name it was loaded.
func (m *Model) Fingerprint() [16]byte { return m.fingerprint }

// Tensors returns the parameters, in the order of the forward pass. The data is
// the model's own and must not be changed.
func (m *Model) Tensors() []Tensor {
	w := m.weights
	slots := w.slots(m.dims)
	tensors := make([]Tensor, len(slots))
	for i, s := range slots {
		tensors[i] = Tensor{s.name, s.shape, *s.data}
	}
	return tensors
}

// sum hashes the dimensions as eight-byte numbers (those of Mamba-2 only where
// they apply) and then every tensor's values as little-endian float32, in the
// order of Tensors.
func (m *Model) sum() [16]byte {
	d := m.dims
	h := sha256.New()
	buf := []byte("weir ssm 1")
	for _, v := range []int{
		d.DModel, d.DInner, d.DState, d.DConv, d.DTRank, d.NLayer, d.Vocab, d.NInput, d.NOutput,
		bit(d.UseBias), bit(d.UseConvBias), bit(d.TieHead),
	} {
		buf = binary.LittleEndian.AppendUint64(buf, uint64(v))
	}
	buf = binary.LittleEndian.AppendUint64(buf, math.Float64bits(d.NormEps))
	if d.NHead > 0 {
		for _, v := range []uint64{uint64(d.NHead), uint64(d.NGroup), math.Float64bits(d.DTMin), math.Float64bits(d.DTMax)} {
			buf = binary.LittleEndian.AppendUint64(buf, v)
		}
	}
	h.Write(buf)
	for _, t := range m.Tensors() {
		buf = appendFloats(buf[:0], t.Data)
		h.Write(buf)
	}
	return [16]byte(h.Sum(nil))
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

func appendFloats(b []byte, data []float32) []byte {
	b = slices.Grow(b, 4*len(data))
	for _, v := range data {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}
