package cli

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weirstream/weir/internal/eval"
	"github.com/weirstream/weir/internal/sample"
)

// labelColumn names the column of a table that is 1 in incidents.
const labelColumn = "label"

// A labelFile holds the labelled windows of files by their names, which are the ends of
// their paths: the form of the Numenta Anomaly Benchmark's combined_windows.json.
type labelFile map[string][]window

// A window is the times of an incident's first and last event.
type window [2]string

func readLabels(path string) (labelFile, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read labels: %w", err)
	}
	var labels labelFile
	if err := json.Unmarshal(text, &labels); err != nil {
		return nil, fmt.Errorf(`read labels %s: %w; want {"folder/file.csv": [["2014-02-26 13:45:00", "2014-02-27 06:25:00"]]}`, path, err)
	}
	return labels, nil
}

// find returns the longest name that the path ends with.
func (l labelFile) find(path string) (name string, ok bool) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		absolute = path
	}
	path = "/" + strings.TrimPrefix(filepath.ToSlash(absolute), "/")
	for key := range l {
		if len(key) > len(name) && (strings.HasSuffix(path, "/"+key) || strings.HasSuffix(path, "/"+key+".gz")) {
			name, ok = key, true
		}
	}
	return name, ok
}

// check returns an error where the labels, read from path, are of none of the files.
func (l labelFile) check(path string, files []string) error {
	for _, file := range files {
		if _, ok := l.find(file); ok {
			return nil
		}
	}
	if l == nil {
		return nil
	}
	return usageErrorf("--labels %s names none of the files; it names %s", path, some(slices.Sorted(maps.Keys(l))))
}

// some lists the first few names.
func some(names []string) string {
	if len(names) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), len(names)-3)
	}
	return cmp.Or(strings.Join(names, ", "), "no file at all")
}

// ranges places windows in the times of a series.
func ranges(times []int64, windows []window) ([]eval.Range, error) {
	var all []eval.Range
	for _, w := range windows {
		first, err := parseTime(w[0])
		if err != nil {
			return nil, err
		}
		last, err := parseTime(w[1])
		if err != nil {
			return nil, err
		}
		from, _ := slices.BinarySearch(times, first)
		to, _ := slices.BinarySearch(times, last+1)
		if to <= from {
			return nil, fmt.Errorf("the window from %s to %s holds none of its events, which are from %s to %s: are the labels another file's?",
				w[0], w[1], clock(times[0]), clock(times[len(times)-1]))
		}
		all = append(all, eval.Range{First: from, Last: to - 1})
	}
	slices.SortFunc(all, func(a, b eval.Range) int { return cmp.Compare(a.First, b.First) })
	return all, nil
}

func clock(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.DateTime) }

// tables lists the CSV files at the given paths, of which some may be directories.
func tables(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		err := filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && (name == path || kindOf(name) == "csv") {
				files = append(files, name)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if len(files) == 0 {
		return nil, usageErrorf("there is no CSV file in %s", strings.Join(paths, ", "))
	}
	return files, nil
}

// readSeries reads a table: a column of times, if it has one, a column label, if its
// labels are not in the label file, and numbers. Without labels it has no incidents where
// that is said to be so, and is refused elsewhere.
func readSeries(path string, labels labelFile, unlabelled bool) (*eval.Series, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := unpacked(f, path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s, labelled, err := readTable(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s.Name = strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), ".gz"), ".csv")
	name, known := labels.find(path)
	switch {
	case known:
		s.Name = name
		if s.Labels, err = ranges(s.Times, labels[name]); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	case labelled == nil && !unlabelled:
		return nil, usageErrorf("%s has no labels: neither a column %s, nor an entry in a file named by --labels "+
			"(an empty list there says that it has no incidents)", path, labelColumn)
	default:
		s.Labels = eval.Runs(labelled)
	}
	return s, s.Check()
}

// layout is what a table's header says.
type layout struct {
	clock, label int // columns, -1 for none
	columns      []int
	names        []string
}

