package ssm

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// maxHeader is the format's own limit for the JSON header, in bytes.
const maxHeader = 100_000_000

// A fileTensor is one entry of a safetensors header.
//
//	0        8                      8+n
//	┌────────┬──────────────────────┬──────────────────────────────┐
//	│ n, u64 │ JSON header, n bytes │ tensors, without gap or      │
//	│ LE     │ name → dtype, shape, │ overlap, little-endian,      │
//	│        │ data_offsets         │ row-major                    │
//	└────────┴──────────────────────┴──────────────────────────────┘
type fileTensor struct {
	name    string
	DType   string   `json:"dtype"`
	Shape   []uint64 `json:"shape"`
	Offsets []uint64 `json:"data_offsets"` // from the header's end
}

// dtypeSize holds the bytes of a number in the types that are read.
var dtypeSize = map[string]uint64{"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8}

// A tensorFile is a safetensors file whose header has been read and checked:
// the tensors fill the rest of the file, one after the other. Nothing of the
// tensors' size has been allocated.
type tensorFile struct {
	tensors []fileTensor // by offset
	data    *bufio.Reader
}

// openTensors reads and checks the header of a safetensors file of size bytes.
func openTensors(r io.Reader, size int64) (*tensorFile, error) {
	buffered := bufio.NewReaderSize(r, 1<<16)
	var prefix [8]byte
	if _, err := io.ReadFull(buffered, prefix[:]); err != nil {
		return nil, fmt.Errorf("read the header's length: %w", err)
	}
	n := binary.LittleEndian.Uint64(prefix[:])
	if n > maxHeader || int64(n) > size-8 {
		return nil, fmt.Errorf("the header's length %d is more than the file has", n)
	}
	// Reading through a LimitReader allocates no more than what is there.
	header, err := io.ReadAll(io.LimitReader(buffered, int64(n)))
	if err == nil && uint64(len(header)) < n {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("read the header: %w", err)
	}
	tensors, err := parseHeader(header)
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if err := checkOffsets(tensors, uint64(size-8)-n); err != nil {
		return nil, err
	}
	return &tensorFile{tensors, buffered}, nil
}

// parseHeader reads the JSON object by hand, because a map would hide a name
// that is there twice.
func parseHeader(header []byte) ([]fileTensor, error) {
	dec := json.NewDecoder(bytes.NewReader(header))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	var tensors []fileTensor
	seen := map[string]bool{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		t := fileTensor{name: key.(string)} // a key is a string
		if seen[t.name] {
			return nil, fmt.Errorf("%q is there twice", t.name)
		}
		seen[t.name] = true
		if t.name == "__metadata__" {
			var metadata map[string]string
			if err := dec.Decode(&metadata); err != nil {
				return nil, fmt.Errorf("__metadata__: %w", err)
			}
			continue
		}
		if err := dec.Decode(&t); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.name, err)
		}
		tensors = append(tensors, t)
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return tensors, nil
}

// checkOffsets sorts the tensors by offset and checks that they fill size bytes
// without a gap or an overlap, each with the bytes its shape needs.
func checkOffsets(tensors []fileTensor, size uint64) error {
	for _, t := range tensors {
		if len(t.Offsets) != 2 || t.Offsets[0] > t.Offsets[1] {
			return fmt.Errorf("tensor %q: data_offsets %v are no range", t.name, t.Offsets)
		}
	}
	slices.SortStableFunc(tensors, func(a, b fileTensor) int {
		return cmp.Or(cmp.Compare(a.Offsets[0], b.Offsets[0]), cmp.Compare(a.Offsets[1], b.Offsets[1]))
	})
	at := uint64(0)
	for _, t := range tensors {
		if t.Offsets[0] != at || t.Offsets[1] > size {
			return fmt.Errorf("tensor %q: data_offsets %v, want them to start at %d and end within %d", t.name, t.Offsets, at, size)
		}
		at = t.Offsets[1]
		if n, ok := t.bytes(); !ok || n != t.Offsets[1]-t.Offsets[0] {
			return fmt.Errorf("tensor %q: %s %v does not take %d bytes", t.name, t.DType, t.Shape, t.Offsets[1]-t.Offsets[0])
		}
	}
	if at != size {
		return fmt.Errorf("%d bytes belong to no tensor", size-at)
	}
	return nil
}

// bytes returns what dtype and shape need; not ok where that overflows or the
// type is unknown.
func (t fileTensor) bytes() (n uint64, ok bool) {
	n, ok = dtypeSize[t.DType]
	for _, d := range t.Shape {
		if d != 0 && n > math.MaxInt64/d {
			return 0, false
		}
		n *= d
	}
	return n, ok
}

func (t fileTensor) shape() []int {
	shape := make([]int, len(t.Shape))
	for i, d := range t.Shape {
		shape[i] = int(d)
	}
	return shape
}

// read calls use for each tensor in the order of the file, with its bytes.
func (f *tensorFile) read(use func(t fileTensor, data []byte) error) error {
	var buf bytes.Buffer
	for _, t := range f.tensors {
		buf.Reset()
		n := int64(t.Offsets[1] - t.Offsets[0])
		if _, err := io.CopyN(&buf, f.data, n); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("tensor %q: %w", t.name, err)
		}
		if err := use(t, buf.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// floats converts the bytes of a floating-point tensor to float32. A float64
// beyond float32 becomes infinite and is found as such later.
func (t fileTensor) floats(data []byte) ([]float32, error) {
	size := int(dtypeSize[t.DType])
	f := make([]float32, len(data)/size)
	for i := range f {
		b := data[i*size:]
		switch t.DType {
		case "F32":
			f[i] = math.Float32frombits(binary.LittleEndian.Uint32(b))
		case "F64":
			f[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(b)))
		case "F16":
			f[i] = fromHalf(binary.LittleEndian.Uint16(b))
		case "BF16":
			f[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16)
		default:
			return nil, fmt.Errorf("tensor %q has dtype %s, want F32, F16, BF16 or F64", t.name, t.DType)
		}
	}
	return f, nil
}

// fromHalf converts IEEE 754 binary16: five bits of exponent, ten of fraction.
func fromHalf(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10)&31, uint32(h)&1023
	switch exp {
	case 0: // denormal: frac · 2⁻²⁴
		return math.Float32frombits(sign | math.Float32bits(float32(frac)*0x1p-24))
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}
