package eval

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"
)

// pageOf is the page of one series with a label, an alarm in it and one outside.
func pageOf(t *testing.T, name string) string {
	t.Helper()
	s := &Series{Name: name, Fields: []string{""}, Labels: []Range{{40, 60}}}
	for i := range 200 {
		s.Times = append(s.Times, int64(i)*60_000)
		s.Values = append(s.Values, []float64{math.Sin(float64(i) / 7)})
	}
	s.Values[10][0] = math.NaN()
	r := NewForecastRun(s)
	for i := range r.Forecasts {
		if v := s.Values[i][0]; !math.IsNaN(v) {
			r.Forecasts[i][0] = Forecast{v - 1, v, v + 1}
		}
	}
	r.Scores[45], r.Scores[46], r.Scores[150] = 2, 3, 1.5
	tally := NewTally("weir")
	if err := tally.Add(s, r); err != nil {
		t.Fatal(err)
	}
	p := Page{Model: "tiny@00", Budget: "1/7d"}
	p.Add(s, r)
	var b strings.Builder
	if err := p.Write(&b, []Result{tally.Result()}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPageNeedsNothingElse(t *testing.T) {
	page := pageOf(t, "web-7/cpu")
	for _, bad := range []string{"<script", "http:", "https:", "src=", "href=", "@import", "url(", "NaN", "Inf"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
}

func TestPageShowsIncidentsAndAlarms(t *testing.T) {
	page := pageOf(t, "web-7/cpu")
	for what, want := range map[string]int{
		`class="l"`: 1, `class="a"`: 2, `class="d"`: 2, "1 of 1 incidents found": 1, "1 alarms outside of labels": 1, "after 300 s": 0, "after 5 min": 1,
		">1 of 1<": 1, "1 right, 1 false": 1,
	} {
		if got := strings.Count(page, what); got != want {
			t.Errorf("%q is there %d times, want %d", what, got, want)
		}
	}
	for _, drawing := range regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(page, -1) {
		d := xml.NewDecoder(strings.NewReader(drawing))
		for {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("no XML: %v in %.200s", err, drawing)
			}
		}
	}
}

func TestPageEscapesNames(t *testing.T) {
	page := pageOf(t, `a"><script>alert(1)</script>`)
	if strings.Contains(page, "<script>") {
		t.Error("a file's name runs")
	}
}
