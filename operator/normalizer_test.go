package operator

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// wildValue draws finite numbers of every kind a stream may send.
func wildValue() *rapid.Generator[float64] {
	return rapid.OneOf(
		rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64),
		rapid.SampledFrom([]float64{
			0, math.Copysign(0, -1), 1, -1, 1e308, -1e308, math.MaxFloat64, -math.MaxFloat64,
			5e-324, -5e-324, 1e-300, 1e12, 1e12 + 1,
		}),
		rapid.Float64Range(0, 1),
	)
}

// wildStream draws a stream: independent wild values, or a shape whose scale is wild.
func wildStream() *rapid.Generator[[]float64] {
	return rapid.Custom(func(t *rapid.T) []float64 {
		length := rapid.IntRange(1, 200).Draw(t, "length")
		shape := rapid.IntRange(0, 4).Draw(t, "shape")
		a, b := wildValue().Draw(t, "a"), wildValue().Draw(t, "b")
		values := make([]float64, length)
		for i := range values {
			switch shape {
			case 0:
				values[i] = wildValue().Draw(t, "x")
			case 1: // constant, then another constant
				values[i] = a
				if i > length/2 {
					values[i] = b
				}
			case 2: // alternating
				values[i] = [2]float64{a, b}[i%2]
			case 3: // counter
				values[i] = math.Max(math.Min(a/2+float64(i)*b/1000, math.MaxFloat64), -math.MaxFloat64)
			case 4: // rare spikes
				if i%50 == 49 {
					values[i] = a
				}
			}
		}
		return values
	})
}

func checkNormalizer(t *rapid.T, n *normalizer) {
	for i, f := range n.floats() {
		if math.IsNaN(*f) || math.IsInf(*f, 0) {
			t.Fatalf("float %d of %+v is not finite", i, *n)
		}
	}
	b := n.appendBinary(nil)
	if len(b) != normalizerSize {
		t.Fatalf("encoded in %d bytes, want %d", len(b), normalizerSize)
	}
	var back normalizer
	if err := back.decode(b); err != nil || back != *n {
		t.Fatalf("decode gives %+v, %v; want %+v", back, err, *n)
	}
}

func TestNormalizerIsFiniteOnWildStreams(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var n normalizer
		gaps := rapid.SampledFrom([]float64{0, -5, 1e-9, 1, 60, 1e15})
		var in [nFeatures]float32
		for _, x := range wildStream().Draw(t, "values") {
			gap := gaps.Draw(t, "gap")
			n.observe(x, gap)
			checkNormalizer(t, &n)
			ratio := n.gapRatio(gaps.Draw(t, "next gap"))
			if !(ratio >= minGapRatio && ratio <= maxGapRatio) {
				t.Fatalf("gap ratio %v", ratio)
			}
			n.features(in[:], ratio)
			for i, f := range in {
				if !(f >= -featureBound && f <= featureBound) {
					t.Fatalf("feature %d is %v for %+v", i, f, n)
				}
			}
			if !(n.unit() > 0) {
				t.Fatalf("unit %v", n.unit())
			}
			next := wildValue().Draw(t, "next")
			c := n.axis().coordinate(next)
			if !(math.Abs(c) <= maxCoordinate) {
				t.Fatalf("coordinate %v of %v", c, next)
			}
			if v := n.axis().value(c); math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("value %v of coordinate %v", v, c)
			}
		}
	})
}

func TestAxisValueInvertsCoordinate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := axis{origin: rapid.Float64Range(-1e6, 1e6).Draw(t, "origin"), unit: rapid.Float64Range(1e-3, 1e3).Draw(t, "unit")}
		x := rapid.Float64Range(-1e9, 1e9).Draw(t, "x")
		if got := a.value(a.coordinate(x)); math.Abs(got-x) > 1e-9*(math.Abs(x)+math.Abs(a.origin)+a.unit) {
			t.Fatalf("value(coordinate(%v)) = %v", x, got)
		}
	})
}

// A change of unit by a power of two is exact in floating point; the features keep
// nothing of it but the last bits of the logarithms.
func TestFeaturesAreFreeOfTheUnit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		factor := math.Ldexp(1, rapid.IntRange(-30, 30).Draw(t, "exponent"))
		var a, b normalizer
		x := 0.0
		for range rapid.IntRange(3, 100).Draw(t, "length") {
			x += rapid.Float64Range(-1, 1).Draw(t, "change")
			a.observe(x, 60)
			b.observe(x*factor, 3600)
		}
		if a.changes == 0 {
			return
		}
		var inA, inB [nFeatures]float32
		a.features(inA[:], a.gapRatio(60))
		b.features(inB[:], b.gapRatio(3600))
		for i := range inA {
			if math.Abs(float64(inA[i]-inB[i])) > 1e-5 {
				t.Fatalf("feature %d is %v in one unit, %v in the other", i, inA[i], inB[i])
			}
		}
	})
}

func TestNormalizerFollowsANewOrderOfMagnitude(t *testing.T) {
	var n normalizer
	for i := range 5000 {
		n.observe(float64(i%2)*1e-9, 60)
	}
	for i := range 1000 {
		n.observe(1000+float64(i%2), 60)
	}
	if unit := n.unit(); unit < 0.3 || unit > 2 {
		t.Errorf("typical change %v after 1000 changes of 1, want about 1", unit)
	}
}

func TestOneOutlierHardlyMovesTheScale(t *testing.T) {
	var n normalizer
	for i := range 5000 {
		n.observe(float64(i%2), 60)
	}
	before := n
	n.observe(1e12, 60)
	if n.scale > 2*before.scale || n.unit() > 2*before.unit() || math.Abs(n.centre-before.centre) > 0.5 {
		t.Errorf("scale %v to %v, change %v to %v, centre %v to %v",
			before.scale, n.scale, before.unit(), n.unit(), before.centre, n.centre)
	}
}

func TestTypicalGapResistsOutages(t *testing.T) {
	var n normalizer
	for i := range 500 {
		gap := 60.0
		if i%100 == 99 {
			gap = 86400
		}
		n.observe(float64(i), gap)
	}
	if ratio := n.gapRatio(60); math.Abs(ratio-1) > 0.1 {
		t.Errorf("the usual gap is %v typical gaps, want about 1", ratio)
	}
}

func FuzzNormalizerDecode(f *testing.F) {
	var n normalizer
	for i := range 10 {
		n.observe(float64(i*i), 1)
	}
	f.Add(n.appendBinary(nil), 1.0)
	f.Add(make([]byte, normalizerSize), 1.0)
	f.Fuzz(func(t *testing.T, b []byte, x float64) {
		var n normalizer
		if err := n.decode(b); err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return
		}
		n.observe(x, 1)
		n.observe(-x, 1)
		var in [nFeatures]float32
		n.features(in[:], 1)
		for i, v := range in {
			if !(v >= -featureBound && v <= featureBound) {
				t.Fatalf("feature %d is %v", i, v)
			}
		}
	})
}