func readLayout(header []string) (l layout, err error) {
	l = layout{clock: -1, label: -1}
	for i, name := range header {
		name = strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))
		switch lower := strings.ToLower(name); {
		case l.clock < 0 && slices.Contains(timeColumns, lower):
			l.clock = i
		case lower == labelColumn:
			l.label = i
		default:
			l.columns = append(l.columns, i)
			l.names = append(l.names, name)
		}
	}
	if len(l.columns) == 0 {
		return l, errors.New("the header has no column of numbers")
	}
	if len(l.columns) == 1 && strings.EqualFold(l.names[0], "value") {
		l.names[0] = ""
	}
	// An event's fields are sorted by name.
	order := make([]int, len(l.names))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(l.names[a], l.names[b]) })
	sorted := l
	sorted.columns, sorted.names = make([]int, len(order)), make([]string, len(order))
	for i, from := range order {
		sorted.columns[i], sorted.names[i] = l.columns[from], l.names[from]
		if i > 0 && sorted.names[i] == sorted.names[i-1] {
			return l, fmt.Errorf("two columns are called %q", sorted.names[i])
		}
	}
	return sorted, nil
}

// readTable reads the rows; labelled is nil where there is no column of labels. Rows
// without times come once a minute.
func readTable(r io.Reader) (s *eval.Series, labelled []bool, err error) {
	table := csv.NewReader(bufio.NewReader(r))
	table.ReuseRecord = true
	header, err := table.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil, errors.New("it is empty")
	}
	if err != nil {
		return nil, nil, err
	}
	l, err := readLayout(header)
	if err != nil {
		return nil, nil, err
	}
	s = &eval.Series{Fields: l.names}
	if l.label >= 0 {
		labelled = []bool{}
	}
	for {
		record, err := table.Read()
		if errors.Is(err, io.EOF) {
			return s, labelled, nil
		}
		if err != nil {
			return nil, nil, err // says the line
		}
		at, row, in, err := l.row(record, len(s.Times))
		if err != nil {
			line, _ := table.FieldPos(0)
			return nil, nil, fmt.Errorf("line %d: %w", line, err)
		}
		s.Times, s.Values = append(s.Times, at), append(s.Values, row)
		if l.label >= 0 {
			labelled = append(labelled, in)
		}
	}
}

// row reads row n.
func (l *layout) row(record []string, n int) (at int64, row []float64, labelled bool, err error) {
	at = sample.Start.Add(time.Duration(n) * time.Minute).UnixMilli()
	if l.clock >= 0 {
		if at, err = parseTime(record[l.clock]); err != nil {
			return 0, nil, false, err
		}
	}
	row = make([]float64, len(l.columns))
	for i, column := range l.columns {
		cell := strings.TrimSpace(record[column])
		if cell == "" {
			row[i] = math.NaN()
			continue
		}
		if row[i], err = strconv.ParseFloat(cell, 64); err != nil || math.IsNaN(row[i]) || math.IsInf(row[i], 0) {
			return 0, nil, false, fmt.Errorf("column %q: %q is no finite number", l.names[i], cell)
		}
	}
	if l.label >= 0 {
		switch cell := strings.ToLower(strings.TrimSpace(record[l.label])); cell {
		case "1", "1.0", "true":
			labelled = true
		case "0", "0.0", "false", "":
		default:
			return 0, nil, false, fmt.Errorf("column %s: %q is neither 0 nor 1", labelColumn, cell)
		}
	}
	return at, row, labelled, nil
}

// sampleSeries are the machines of the bundled telemetry.
func sampleSeries() ([]*eval.Series, error) {
	streams, err := sample.Streams()
	if err != nil {
		return nil, err
	}
	var all []*eval.Series
	for _, stream := range streams {
		machine, field, _ := strings.Cut(stream.Name, "/")
		if len(all) == 0 || all[len(all)-1].Name != machine {
			s := &eval.Series{Name: machine, Times: stream.Times, Values: make([][]float64, len(stream.Times))}
			for _, in := range stream.Incidents {
				first, _ := slices.BinarySearch(s.Times, in.Start)
				last, _ := slices.BinarySearch(s.Times, in.End)
				s.Labels = append(s.Labels, eval.Range{First: first, Last: last})
			}
			all = append(all, s)
		}
		s := all[len(all)-1]
		s.Fields = append(s.Fields, field)
		for i, v := range stream.Values {
			s.Values[i] = append(s.Values[i], v)
		}
	}
	return all, nil
}
