package main

import (
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// shortest is the least number of values of a series worth learning from.
const shortest = 200

// recorded reads the telemetry under dir, the held-out machines left out.
func recorded(dir string) ([]series, error) {
	var all []series
	for _, set := range []struct {
		pattern string
		source  int
		first   int // first column of values
		clock   func(row int, record []string) (int64, error)
	}{
		{"nezha/*.csv.gz", sourceNezha, 3, func(_ int, record []string) (int64, error) {
			seconds, err := strconv.ParseInt(record[1], 10, 64)
			return seconds * 1000, err
		}},
		{"asd/*.csv.gz", sourceASD, 0, every(5 * time.Minute)},
		{"nab/data/*/*.csv", sourceNAB, 1, func(_ int, record []string) (int64, error) {
			t, err := time.Parse(time.DateTime, record[0])
			return t.UnixMilli(), err
		}},
		{"smd/*.train.csv.gz", sourceSMD, 0, every(time.Minute)},
	} {
		paths, err := filepath.Glob(filepath.Join(dir, set.pattern))
		if err != nil {
			return nil, err
		}
		if len(paths) == 0 {
			return nil, fmt.Errorf("no %s in %s", set.pattern, dir)
		}
		for _, path := range paths {
			if slices.ContainsFunc(heldOut, func(machine string) bool { return strings.Contains(path, machine) }) {
				continue
			}
			columns, err := readColumns(path, set.source, set.first, set.clock)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			all = append(all, columns...)
		}
	}
	return all, nil
}

// every is the clock of data without times, one row each interval.
func every(interval time.Duration) func(int, []string) (int64, error) {
	return func(row int, _ []string) (int64, error) { return int64(row) * interval.Milliseconds(), nil }
}

// readColumns returns the columns of a CSV file from first on as series; cells
// that hold no number are missing events. Series that never change are kept:
// constants are telemetry too.
func readColumns(path string, source, first int, clock func(int, []string) (int64, error)) ([]series, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var text io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if text, err = gzip.NewReader(f); err != nil {
			return nil, err
		}
	}
	records, err := csv.NewReader(text).ReadAll()
	if err != nil {
		return nil, err
	}
	columns := make([]series, len(records[0])-first)
	for c := range columns {
		columns[c] = series{name: path + "/" + records[0][first+c], source: source}
	}
	for row, record := range records[1:] {
		t, err := clock(row, record)
		if err != nil {
			return nil, err
		}
		for c := range columns {
			if v, err := strconv.ParseFloat(record[first+c], 64); err == nil && v-v == 0 {
				columns[c].times = append(columns[c].times, t)
				columns[c].values = append(columns[c].values, v)
			}
		}
	}
	return slices.DeleteFunc(columns, func(s series) bool { return len(s.values) < shortest }), nil
}
