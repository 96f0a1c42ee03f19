// Package sample holds a few days of real server telemetry with labelled
// incidents, built into the program: what the demo plays, and what the built-in
// model is measured on. The model was not trained on these machines.
//
// The numbers are an excerpt of the Server Machine Dataset; data/README.md says
// where it comes from and data/LICENSE under which licence.
package sample

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"embed"
	"encoding/csv"
	"fmt"
	"iter"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed data
var files embed.FS

// Start is the time given to each machine's first row; the published data has
// none. The rows follow at one a minute.
var Start = time.Date(2026, time.March, 2, 0, 0, 0, 0, time.UTC)

// A Stream is one metric of one machine.
type Stream struct {
	// Name is machine/field, such as "machine-1-6/f03".
	Name string
	// Times are Unix milliseconds, ascending, one a minute.
	Times []int64
	// Values are the metric's values at Times, scaled to 0 … 1 by the authors.
	Values []float64
	// Incidents are the machine's labelled incidents, in time order. They name no
	// metric: an incident need not show in each of the machine's streams.
	Incidents []Incident
}

// An Incident is a labelled stretch of time: the Unix milliseconds of its first
// and last event.
type Incident struct{ Start, End int64 }

// An Event is one value of one Stream.
type Event struct {
	Stream string
	Time   int64 // Unix milliseconds
	Value  float64
}

// Streams returns the sample, sorted by name. Streams of one machine share their
// Times and Incidents.
func Streams() ([]Stream, error) {
	names, err := files.ReadDir("data")
	if err != nil {
		return nil, err
	}
	var all []Stream
	for _, entry := range names {
		machine, isData := strings.CutSuffix(entry.Name(), ".csv.gz")
		if !isData {
			continue
		}
		streams, err := read(machine)
		if err != nil {
			return nil, fmt.Errorf("sample %s: %w", entry.Name(), err)
		}
		all = append(all, streams...)
	}
	slices.SortFunc(all, func(a, b Stream) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// Events returns every value of the sample in time order, streams of the same
// minute by name.
func Events() (iter.Seq[Event], error) {
	streams, err := Streams()
	if err != nil {
		return nil, err
	}
	return func(yield func(Event) bool) {
		for i := range streams[0].Times { // all streams have the same times
			for _, s := range streams {
				if !yield(Event{s.Name, s.Times[i], s.Values[i]}) {
					return
				}
			}
		}
	}, nil
}

// read returns one machine's streams: a CSV file with a column a metric and a
// last column that is 1 in incidents.
func read(machine string) ([]Stream, error) {
	compressed, err := files.ReadFile(path.Join("data", machine+".csv.gz"))
	if err != nil {
		return nil, err
	}
	r, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, err
	}
	rows, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, err
	}
	header, rows := rows[0], rows[1:]
	times := make([]int64, len(rows))
	for i := range times {
		times[i] = Start.Add(time.Duration(i) * time.Minute).UnixMilli()
	}
	label := len(header) - 1
	found := incidents(times, rows, label)
	streams := make([]Stream, label)
	for c := range streams {
		values := make([]float64, len(rows))
		for i, row := range rows {
			if values[i], err = strconv.ParseFloat(row[c], 64); err != nil {
				return nil, err
			}
		}
		streams[c] = Stream{machine + "/" + header[c], times, values, found}
	}
	return streams, nil
}

// incidents returns the runs of rows labelled 1.
func incidents(times []int64, rows [][]string, label int) []Incident {
	var found []Incident
	for i, row := range rows {
		switch {
		case row[label] != "1":
		case i > 0 && rows[i-1][label] == "1":
			found[len(found)-1].End = times[i]
		default:
			found = append(found, Incident{times[i], times[i]})
		}
	}
	return found
}
