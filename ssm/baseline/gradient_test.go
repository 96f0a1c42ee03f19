package baseline

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/weirstream/weir/ssm/train"
)

// configs have sizes that are no multiples of the kernels' lanes.
var configs = []Config{
	{Kind: GRU, Vocab: 7, DModel: 10, NLayer: 2},
	{Kind: Attention, Vocab: 7, DModel: 12, NLayer: 1, NHead: 2},
	{Kind: S4D, Vocab: 7, DModel: 18, NLayer: 2, DState: 6},
}

// testModel has parameters away from where training starts: no bias is zero, no
// derivative is small for want of signal.
func testModel(t testing.TB, c Config) *Model {
	t.Helper()
	m, err := New(c, 1)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(2, 2))
	for i := range m.params.slab {
		m.params.slab[i] += float32(0.2 * rng.NormFloat64())
	}
	m.weights.repack(c, m.params)
	return m
}

func testTokens(n, vocab int, seed uint64) []int32 {
	rng := rand.New(rand.NewPCG(seed, 3))
	tokens := make([]int32, n)
	for i := range tokens {
		tokens[i] = int32(rng.IntN(vocab))
	}
	return tokens
}

func testWindow(n, vocab int) *train.Window {
	w := &train.Window{Tokens: testTokens(n, vocab, 5), Labels: testTokens(n, vocab, 6)}
	for t := 0; t < n; t += 3 {
		w.Labels[t] = -1
	}
	return w
}

func TestForwardIsThatOfTheFormulas(t *testing.T) {
	for _, c := range configs {
		t.Run(c.Kind.String(), func(t *testing.T) {
			m := testModel(t, c)
			tokens := testTokens(70, c.Vocab, 7)
			got, want := m.Logits(tokens), newReference(m).logits(tokens)
			if e := relativeError(got, want); !(e < 2e-5) {
				t.Errorf("logits: relative error %.1e", e)
			}
		})
	}
}

func TestGradientsAreFiniteDifferencesInFloat64(t *testing.T) {
	for _, c := range configs {
		t.Run(c.Kind.String(), func(t *testing.T) {
			m := testModel(t, c)
			w := testWindow(queryBlock+4, c.Vocab)
			grad := newParams(c)
			loss := newPass(m).run(grad, w, 1)
			ref := newReference(m)
			if want := ref.loss(w); math.Abs(loss/want-1) > 1e-5 {
				t.Errorf("loss is %v, want %v", loss, want)
			}
			worst, at := 0.0, 0
			for _, tensor := range grad.tensors {
				var got []float32
				var want []float64
				for i := 0; i < len(tensor.Data); i += 1 + len(tensor.Data)/50 { // a share of a large one
					got, want = append(got, tensor.Data[i]), append(want, ref.slope(w, at+i))
				}
				at += len(tensor.Data)
				e := relativeError(got, want)
				worst = max(worst, e)
				if !(e < 1e-3) {
					t.Errorf("gradient of %s: relative error %.1e", tensor.Name, e)
				}
			}
			t.Logf("worst relative error of a tensor's gradient: %.1e", worst)
		})
	}
}

// relativeError is |got - want| / |want|, Euclidean norms.
func relativeError(got []float32, want []float64) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	var diff, norm float64
	for i, v := range want {
		d := float64(got[i]) - v
		diff += d * d
		norm += v * v
	}
	return math.Sqrt(diff / norm)
}
