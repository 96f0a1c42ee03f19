package operator

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirstream/weir/statestore"
)

func TestRecordOfAnotherModelBeginsAnewButKeepsItsOffset(t *testing.T) {
	store := statestore.NewMemory()
	before, _ := open(t, tinyModel(t, 1), store, 1, testConfig)
	apply(t, before, minutely("s", 0, 100)...)
	checkpoint(t, before, 99)

	m := tinyModel(t, 2)
	o, _ := open(t, m, store, 2, coldConfig())
	r := apply(t, o, minutely("s", 95, 8)...)
	if r.Skipped != 5 || len(r.Predictions) != 3 {
		t.Fatalf("%d events skipped, %d predicted, want the 5 before the record's offset skipped", r.Skipped, len(r.Predictions))
	}
	if len(r.Lost) != 1 || r.Lost[0].Stream != "s" || !errors.Is(r.Lost[0].Err, errLineage) {
		t.Errorf("lost: %v", r.Lost)
	}
	if r.Predictions[0].Phase != Gap || r.Predictions[1].Phase != Warming {
		t.Errorf("phases %s and %s, want gap where the stream begins anew, then warming", r.Predictions[0].Phase, r.Predictions[1].Phase)
	}
	fresh, _ := open(t, m, statestore.NewMemory(), 1, testConfig)
	r.Predictions[0].Phase = Warming
	if diff := cmp.Diff(bitsOf(apply(t, fresh, minutely("s", 100, 3)...)), bitsOf(r)); diff != "" {
		t.Errorf("predictions (-of a new stream +got):\n%s", diff)
	}
	checkpoint(t, o, 102)
	again, _ := open(t, m, store, 3, testConfig)
	if r := apply(t, again, minutely("s", 102, 2)...); len(r.Lost) > 0 || r.Skipped != 1 || r.Predictions[0].N != 4 {
		t.Errorf("after a checkpoint: lost %v, %d skipped, %v", r.Lost, r.Skipped, bitsOf(r))
	}
}

func TestCorruptRecordBeginsAnewAndSaysSo(t *testing.T) {
	m := tinyModel(t, 1)
	whole, _ := open(t, m, statestore.NewMemory(), 1, testConfig)
	apply(t, whole, minutely("s", 0, 100)...)
	record := whole.record("s")
	for i := range len(record) + 2 {
		bad := bytes.Clone(record)
		switch {
		case i < len(record):
			bad[i] ^= 1 << (i % 8)
		case i == len(record):
			bad = bad[:len(bad)-1]
		default:
			bad = []byte{}
		}
		store := statestore.NewMemory()
		o, _ := open(t, m, store, 1, coldConfig())
		if err := store.Save(t.Context(), testPartition, o.token, []statestore.Snapshot{{Key: "s", Offset: 99, State: bad}}); err != nil {
			t.Fatal(err)
		}
		r := apply(t, o, plain("good", 98, 0, 1), plain("s", 99, 0, 1), plain("s", 100, 6000, 1))
		if len(r.Lost) != 1 || r.Lost[0].Stream != "s" || !errors.Is(r.Lost[0].Err, errRecord) {
			t.Fatalf("byte %d wrong: lost %v", i, r.Lost)
		}
		if r.Skipped != 1 || len(r.Predictions) != 2 || r.Predictions[1].N != 1 || r.Predictions[1].Phase != Gap {
			t.Fatalf("byte %d wrong: %d skipped, %v", i, r.Skipped, bitsOf(r))
		}
	}
}

