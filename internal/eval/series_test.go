package eval

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestSeriesThatCannotBeMeasuredSayWhy(t *testing.T) {
	unsorted := minutely(100)
	unsorted.Times[50] = 0
	empty := minutely(30)
	for i := range empty.Values {
		empty.Values[i][0] = math.NaN()
	}
	for want, s := range map[string]*Series{
		"test has 19 events, at least 20":                   minutely(19),
		"event 51 is 2940000 ms earlier":                    unsorted,
		"label 1 covers events 91 to 101 of 100":            minutely(100, Range{90, 100}),
		"label 2 covers events 20 to 26 of 100, after":      minutely(100, Range{10, 20}, Range{19, 25}),
		"every event is labelled: there is nothing to tell": minutely(100, Range{0, 99}),
		"test: every event is labelled":                     minutely(100, Range{0, 30}, Range{31, 99}),
		"test has no value: all its cells are empty":        empty,
	} {
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for _, s := range []*Series{minutely(100), minutely(20, Range{0, 18}), minutely(50, Range{3, 3}, Range{4, 49})} {
		if err := s.Check(); err != nil {
			t.Error(err)
		}
	}
}

func TestRunsAndLabelledAreInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := rapid.SliceOfN(rapid.Bool(), 1, 60).Draw(t, "set")
		s := Series{Times: make([]int64, len(set)), Labels: Runs(set)}
		if diff := cmp.Diff(set, s.labelled()); diff != "" {
			t.Error(diff)
		}
	})
}
