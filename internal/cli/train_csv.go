package cli

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// timeColumns are the names, in lower case, of a column of times.
var timeColumns = []string{"timestamp", "time", "ts", "date", "datetime"}

// readCSV reads a table with a column of times and columns of numbers. A column
// "value" is the stream that the file is named after, others are its fields.
func (t *telemetryFiles) readCSV(file *telemetryFile, r io.Reader) error {
	table := csv.NewReader(r)
	table.FieldsPerRecord = -1 // a row of another length is bad, not the file
	table.ReuseRecord = true
	header, err := table.Read()
	if err != nil {
		return fmt.Errorf("read the header: %w", err)
	}
	clock := slices.IndexFunc(header, func(name string) bool {
		return slices.Contains(timeColumns, strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))))
	})
	if clock < 0 {
		return fmt.Errorf("the header has no column %s", strings.Join(timeColumns, ", "))
	}
	name, _, _ := strings.Cut(filepath.Base(file.path), ".")
	names := make([]string, len(header))
	for i, field := range header {
		names[i] = joined(name, strings.TrimSpace(field))
		if strings.EqualFold(strings.TrimSpace(field), "value") {
			names[i] = name
		}
	}
	for {
		record, err := table.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if fault, ok := errors.AsType[*csv.ParseError](err); ok {
			t.fault(file, int64(fault.Line), "%v", fault.Err)
			continue
		}
		if err != nil {
			return err
		}
		line, _ := table.FieldPos(0)
		if err := t.readRecord(record, clock, names); err != nil {
			t.fault(file, int64(line), "%v", err)
			continue
		}
		file.rows++
	}
}

// readRecord keeps a row's values: all of them or, on an error, none.
func (t *telemetryFiles) readRecord(record []string, clock int, names []string) error {
	if len(record) != len(names) {
		return fmt.Errorf("%d cells, the header has %d", len(record), len(names))
	}
	at, err := parseTime(record[clock])
	if err != nil {
		return err
	}
	values := make([]float64, len(record))
	for i, cell := range record {
		if cell = strings.TrimSpace(cell); i == clock || cell == "" {
			continue
		}
		if values[i], err = strconv.ParseFloat(cell, 64); err != nil || math.IsInf(values[i], 0) || math.IsNaN(values[i]) {
			return fmt.Errorf("%s: %q is no finite number", names[i], cell)
		}
	}
	for i, cell := range record {
		if i != clock && strings.TrimSpace(cell) != "" {
			t.add(names[i], at, values[i])
		}
	}
	return nil
}

// parseTime reads a time as Unix milliseconds. A number below 10¹¹ counts seconds,
// which reach to the year 5138, a greater one milliseconds, which begin in 1973.
func parseTime(text string) (int64, error) {
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		if math.Abs(n) < 1e11 {
			n *= 1000
		}
		if math.Abs(n) < 1e15 {
			return int64(math.Round(n)), nil
		}
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UnixMilli(), nil
		}
	}
	return 0, fmt.Errorf("%q is no time: want RFC 3339, 2006-01-02 15:04:05 or Unix seconds or milliseconds", text)
}
