package operator

import (
	"testing"

	"github.com/weirstream/weir/statestore"
)

func TestEachPartLeftOutChangesScores(t *testing.T) {
	m := tinyModel(t, 3)
	var events []Event
	for i := range int64(700) { // five days
		events = append(events, wide("s", i, 600*float64(i), 0, 8))
	}
	scores := func(without Part) (all []float64) {
		cfg := testConfig
		cfg.Without = without
		o, _ := open(t, m, statestore.NewMemory(), 1, cfg)
		for i := range events {
			for _, p := range apply(t, o, events[i]).Predictions {
				all = append(all, p.AnomalyScore)
			}
		}
		return all
	}
	whole, names := scores(0), map[string]bool{}
	for _, part := range Parts {
		differ := 0
		for i, s := range scores(part) {
			if s != whole[i] {
				differ++
			}
		}
		if differ == 0 || names[part.String()] || part.String() == "nothing" {
			t.Errorf("without %s %d of %d scores differ", part, differ, len(whole))
		}
		names[part.String()] = true
	}
}
