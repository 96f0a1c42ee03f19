package operator

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirstream/weir/ssm/fmath"
)

// Evidence that is too great, too small or comes in runs leads to nearly as many alarms,
// within ten events, or a tenth of the time between two, taken as one, as are asked for all the same.
func TestAlarmsComeAsOftenAsTheyAreAskedForWhateverTheEvidence(t *testing.T) {
	runs := func(r *rand.Rand) func() float64 {
		level := 0.0
		return func() float64 {
			if r.IntN(10) == 0 {
				level = r.ExpFloat64()
			}
			return level
		}
	}
	scaled := func(factor float64) func(r *rand.Rand) func() float64 {
		return func(r *rand.Rand) func() float64 {
			return func() float64 { return factor * r.ExpFloat64() }
		}
	}
	for name, source := range map[string]func(*rand.Rand) func() float64{
		"as it is": scaled(1), "half": scaled(0.5), "a quarter more": scaled(1.25), "in runs of ten": runs,
	} {
		for _, every := range []float64{12, 100, 2000} {
			var j judge
			next, alarms, n, last := source(rand.New(rand.NewPCG(1, 2))), 0.0, 200*every, -100
			asked := fmath.Log(every)
			for i := range int(n) {
				v := verdict{pvalue: fmath.Exp(-next())}
				j.n++
				j.gate(&v, asked, 0)
				if v.news && v.reach > 1 && j.n > warmEvents {
					if float64(i-last) > min(10, every/10) {
						alarms++
					}
					last = i
				}
			}
			if ratio := alarms * every / n; ratio < 0.7 || ratio > 1.4 {
				t.Errorf("%s, asked for one in %v events: %v alarms in %v", name, every, alarms, n)
			}
		}
	}
}

func TestRarerAlarmsNeedMoreEvidenceWhateverWasLearnt(t *testing.T) {
	evidence := rapid.Float64Range(0, 700)
	rapid.Check(t, func(rt *rapid.T) {
		level := rapid.Float64Range(math.Ln2, 34.6)
		first := firstLevel(level.Draw(rt, "alarms"))
		var k peaks
		for n, e := range rapid.SliceOfN(evidence, 0, 300).Draw(rt, "evidence") {
			k.learn(uint64(n+1), e, evidence.Draw(rt, "before"), first)
		}
		often, seldom := max(level.Draw(rt, "often"), first), max(level.Draw(rt, "seldom"), first)
		o, s := k.needed(often, first), k.needed(seldom, first)
		if often < seldom && !(o < s) || !(o > 0 && o < maxPeak) {
			rt.Errorf("level %v needs %v, %v needs %v", often, o, seldom, s)
		}
		var again peaks
		if err := again.decode(k.appendBinary(nil)); err != nil || again != k {
			rt.Errorf("%v is read again as %v: %v", k, again, err)
		}
	})
}
