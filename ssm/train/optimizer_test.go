package train

import (
	"math"
	"testing"

	"github.com/weirstream/weir/ssm"
)

// The numbers are those of torch.optim.AdamW (2.15.0) with betas (0.9, 0.98), after
// clip_grad_norm_ to 1, with a weight decay of 0.5 for the matrix alone and the rate
// of each step set from the same schedule.
func TestOptimizerIsThatOfPyTorch(t *testing.T) {
	tensors := []ssm.Tensor{
		{Name: "in_proj.weight", Shape: []int{2, 2}, Data: []float32{1, -2, 0.5, 3}},
		{Name: "in_proj.bias", Shape: []int{2}, Data: []float32{0.25, -1}},
	}
	o := NewOptimizer(6, Options{Rate: 0.1, Decay: 0.5, Clip: 1, Steps: 20})
	for step := range 20 {
		at := float64(step)
		o.Step(tensors, []float32{
			float32(math.Sin(at)), float32(0.1 * at), -0.3, float32(2 - at), float32(math.Cos(at)), 0.05,
		})
	}
	want := [][]float32{{0.353649, -1.90891, 0.9486721, 2.074556}, {0.2324146, -1.814591}}
	for i, tensor := range tensors {
		if e := relativeError(tensor.Data, want[i]); e > 1e-5 {
			t.Errorf("%s is %v, want %v", tensor.Name, tensor.Data, want[i])
		}
	}
}

func TestOnlyMatricesDecay(t *testing.T) {
	kept := map[string]bool{}
	for name, d := range variants() {
		for _, tensor := range ssm.Shapes(d) {
			if !decays(&tensor) {
				kept[tensor.Name] = true
			} else if len(tensor.Shape) < 2 {
				t.Errorf("%s: %s decays", name, tensor.Name)
			}
		}
	}
	for _, name := range []string{"mixer.A_log", "mixer.D", "mixer.dt_proj.bias", "norm.weight"} {
		if !kept["backbone.layers.0."+name] {
			t.Errorf("%s decays", name)
		}
	}
}