// fixedStream is a stream of numbers that no event produced.
func fixedStream(m *Model) *stream {
	s := &stream{key: "fixed", lsn: 77, time: start, n: 12345, lateRun: 3}
	s.judge.n, s.judge.extent, s.judge.rarest = 12340, 0.75, [2]float64{0.5, 0.125}
	for k := range s.judge.peaks {
		s.judge.peaks[k] = float64(k)/8 - 0.25
	}
	for k := range s.judge.calibrators {
		c := &s.judge.calibrators[k]
		c.n, c.tail = uint64(12321+k), tail{start: uint32(100 + k), shape: 0.125, scale: float64(2 + k)}
		c.least = leastOf(c.n)
		for i := range c.waiting {
			c.waiting[i] = uint8(k + i)
		}
		for i := range c.above {
			c.above[i] = float32(nBins-i)*64 + 0.25
		}
	}
	for i, name := range []string{"", "cpu", "mem\xff"} {
		f := newField([]byte(name), m)
		f.time = start - int64(i)
		f.counter = counter{total: 1000 + float64(i)/2, time: start + int64(i), start: start - 60*int64(i), seen: i%2 == 1}
		f.normalizer.n, f.normalizer.changes = uint64(12000+i), uint64(400+i)
		for j, v := range f.normalizer.floats() {
			*v = float64(j+1) / 16
		}
		for j := range f.foresight.ahead {
			at := float64(2*j + i)
			f.foresight.ahead[j] = expectation{median: at / 4, spread: (at + 1) / 4}
		}
		for j := range f.foresight.trial {
			f.foresight.trial[j] = float64(2*nAhead+j+i) / 4
		}
		f.watch.n, f.watch.seasoned, f.watch.since = uint64(11000+i), uint64(10000+i), start-60*int64(i)
		for j := range f.watch.statistics {
			f.watch.statistics[j] = float64(j+1) / 32
		}
		for h := range nHours {
			f.watch.season.level[h], f.watch.season.seen[h] = float64(i)+float64(h)/4, uint16(300*h+i)
		}
		for j := range f.state {
			f.state[j] = float32(j-i) / 8
		}
		s.fields = append(s.fields, f)
	}
	return s
}

// testdata/record-v4.hex was written by testdata/record_v4.py, which knows the format
// from its description in stream.go alone. A change of the format needs a new
// recordVersion and a new file; records in stores do not change with the program.
func TestRecordFormatIsFrozen(t *testing.T) {
	text, err := os.ReadFile("testdata/record-v4.hex")
	if err != nil {
		t.Fatal(err)
	}
	want, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	m := tinyModel(t, 1)
	m.lineage = Lineage([]byte("fixed lineage 16"))
	if got := fixedStream(m).appendBinary(nil, m.lineage); !bytes.Equal(got, want) {
		t.Errorf("record is\n%x\nwant\n%x", got, want)
	}
	var s stream
	if err := s.decode(want, m); err != nil {
		t.Fatal(err)
	}
	if again := s.appendBinary(nil, m.lineage); !bytes.Equal(again, want) {
		t.Errorf("decoded and encoded again it is\n%x\nwant\n%x", again, want)
	}
}

