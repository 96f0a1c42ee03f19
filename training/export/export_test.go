package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirstream/weir/operator"
)

// telemetry writes a small folder of every kind of recorded data.
func telemetry(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	table := func(header string, row func(i int) string) string {
		var b strings.Builder
		b.WriteString(header + "\n")
		for i := range shortest + 50 {
			b.WriteString(row(i) + "\n")
		}
		return b.String()
	}
	plain := table("f00,f01", func(i int) string { return fmt.Sprintf("%d,%v", i*i%17, 0.5) })
	for path, text := range map[string]string{
		"nezha/pod_metric.csv.gz": table("Time,TimeStamp,PodName,Cpu", func(i int) string {
			if i%10 == 3 {
				return fmt.Sprintf("x,%d,pod,", 1000+60*i) // a missing measurement
			}
			return fmt.Sprintf("x,%d,pod,%d", 1000+60*i, i%7)
		}),
		"asd/omi-1.train.csv.gz": plain,
		"nab/data/real/a.csv": table("timestamp,value", func(i int) string {
			return fmt.Sprintf("2015-09-01 %02d:%02d:00,%d", i/60, i%60, i)
		}),
		"smd/machine-1-3.train.csv.gz": plain,
		"smd/machine-1-6.train.csv.gz": plain,
	} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		data := []byte(text)
		if strings.HasSuffix(path, ".gz") {
			var b bytes.Buffer
			w := gzip.NewWriter(&b)
			_, err := w.Write(data)
			if err := errors.Join(err, w.Close()); err != nil {
				t.Fatal(err)
			}
			data = b.Bytes()
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestBundledMachinesAreNeverExported(t *testing.T) {
	all, err := recorded(telemetry(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		for _, machine := range heldOut {
			if strings.Contains(s.name, machine) {
				t.Errorf("%s was read", s.name)
			}
		}
	}
	if len(all) != 1+2+1+2 {
		t.Errorf("%d series, want 6", len(all))
	}
}

func TestMissingMeasurementsAreGaps(t *testing.T) {
	all, err := recorded(telemetry(t))
	if err != nil {
		t.Fatal(err)
	}
	s := all[0]
	if s.source != sourceNezha || s.times[3]-s.times[2] != 120_000 || s.values[3] != 4 {
		t.Errorf("after the missing row: %v at %v", s.values[:4], s.times[:4])
	}
}

func TestExportIsDeterministicAndReadable(t *testing.T) {
	dir, out := telemetry(t), t.TempDir()
	var files [2][]byte
	for i := range files {
		path := filepath.Join(out, fmt.Sprint(i))
		if err := run(dir, path, 30, 1); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[i] = data
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("two runs differ")
	}
	size := binary.LittleEndian.Uint64(files[0])
	var header map[string]struct {
		Shape   [2]uint64 `json:"shape"`
		Offsets [2]uint64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(files[0][8:8+size], &header); err != nil {
		t.Fatal(err)
	}
	rows := header["rows"]
	if rows.Shape[1] != operator.RowSize || 8+size+rows.Offsets[1] != uint64(len(files[0])) {
		t.Errorf("rows %+v in a file of %d bytes", rows, len(files[0]))
	}
	data := files[0][8+size+rows.Offsets[0]:]
	for i := 0; i < len(data); i += 4 {
		if v := math.Float32frombits(binary.LittleEndian.Uint32(data[i:])); !(math.Abs(float64(v)) <= 64) && !(v != v && further(i/4%operator.RowSize)) {
			t.Fatalf("number %d is %v", i/4, v)
		}
	}
}

// further says whether a row's number of this index is a target that lies ahead.
func further(i int) bool {
	return i >= operator.RowSize-len(operator.Horizons()) && i < operator.RowSize-1
}
