package detector

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestPValuesAreAsProbableAsTheySay(t *testing.T) {
	draw := map[string]func(rng *rand.Rand) float64{
		"uniform":     (*rand.Rand).Float64,
		"exponential": (*rand.Rand).ExpFloat64,
		"heavy":       func(rng *rand.Rand) float64 { return math.Pow(rng.Float64(), -0.3) - 1 },
		"repeats":     func(rng *rand.Rand) float64 { return math.Floor(4 * rng.ExpFloat64()) },
	}
	for name, next := range draw {
		// Repeated surprises share a p-value, the greatest of them, and the fitted tail has
		// no end: there they may be too rare, never too frequent.
		likely := name == "exponential" || name == "heavy"
		rng, j := rand.New(rand.NewPCG(1, 1)), NewJudge(1)
		const events = 40_000
		below := map[float64]int{0.5: 0, 0.1: 0, 0.01: 0, 0.001: 0}
		for i := range events {
			x := next(rng)
			if i >= 2*judged {
				for p := range below {
					if j.pvalue(x) <= p {
						below[p]++
					}
				}
			}
			j.learn(x)
		}
		for p, n := range below {
			got := float64(n) / (events - 2*judged)
			if got > 1.7*p || likely && got < p/1.7 {
				t.Errorf("%s: %v of the p-values are at most %v", name, got, p)
			}
		}
	}
}

func TestPValuesFallAsSurprisesGrow(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	j := NewJudge(1)
	for range 3000 {
		j.learn(rng.ExpFloat64())
	}
	before := 2.0
	for x := -1.0; x < 1e6; x = x*1.1 + 0.01*math.Abs(x) + 0.01 {
		p := j.pvalue(x)
		if !(p > 0 && p <= 1) || p > before {
			t.Fatalf("p-value of %v is %v, of less %v", x, p, before)
		}
		before = p
		if x < 0 {
			x = 0
		}
	}
}

func TestJudgeKeepsTheLatest(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	j := NewJudge(1)
	var all []float64
	for range 2*judged + 123 {
		x := math.Floor(100 * rng.Float64())
		all = append(all, x)
		j.learn(x)
	}
	if want := slices.Sorted(slices.Values(all[len(all)-judged:])); !slices.Equal(j.sorted, want) {
		t.Error("the sorted surprises are not the latest ones")
	}
}

func TestAlarmsKeepToTheBudget(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	const day = 24 * 3600
	j := NewJudge(4.0 / day) // four a day
	alarms := 0
	const days = 60
	for i := range days * 24 * 60 {
		if j.Score(int64(i)*60_000, rng.ExpFloat64()) > 1 {
			alarms++
		}
	}
	if alarms < 4*days*2/3 || alarms > 4*days*3/2 {
		t.Errorf("%d alarms in %d days, want about %d", alarms, days, 4*days)
	}
}