func TestRecordThatNoOperatorWritesIsRefused(t *testing.T) {
	m := tinyModel(t, 1)
	m.lineage = Lineage([]byte("fixed lineage 16"))
	for name, spoil := range map[string]func(*stream){
		"fields out of order":            func(s *stream) { s.fields[1], s.fields[2] = s.fields[2], s.fields[1] },
		"a field twice":                  func(s *stream) { s.fields[1].name = s.fields[2].name },
		"NaN in a state":                 func(s *stream) { s.fields[1].state[7] = float32(math.NaN()) },
		"∞ in a state":                   func(s *stream) { s.fields[2].state[0] = float32(math.Inf(-1)) },
		"NaN in a statistic":             func(s *stream) { s.fields[0].normalizer.last = math.NaN() },
		"a negative count above an edge": func(s *stream) { s.judge.calibrators[1].above[127] = -1 },
		"more above a higher edge":       func(s *stream) { s.judge.calibrators[2].above[3] = 0 },
		"a bin that is none":             func(s *stream) { s.judge.calibrators[0].waiting[3] = nBins },
		"a tail beyond all edges":        func(s *stream) { s.judge.calibrators[3].tail.start = nBins },
		"a tail without a scale":         func(s *stream) { s.judge.calibrators[3].tail.scale = 0 },
		"a tail too heavy":               func(s *stream) { s.judge.calibrators[3].tail.shape = 1 },
		"a p-value above 1":              func(s *stream) { s.judge.rarest[1] = 1.5 },
		"NaN in the peaks":               func(s *stream) { s.judge.peaks[4] = math.NaN() },
		"peaks beyond all levels":        func(s *stream) { s.judge.peaks[0] = -1000 },
		"a negative size":                func(s *stream) { s.fields[1].watch.statistics[wChange] = -1 },
		"NaN in a watch":                 func(s *stream) { s.fields[1].watch.statistics[wLast] = math.NaN() },
		"more seasons than values":       func(s *stream) { s.fields[1].watch.seasoned = 1 << 40 },
		"∞ in a season":                  func(s *stream) { s.fields[0].watch.season.level[23] = math.Inf(1) },
		"a negative count":               func(s *stream) { s.n = -1 },
		"an endless late run":            func(s *stream) { s.lateRun = lateRunLimit },
		"a state too short":              func(s *stream) { s.fields[2].state = s.fields[2].state[1:] },
		"a state too long":               func(s *stream) { s.fields[2].state = append(s.fields[2].state, 1) },
		"too many fields":                func(s *stream) { s.fields = wideFields(m, maxFields+1) },
		"NaN in a forecast":              func(s *stream) { s.fields[0].foresight.ahead[70].median = math.NaN() },
		"a negative spread":              func(s *stream) { s.fields[2].foresight.ahead[0].spread = -1 },
		"a negative miss":                func(s *stream) { s.fields[1].foresight.trial[theLast] = -1 },
	} {
		s := fixedStream(m)
		spoil(s)
		if err := new(stream).decode(s.appendBinary(nil, m.lineage), m); !errors.Is(err, errRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := fixedStream(m)
	s.fields = wideFields(m, maxFields)
	if err := new(stream).decode(s.appendBinary(nil, m.lineage), m); err != nil {
		t.Errorf("as many fields as there may be: %v", err)
	}
}

func wideFields(m *Model, n int) []field {
	fields := make([]field, n)
	for i := range fields {
		fields[i] = newField(fmt.Appendf(nil, "f%03d", i), m)
	}
	return fields
}

// sealed returns b with the checksum that its other bytes ask for.
func sealed(b []byte) []byte {
	b = bytes.Clone(b)
	if len(b) >= 4 {
		binary.LittleEndian.PutUint32(b[len(b)-4:], crc32.Checksum(b[:len(b)-4], castagnoli))
	}
	return b
}

func FuzzStreamRecord(f *testing.F) {
	m := tinyModel(f, 1)
	m.lineage = Lineage([]byte("fixed lineage 16"))
	whole := fixedStream(m).appendBinary(nil, m.lineage)
	f.Add(whole)
	f.Add((&stream{}).appendBinary(nil, m.lineage))
	f.Add(whole[:len(whole)-9])
	f.Add([]byte(recordMagic))
	for _, at := range []int{5, 7, 41, 43, 44, 47} { // what a decoder may overlook
		odd := bytes.Clone(whole)
		odd[at] ^= 0x10
		f.Add(odd)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, b := range [][]byte{b, sealed(b)} {
			var s stream
			if s.decode(b, m) != nil {
				continue
			}
			if again := s.appendBinary(nil, m.lineage); !bytes.Equal(again, b) {
				t.Errorf("record\n%x\nis encoded again as\n%x", b, again)
			}
			for i := range s.fields {
				for _, v := range s.fields[i].state {
					if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
						t.Errorf("state of field %d holds %v", i, v)
					}
				}
			}
		}
	})
}
