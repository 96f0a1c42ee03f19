package eval

import (
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
)

// near is how many events apart two alarms of one episode may be.
const near = 10

// Episodes returns the stretches of a stream's events that its owner would take for one
// alarm each: alarms at most ten events apart are one, unless more than a tenth of the
// budget's time lies between them. Times are Unix milliseconds.
func Episodes(times []int64, alarms []bool, per time.Duration) []Range {
	var all []Range
	for i, alarm := range alarms {
		if !alarm {
			continue
		}
		if n := len(all); n > 0 && i-all[n-1].Last <= near && times[i]-times[all[n-1].Last] <= per.Milliseconds()/10 {
			all[n-1].Last = i
			continue
		}
		all = append(all, Range{i, i})
	}
	return all
}

// FalseEpisodes counts the episodes of a run that overlap no label, and the time outside
// of labels in which they fell, from the given event on. Time is counted as by
// [CountAlarms].
func FalseEpisodes(s *Series, r *Run, per time.Duration, from int) (n int, time float64) {
	in := s.labelled()
	for _, e := range Episodes(s.Times, r.alarms(), per) {
		if e.First >= from && !slices.Contains(in[e.First:e.Last+1], true) {
			n++
		}
	}
	return n, float64(len(in)-from-count(in[from:])) * s.gap() / 1000
}

// A CleanStream is what was counted of one stream in which nothing happened.
type CleanStream struct {
	Kind     string  // of stream
	Alarms   int     // episodes of false alarms
	Expected float64 // of those, by the budget
	Seconds  float64 // of the stream
	// EarlyAlarms and EarlyExpected are those of the stream's first events, where that is
	// known.
	EarlyAlarms   int
	EarlyExpected float64
}

// A Rate compares the false alarms of many streams with their budget.
type Rate struct {
	Budget  string
	Streams []CleanStream
}

// of returns the streams of a kind, all for "".
func (r Rate) of(kind string) Rate {
	if kind != "" {
		r.Streams = slices.DeleteFunc(slices.Clone(r.Streams), func(s CleanStream) bool { return s.Kind != kind })
	}
	return r
}

// Total sums over streams.
func (r Rate) Total() (sum CleanStream) {
	for _, s := range r.Streams {
		sum.Alarms += s.Alarms
		sum.Expected += s.Expected
		sum.Seconds += s.Seconds
		sum.EarlyAlarms += s.EarlyAlarms
		sum.EarlyExpected += s.EarlyExpected
	}
	return sum
}

// Ratio is measured over budget: 1 is what was asked for.
func (r Rate) Ratio() float64 {
	sum := r.Total()
	return float64(sum.Alarms) / sum.Expected
}

// Interval is the exact 95% interval of Ratio, were alarms independent (Garwood 1936).
func (r Rate) Interval() (low, high float64) {
	sum := r.Total()
	return poissonInterval(sum.Alarms, sum.Expected)
}

func poissonInterval(n int, expected float64) (low, high float64) {
	if n > 0 {
		low = distuv.Gamma{Alpha: float64(n), Beta: 1}.Quantile(0.025) / expected
	}
	return low, distuv.Gamma{Alpha: float64(n + 1), Beta: 1}.Quantile(0.975) / expected
}

// Within is the share of single streams with between half and twice the alarms of their
// budget, and chance the share that would be if each stream's alarms came at random at
// just that rate.
func (r Rate) Within() (share, chance float64) {
	for _, s := range r.Streams {
		if n := float64(s.Alarms); n >= s.Expected/2 && n <= 2*s.Expected {
			share++
		}
		p := distuv.Poisson{Lambda: s.Expected}
		chance += p.CDF(math.Floor(2*s.Expected)) - p.CDF(math.Ceil(s.Expected/2)-1)
	}
	n := float64(len(r.Streams))
	return share / n, chance / n
}

// kinds lists the kinds of streams in the order they were added.
func kinds(rates []Rate) (names []string) {
	for _, r := range rates {
		for _, s := range r.Streams {
			if !slices.Contains(names, s.Kind) {
				names = append(names, s.Kind)
			}
		}
	}
	return names
}

// WriteRates writes a Markdown table of the rates, and one of the ratios by kind of
// stream.
func WriteRates(w io.Writer, rates []Rate) error {
	rows := [][]string{{"budget", "streams", "stream-weeks", "expected", "alarms", "measured / budget", "95% by chance", "streams within a factor 2", "by chance", "while young"}}
	for _, r := range rates {
		sum := r.Total()
		low, high := r.Interval()
		share, chance := r.Within()
		rows = append(rows, []string{
			r.Budget, fmt.Sprint(len(r.Streams)), number("%.1f", 1000*sum.Seconds/weekMilliseconds), number("%.1f", sum.Expected),
			fmt.Sprint(sum.Alarms), number("%.2f", r.Ratio()), fmt.Sprintf("%.2f … %.2f", low, high),
			number("%.0f%%", 100*share), number("%.0f%%", 100*chance),
			number("%.2f", float64(sum.EarlyAlarms)/sum.EarlyExpected),
		})
	}
	if err := writeRows(w, rows); err != nil {
		return err
	}
	if _, err := fmt.Fprint(w, "\nMeasured / budget by kind of stream:\n\n"); err != nil {
		return err
	}
	rows = [][]string{{"kind"}}
	for _, r := range rates {
		rows[0] = append(rows[0], r.Budget)
	}
	for _, kind := range kinds(rates) {
		row := []string{kind}
		for _, r := range rates {
			row = append(row, number("%.2f", r.of(kind).Ratio()))
		}
		rows = append(rows, row)
	}
	return writeRows(w, rows)
}
