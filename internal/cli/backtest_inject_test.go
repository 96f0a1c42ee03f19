package cli

import (
	"testing"

	"github.com/weirstream/weir/internal/eval/synthetic"
)

func TestInjectedAnomaliesOfAllKindsAreMeasuredForEachDetector(t *testing.T) {
	b := testBacktest(t)
	if err := b.choose([]string{"weir", "last value"}); err != nil {
		t.Fatal(err)
	}
	hosts := synthetic.Hosts()[:2] // without a daily pattern
	found, err := b.inject(t.Context(), hosts)
	if err != nil {
		t.Fatal(err)
	}
	if want := 2 * (len(synthetic.Anomalies) - 1); len(found) != want {
		t.Fatalf("%d results, want %d", len(found), want)
	}
	for i, f := range found {
		if a := synthetic.Anomalies[i/2]; f.Series != 2 || f.Kind != a.Kind || f.Detector != []string{"weir", "last value"}[i%2] {
			t.Errorf("result %d: %+v", i, f)
		}
		if f.Kind == "value, 25 sd" && f.Found != 2 {
			t.Errorf("%s found %d of 2 values 25 standard deviations away", f.Detector, f.Found)
		}
	}
}
