package synthetic

import (
	"fmt"
	"time"

	"github.com/weirstream/weir/internal/eval"
)

// A Host is a clean stream that anomalies are put into.
type Host struct {
	Group string
	*eval.Series
	// Affected are the fields that go wrong.
	Affected []int
	// Onset is the event from which on they do.
	Onset int
	Daily bool
}

const (
	// hostEvents is the length of a host, eight days. Anomalies begin on the seventh, a
	// Wednesday.
	hostEvents, firstOnset = 8*Day + 20, 6 * Day
	// hostGap is the time between two events.
	hostGap = 24 * time.Hour / Day
	// hostSeeds is how many hosts of one field there are of a kind, twice that with a daily
	// pattern; manyHosts have manyFields each, of which affectedFields go wrong.
	hostSeeds, manyHosts, manyFields, affectedFields = 4, 8, 12, 3
)

// hostKinds are the nulls whose every kind of anomaly shows.
var hostKinds = []int{0, 1, 2, 3, 4, 5}

// Hosts returns streams of one field, and streams of several.
func Hosts() []Host {
	var all []Host
	for _, kind := range hostKinds {
		null, seeds := Nulls[kind], hostSeeds
		if null.daily {
			seeds *= 2
		}
		for seed := range seeds {
			s := series(fmt.Sprintf("%s/%d", null.Name, seed), []Null{null}, uint64(seed))
			all = append(all, Host{
				Group: "one field", Series: s, Affected: []int{0}, Onset: firstOnset + seed*Day/seeds, Daily: null.daily,
			})
		}
	}
	for seed := range uint64(manyHosts) {
		fields := make([]Null, manyFields)
		for f := range fields {
			fields[f] = Nulls[hostKinds[f%len(hostKinds)]]
		}
		h := Host{Group: "3 of 12 fields", Series: series(fmt.Sprintf("machine/%d", seed), fields, 100+seed)}
		for k := range affectedFields {
			h.Affected = append(h.Affected, (int(seed)+4*k)%manyFields)
		}
		h.Onset = firstOnset + int(seed)*Day/manyHosts
		all = append(all, h)
	}
	return all
}

// series returns a series with one field of each null.
func series(name string, nulls []Null, seed uint64) *eval.Series {
	s := &eval.Series{Name: name, Fields: []string{""}, Times: make([]int64, hostEvents), Values: make([][]float64, hostEvents)}
	if len(nulls) > 1 {
		s.Fields = make([]string, len(nulls))
	}
	for i := range s.Values {
		s.Values[i] = make([]float64, len(nulls))
	}
	for f, null := range nulls {
		if len(nulls) > 1 {
			s.Fields[f] = fmt.Sprintf("f%02d", f)
		}
		next := null.Stream(1000*seed+uint64(f), hostGap)
		for i := range s.Values {
			s.Times[i], s.Values[i][f] = next()
		}
	}
	return s
}

const (
	// clear is how many events around an anomaly must be without a label.
	clear = 50
	// spots is how many anomalies of a kind are put into one labelled series.
	spots = 5
)

// Clean returns hosts made of the label-free parts of a series: places for an anomaly,
// spread over the series, each once in all the fields of which some go wrong, and, where
// it has several fields, once in a stream of one of them.
func Clean(s *eval.Series) []Host {
	var places []int
	longest := 0
	for _, a := range Anomalies {
		if !a.Daily {
			longest = max(longest, a.Window)
		}
	}
	for at := max(sized, Day+1); at+longest+clear < len(s.Times); at++ {
		if free(s, at-clear, at+longest+clear) {
			places = append(places, at)
		}
	}
	var all []Host
	for k := range min(spots, len(places)) {
		at := places[(2*k+1)*len(places)/(2*spots)]
		var moving []int
		for f := range s.Fields {
			if Size(s, f, at) > 0 {
				moving = append(moving, f)
			}
		}
		if len(moving) == 0 {
			continue
		}
		h := Host{Group: "data, some fields of all", Series: s, Onset: at}
		for i := range min(affectedFields, len(moving)) {
			h.Affected = append(h.Affected, moving[(k+i*len(moving)/affectedFields)%len(moving)])
		}
		if len(s.Fields) > 1 {
			all = append(all, h)
		}
		one := Host{Group: "data, one field", Series: single(s, h.Affected[0]), Affected: []int{0}, Onset: at}
		all = append(all, one)
	}
	return all
}

func free(s *eval.Series, from, to int) bool {
	for _, l := range s.Labels {
		if l.First <= to && l.Last >= from {
			return false
		}
	}
	return true
}

// single is one field of a series as a series.
func single(s *eval.Series, field int) *eval.Series {
	one := &eval.Series{Name: s.Name + "/" + s.Fields[field], Times: s.Times, Fields: []string{""}, Values: make([][]float64, len(s.Times))}
	for i, row := range s.Values {
		one.Values[i] = row[field : field+1]
	}
	return one
}
