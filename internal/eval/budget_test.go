package eval

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/gonum/stat/distuv"
)

func TestEpisodesAreAlarmsFarApart(t *testing.T) {
	s := minutely(100)
	alarms := at(100, 5, 6, 7, 17, 28, 50, 60, 71)
	for per, want := range map[time.Duration][]Range{
		24 * time.Hour:   {{5, 17}, {28, 28}, {50, 60}, {71, 71}},
		time.Hour:        {{5, 7}, {17, 17}, {28, 28}, {50, 50}, {60, 60}, {71, 71}},
		10 * time.Minute: {{5, 7}, {17, 17}, {28, 28}, {50, 50}, {60, 60}, {71, 71}},
		time.Minute:      {{5, 5}, {6, 6}, {7, 7}, {17, 17}, {28, 28}, {50, 50}, {60, 60}, {71, 71}},
	} {
		if diff := cmp.Diff(want, Episodes(s.Times, alarms, per)); diff != "" {
			t.Errorf("budget's time %v (-want +got)\n%s", per, diff)
		}
	}
}

func TestEpisodesInLabelsAreNotFalse(t *testing.T) {
	s := minutely(100, Range{20, 29})
	r := &Run{Scores: make([]float64, 100)}
	for _, i := range []int{2, 15, 18, 22, 45, 46, 80} {
		r.Scores[i] = 1.5
	}
	n, seconds := FalseEpisodes(s, r, 24*time.Hour, 10)
	if n != 2 || seconds != 80*60 {
		t.Errorf("%d false episodes in %v seconds, want 2 in %v", n, seconds, 80*60)
	}
}

// Garwood's interval ends where as many alarms or more, and as many or fewer, have a
// probability of 2.5% each.
func TestPoissonIntervalsLeaveOutATailOnEachSide(t *testing.T) {
	for _, n := range []int{1, 3, 10, 400, 20_000} {
		low, high := poissonInterval(n, 1)
		below := 1 - distuv.Poisson{Lambda: low}.CDF(float64(n-1))
		above := distuv.Poisson{Lambda: high}.CDF(float64(n))
		if math.Abs(below-0.025) > 1e-6 || math.Abs(above-0.025) > 1e-6 {
			t.Errorf("%d alarms: %v to %v leaves out %v and %v", n, low, high, below, above)
		}
	}
	if low, high := poissonInterval(0, 2); low != 0 || math.Abs(high+math.Log(0.025)/2) > 1e-9 {
		t.Errorf("no alarm: %v to %v", low, high)
	}
}

func TestRatesByHand(t *testing.T) {
	r := Rate{Budget: "1/1d", Streams: []CleanStream{
		{Kind: "a", Alarms: 4, Expected: 4, Seconds: 4 * 86400, EarlyAlarms: 1, EarlyExpected: 0.5},
		{Kind: "a", Alarms: 9, Expected: 4, Seconds: 4 * 86400},
		{Kind: "b", Alarms: 2, Expected: 4, Seconds: 4 * 86400},
		{Kind: "b", Alarms: 1, Expected: 4, Seconds: 4 * 86400},
	}}
	share, chance := r.Within()
	// P(2 ≤ N ≤ 8) of a Poisson distribution with mean 4.
	if r.Ratio() != 1 || r.of("a").Ratio() != 13.0/8 || share != 0.5 || math.Abs(chance-0.887059) > 1e-5 {
		t.Errorf("ratio %v, of a %v, within %v, by chance %v", r.Ratio(), r.of("a").Ratio(), share, chance)
	}
	var table bytes.Buffer
	if err := WriteRates(&table, []Rate{r}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| 1/1d ", "| a ", " 1.62 |", " 0.38 |", " 50% |", " 89% |", " 2.00 |"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("no %q in\n%s", want, table.String())
		}
	}
}
