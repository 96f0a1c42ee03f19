package eval

import (
	"fmt"
	"io"
	"slices"
)

// writeForecasts writes a Markdown table of the detectors that make forecasts, and how
// far the first of them is ahead of the best other one.
func writeForecasts(w io.Writer, results []Result) error {
	rows := [][]string{{
		"forecasts of the next event", "pinball", "median error", "by field", "inside 90% band", "below", "lower half", "upper half", "above",
	}}
	var makers []*Result
	for i := range results {
		r := &results[i]
		if r.Skill.N == 0 {
			continue
		}
		makers = append(makers, r)
		row := []string{
			r.Detector, number("%.3f", r.Skill.Relative()), number("%.5f", r.Skill.MedianError()), number("%.3f", r.Skill.ByField()),
		}
		shares := []float64{r.Skill.Coverage()}
		for _, p := range r.Skill.PIT() {
			shares = append(shares, p)
		}
		for _, p := range shares {
			if r.Skill.Banded == 0 {
				row = append(row, "–")
			} else {
				row = append(row, number("%.1f%%", 100*p))
			}
		}
		rows = append(rows, row)
	}
	if len(makers) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	if err := writeRows(w, rows); err != nil {
		return err
	}
	return writeLead(w, makers)
}

// writeLead compares the first forecasts with the best of the others.
func writeLead(w io.Writer, makers []*Result) error {
	if len(makers) < 2 || len(makers[0].Skill.Medians) == 0 {
		return nil
	}
	lead := func(measure func(*Skill) float64) (ahead float64, best string) {
		other := slices.MinFunc(makers[1:], func(a, b *Result) int { return cmpFloat(measure(&a.Skill), measure(&b.Skill)) })
		return 100 * (1 - measure(&makers[0].Skill)/measure(&other.Skill)), other.Detector
	}
	pooled, bestPooled := lead((*Skill).MedianError)
	byField, bestByField := lead((*Skill).ByField)
	_, err := fmt.Fprintf(w, "\n%s's median error is %.1f%% below that of the best other (%s), by field %.1f%% (%s), over %d fields that move\n",
		makers[0].Detector, pooled, bestPooled, byField, bestByField, len(makers[0].Skill.Medians))
	return err
}

func forecastJSON(k *Skill) map[string]any {
	all := map[string]any{
		"values": k.N, "relative_pinball_loss": orNull(k.Relative()),
		"median_error": orNull(k.MedianError()), "median_error_by_field": orNull(k.ByField()), "moving_fields": len(k.Medians),
	}
	if k.Banded > 0 {
		all["coverage_90"], all["pit"] = k.Coverage(), k.PIT()
	}
	return all
}
