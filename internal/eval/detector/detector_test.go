package detector

import (
	"math"
	"math/rand/v2"
	"testing"
)

// step is the time between two events, so that a day is 144.
const step = 10 * 60_000

// noise is n events of the given number of fields, with a daily season.
func noise(n, fields int, seed uint64) [][]float64 {
	rng := rand.New(rand.NewPCG(seed, 0))
	rows := make([][]float64, n)
	for i := range rows {
		for f := range fields {
			season := math.Sin(2 * math.Pi * float64(i) / 144)
			rows[i] = append(rows[i], float64(10*f)+season+0.1*rng.NormFloat64())
		}
	}
	return rows
}

func scores(d Detector, rows [][]float64) []float64 {
	all := make([]float64, len(rows))
	for i, row := range rows {
		all[i] = d(int64(i)*step, row)
	}
	return all
}

func TestScoresDependOnNoLaterEvent(t *testing.T) {
	for _, b := range Baselines {
		for _, fields := range []int{1, 8} {
			rows := noise(500, fields, 1)
			whole := scores(b.New(fields), rows)
			for i := 400; i < len(rows); i++ {
				rows[i] = noise(1, fields, uint64(i))[0]
				rows[i][0] *= 1e6
			}
			for i, s := range scores(b.New(fields), rows)[:400] {
				if s != whole[i] || math.IsNaN(s) || s < 0 {
					t.Fatalf("%s, %d fields: event %d scored %v, with another future %v", b.Name, fields, i, whole[i], s)
				}
			}
		}
	}
}

// settled is when the detectors have seen a few days.
const settled = 450

func TestASpikeIsTheGreatestSurprise(t *testing.T) {
	for _, b := range Baselines {
		if b.Name == "half-space trees" {
			continue // they see how full a region is, and beyond the last cut all is one
		}
		for _, fields := range []int{1, 8} {
			rows := noise(900, fields, 2) // ends before a season later, when its absence surprises
			const at = 800
			for f := range min(fields, loudest) {
				rows[at][f] += 25
			}
			all := scores(b.New(fields), rows)
			greatest := 0
			for i := settled; i < len(all); i++ {
				if all[i] > all[greatest] || greatest < settled {
					greatest = i
				}
			}
			if greatest < at || greatest >= at+smoothed {
				t.Errorf("%s, %d fields: the greatest surprise is at %d, the spike at %d", b.Name, fields, greatest, at)
			}
		}
	}
}

func TestHalfSpaceTreesSeeWhatWasRare(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 0))
	d := newHalfSpace(newShingle(1, true)).score
	ordinary, odd := 0.0, 0.0
	for i := range 3000 {
		x := rng.NormFloat64()
		if i >= 2900 && i < 2920 {
			x = -8
		}
		s := d(int64(i)*step, []float64{x})
		switch {
		case i >= 2908 && i < 2920:
			odd += s / 12
		case i >= 1000 && i < 2900:
			ordinary += s / 1900
		}
	}
	if odd < ordinary+1 { // natural logarithms of mass
		t.Errorf("surprise %v, ordinarily %v", odd, ordinary)
	}
}

func TestSeasonalRemembersTheDayBefore(t *testing.T) {
	d := new(seasonal)
	for i := range 3 * 144 {
		// A square wave: a day later everything is as expected.
		x := float64(i % 144 / 72)
		if s := d.score(int64(i)*step, x); i >= 144 && s != 0 {
			t.Fatalf("event %d: surprise %v", i, s)
		}
	}
	if s := d.score(3*144*step, 1); s <= 0 {
		t.Errorf("surprise of a broken season is %v", s)
	}
}

func TestAutoregressionLearnsASine(t *testing.T) {
	d := newAutoregression()
	value := func(i int) float64 { return 40 + 3*math.Sin(float64(i)/5) }
	early, late := 0.0, 0.0
	for i := range 6000 {
		before := d.forecast()
		d.score(0, value(i))
		miss := math.Abs(d.past[0] - before)
		if i >= 20 && i < 40 {
			early += miss
		}
		if i >= 5980 {
			late += miss
		}
	}
	if !(late < early/20) {
		t.Errorf("misses of 20 forecasts sum to %v, at first %v", late, early)
	}
}

func TestAutoregressionSurvivesConstants(t *testing.T) {
	d := newAutoregression()
	for i := range 20_000 {
		if s := d.score(0, float64(i/10_000)); math.IsNaN(s) || math.IsInf(s, 0) {
			t.Fatalf("event %d: %v", i, s)
		}
	}
	for range 100 {
		if s := d.score(0, 1e300); math.IsNaN(s) || math.IsInf(s, 0) {
			t.Fatal(s)
		}
	}
}

func TestMissingValuesSurpriseNobody(t *testing.T) {
	for _, b := range Baselines {
		rows := noise(800, 3, 4)
		for i, row := range rows {
			row[i%3] = math.NaN()
			if i%50 == 0 {
				rows[i] = []float64{math.NaN(), math.NaN(), math.NaN()}
			}
		}
		for i, s := range scores(b.New(3), rows) {
			if math.IsNaN(s) {
				t.Fatalf("%s: event %d has no score", b.Name, i)
			}
		}
	}
}

func BenchmarkBaselines(b *testing.B) {
	rows := noise(2000, 1, 5)
	for _, base := range Baselines {
		b.Run(base.Name, func(b *testing.B) {
			d, i := base.New(1), 0
			b.ReportAllocs()
			for b.Loop() {
				d(int64(i)*step, rows[i%len(rows)])
				i++
			}
		})
	}
}
