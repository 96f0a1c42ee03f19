package synthetic

import (
	"math"
	"testing"
	"time"
)

func TestNullsAreFiniteDistinctAndRepeatable(t *testing.T) {
	names := map[string]bool{}
	for _, n := range Nulls {
		if names[n.Name] {
			t.Errorf("two nulls are called %s", n.Name)
		}
		names[n.Name] = true
		a, b, other := n.Stream(7, time.Minute), n.Stream(7, time.Minute), n.Stream(8, time.Minute)
		differs, moved, last, lastTime := false, false, math.NaN(), Start-1
		for i := range 3000 {
			at, x := a()
			atB, xB := b()
			_, xOther := other()
			if at != atB || x != xB {
				t.Fatalf("%s: event %d is %v at %d, the second time %v at %d", n.Name, i, x, at, xB, atB)
			}
			if math.IsNaN(x) || math.IsInf(x, 0) || at <= lastTime || !n.Irregular && at != Start+int64(i)*60_000 {
				t.Fatalf("%s: event %d is %v at %d, after %d", n.Name, i, x, at, lastTime)
			}
			differs, moved = differs || x != xOther, moved || x != last && i > 0
			last, lastTime = x, at
		}
		if !differs || !moved {
			t.Errorf("%s: differs between seeds: %v, moves: %v", n.Name, differs, moved)
		}
		if mean := float64(lastTime-Start) / 2999; mean < 55_000 || mean > 65_000 {
			t.Errorf("%s: mean gap of %v ms", n.Name, mean)
		}
	}
}

func TestNullsAreWhatTheirNamesSay(t *testing.T) {
	const n = 20_000
	shares := map[string]func(x []float64) bool{
		"sparse": func(x []float64) bool {
			s := share(x, func(i int) bool { return x[i] == x[0] || x[i] == x[1] })
			return s > 0.85
		},
		"quantised": func(x []float64) bool {
			distinct := map[float64]bool{}
			for _, v := range x {
				distinct[math.Round(v*1e9)/1e9] = true
			}
			return len(distinct) < 60
		},
		"counter": func(x []float64) bool { return share(x[1:], func(i int) bool { return x[i+1] >= x[i] }) == 1 },
		"heavy tails (Student t, 3)": func(x []float64) bool {
			return kurtosis(x) > 6
		},
		"white noise": func(x []float64) bool { return math.Abs(kurtosis(x)-3) < 0.3 },
	}
	for _, null := range Nulls {
		check := shares[null.Name]
		if check == nil {
			continue
		}
		next := null.Stream(3, time.Minute)
		x := make([]float64, n)
		for i := range x {
			_, x[i] = next()
		}
		if !check(x) {
			t.Errorf("%s is none: %v …", null.Name, x[:12])
		}
	}
}

func share(x []float64, is func(i int) bool) float64 {
	n := 0
	for i := range x {
		if is(i) {
			n++
		}
	}
	return float64(n) / float64(len(x))
}

func kurtosis(x []float64) float64 {
	mean, second, fourth := 0.0, 0.0, 0.0
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		d := v - mean
		second += d * d / float64(len(x))
		fourth += d * d * d * d / float64(len(x))
	}
	return fourth / (second * second)
}
