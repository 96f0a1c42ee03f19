package baseline

import (
	"math"
	"math/rand/v2"
	"strings"

	"github.com/weirstream/weir/ssm"
	"github.com/weirstream/weir/ssm/lti"
)

// initialize draws the parameters from seed: matrices uniform within ±1/√(fan-in) and
// the embedding normal with 0.02, as package train does for Mamba; S4D's A of S4D-Lin,
// its C standard normal and Δ log-uniform in 0.001 … 0.1 (Gu, Gupta et al. 2022).
func (p *params) initialize(c Config, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	var lin *lti.Diagonal
	if c.Kind == S4D {
		lin = lti.S4DLin(c.DState)
	}
	for _, t := range p.tensors {
		for i := range t.Data {
			t.Data[i] = float32(initialValue(t, i, lin, rng))
		}
	}
}

func initialValue(t ssm.Tensor, i int, lin *lti.Diagonal, rng *rand.Rand) float64 {
	has := func(suffix string) bool { return strings.HasSuffix(t.Name, suffix) }
	switch {
	case has("norm"), has("norm_f"), has("s4d.D"):
		return 1
	case has("A_log"):
		return math.Log(-real(lin.A[i%len(lin.A)]))
	case has("A_imag"):
		return imag(lin.A[i%len(lin.A)])
	case has("C_real"), has("C_imag"):
		return rng.NormFloat64() / math.Sqrt2
	case has("log_dt"):
		return math.Log(1e-3) + rng.Float64()*math.Log(100)
	case has("bias"):
		return 0
	case has("embedding"):
		return 0.02 * rng.NormFloat64()
	}
	return (2*rng.Float64() - 1) / math.Sqrt(float64(t.Shape[1]))
}
