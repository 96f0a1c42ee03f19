package eval

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// columns are the table's, with how a result is shown in them.
var columns = []struct {
	title string
	cell  func(r *Result) string
}{
	{"detector", func(r *Result) string { return r.Detector }},
	{"NAB std", func(r *Result) string { return number("%.1f", r.NAB[0].Score) }},
	{"halves", func(r *Result) string { return number("%.1f", r.NABHalves) }},
	{"budget", func(r *Result) string { return number("%.1f", r.NABBudget) }},
	{"low FP", func(r *Result) string { return number("%.1f", r.NAB[1].Score) }},
	{"low FN", func(r *Result) string { return number("%.1f", r.NAB[2].Score) }},
	{"VUS-PR", func(r *Result) string { return number("%.3f", r.VUSPR) }},
	{"VUS-ROC", func(r *Result) string { return number("%.3f", r.VUSROC) }},
	{"AUC-PR", func(r *Result) string { return number("%.3f", r.AUCPR) }},
	{"best F1", func(r *Result) string { return number("%.3f", r.F1) }},
	{"precision", func(r *Result) string { return number("%.2f", r.Alarms.Precision()) }},
	{"recall", func(r *Result) string { return number("%.2f", r.Alarms.Recall()) }},
	{"delay", func(r *Result) string { return duration(r.Alarms.MedianDelay()) }},
	{"false/week", func(r *Result) string { return number("%.2f", r.Alarms.FalseAWeek()) }},
	{"values/s", func(r *Result) string { return thousands(r.ValuesPerSecond) }},
}

// WriteTable writes results as a Markdown table whose columns line up, and one of the
// detectors that make forecasts.
func WriteTable(w io.Writer, results []Result) error {
	rows := make([][]string, len(results)+1)
	for i := range rows {
		for _, c := range columns {
			if i == 0 {
				rows[i] = append(rows[i], c.title)
			} else {
				rows[i] = append(rows[i], c.cell(&results[i-1]))
			}
		}
	}
	if err := writeRows(w, rows); err != nil {
		return err
	}
	return writeForecasts(w, results)
}

// writeRows writes a Markdown table, its first row the header.
func writeRows(w io.Writer, rows [][]string) error {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for c, cell := range row {
			width[c] = max(width[c], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for i, row := range rows {
		for c, cell := range row {
			pad := strings.Repeat(" ", width[c]-utf8.RuneCountInString(cell))
			if c == 0 {
				b.WriteString("| " + cell + pad + " |")
			} else {
				b.WriteString(" " + pad + cell + " |")
			}
		}
		b.WriteByte('\n')
		if i > 0 {
			continue
		}
		for c := range row {
			if c == 0 {
				b.WriteString("|" + strings.Repeat("-", width[c]+2) + "|")
			} else {
				b.WriteString(strings.Repeat("-", width[c]+1) + ":|")
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// number formats x, a dash for what is none.
func number(format string, x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "–"
	}
	return fmt.Sprintf(format, x)
}

// duration formats seconds in a unit that keeps them short.
func duration(seconds float64) string {
	switch {
	case seconds < 100:
		return number("%.0f s", seconds)
	case seconds < 100*60:
		return number("%.0f min", seconds/60)
	}
	return number("%.1f h", seconds/3600)
}

func thousands(x float64) string {
	switch {
	case x >= 1e6:
		return number("%.1fM", x/1e6)
	case x >= 1e3:
		return number("%.0fk", x/1e3)
	}
	return number("%.0f", x)
}

// MarshalJSON writes what the table shows, in full precision, and each series' areas.
// What is no number is null.
func (r Result) MarshalJSON() ([]byte, error) {
	type object map[string]any
	nab := object{}
	for i, name := range [3]string{"standard", "low_fp", "low_fn"} {
		s := r.NAB[i]
		nab[name] = object{
			"score": orNull(s.Score), "threshold": orNull(s.Threshold),
			"found": s.Found, "windows": s.Windows, "false_positives": s.FalsePositives,
		}
	}
	series := make([]object, len(r.Series))
	for i, s := range r.Series {
		series[i] = areas(s.VUSPR, s.VUSROC, s.AUCPR, s.F1)
		series[i]["name"] = s.Name
		series[i]["alarms"] = alarmsJSON(&s.Alarms)
	}
	all := areas(r.VUSPR, r.VUSROC, r.AUCPR, r.F1)
	all["detector"], all["nab"], all["alarms"] = r.Detector, nab, alarmsJSON(&r.Alarms)
	all["nab_halves"], all["nab_budget"] = orNull(r.NABHalves), orNull(r.NABBudget)
	all["values_per_second"], all["series"] = orNull(r.ValuesPerSecond), series
	if r.Skill.N > 0 {
		all["forecast"] = forecastJSON(&r.Skill)
	}
	return json.Marshal(all)
}

func areas(vusPR, vusROC, aucPR, f1 float64) map[string]any {
	return map[string]any{"vus_pr": orNull(vusPR), "vus_roc": orNull(vusROC), "auc_pr": orNull(aucPR), "best_f1": orNull(f1)}
}

func alarmsJSON(a *Alarms) map[string]any {
	return map[string]any{
		"incidents": a.Incidents, "found": a.Found, "right": a.Right, "false": a.False, "weeks": a.Weeks,
		"precision": orNull(a.Precision()), "recall": orNull(a.Recall()),
		"median_delay_s": orNull(a.MedianDelay()), "false_a_week": orNull(a.FalseAWeek()),
	}
}

// orNull is x, or nil if it is no finite number, which JSON cannot write.
func orNull(x float64) any {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return x
}

// WriteSeriesTable writes the VUS-PR of each detector and series as a Markdown table.
func WriteSeriesTable(w io.Writer, results []Result) error {
	rows := [][]string{{"series"}}
	for _, r := range results {
		rows[0] = append(rows[0], r.Detector)
		for i, s := range r.Series {
			if len(rows) <= i+1 {
				rows = append(rows, []string{s.Name})
			}
			rows[i+1] = append(rows[i+1], number("%.3f", s.VUSPR))
		}
	}
	return writeRows(w, rows)
}
