package train

import (
	"math"
	"math/rand/v2"
	"strings"

	"github.com/weirstream/weir/ssm"
)

// Initial returns the parameters that training from scratch starts with, drawn
// from seed as Mamba's authors do: A = -1, -2, … along d_state in every channel
// (S4D-Real), D = 1, Δ log-uniform in 0.001 … 0.1, which is a memory of ten to a
// thousand events, and matrices uniform within ±1/√(fan-in). d must be valid.
func Initial(d ssm.Dims, seed uint64) []ssm.Tensor {
	rng := rand.New(rand.NewPCG(seed, 0))
	tensors := ssm.Shapes(d)
	for i := range tensors {
		t := &tensors[i]
		n := 1
		for _, size := range t.Shape {
			n *= size
		}
		t.Data = make([]float32, n)
		fanIn := n / t.Shape[0]
		for j := range t.Data {
			t.Data[j] = float32(initialValue(t.Name, j, fanIn, d, rng))
		}
	}
	return tensors
}

func initialValue(name string, i, fanIn int, d ssm.Dims, rng *rand.Rand) float64 {
	switch {
	case strings.HasSuffix(name, "A_log"):
		return math.Log(float64(i%d.DState + 1))
	case strings.HasSuffix(name, ".D"), strings.HasSuffix(name, "norm.weight"), strings.HasSuffix(name, "norm_f.weight"):
		return 1
	case strings.HasSuffix(name, "dt_proj.bias"):
		dt := math.Exp(rng.Float64()*math.Log(100) + math.Log(1e-3))
		return dt + math.Log(-math.Expm1(-dt)) // softplus of this is dt
	case strings.HasSuffix(name, ".bias"):
		return 0
	case strings.HasSuffix(name, "embeddings.weight"):
		return 0.02 * rng.NormFloat64()
	}
	return (2*rng.Float64() - 1) / math.Sqrt(float64(fanIn))
}
