package train

import (
	"math"
	"strings"

	"github.com/weirstream/weir/ssm"
)

// The constants of AdamW (Loshchilov and Hutter 2019) and of its schedule.
const (
	beta1, beta2 = 0.9, 0.98
	adamEpsilon  = 1e-8
	lastRate     = 0.01 // share of Options.Rate at the last step
	warmup       = 50   // steps in which the rate rises from 0, or a tenth where they are few
)

// Options say how a Trainer moves the parameters.
type Options struct {
	Rate  float64 // learning rate at its highest
	Decay float64 // decoupled weight decay of the matrices
	Clip  float64 // greatest norm of the whole gradient
	Steps int     // steps over which the rate falls, along a cosine
}

// rate is the learning rate of a step, counted from 0.
func (o *Options) rate(step int) float64 {
	warm := min(1, float64(step+1)/float64(min(warmup, o.Steps/10)+1))
	done := min(1, float64(step)/float64(o.Steps))
	return o.Rate * warm * (lastRate + (1-lastRate)*(1+math.Cos(math.Pi*done))/2)
}

// decays says whether weight decay applies to a tensor: to matrices, but not to
// A_log, whose zero is no neutral value, nor to D, biases and norms.
func decays(t *ssm.Tensor) bool {
	return len(t.Shape) > 1 && !strings.HasSuffix(t.Name, "A_log")
}

// An adamW holds running means of the gradient and of its square.
type adamW struct{ mean, square []float32 }

// step moves the tensors along the gradient; step counts from 0.
func (a *adamW) step(tensors []ssm.Tensor, grad []float32, o *Options, step int) {
	rate := o.rate(step)
	scale := 1.0
	if norm := norm(grad); norm > o.Clip {
		scale = o.Clip / norm
	}
	// The means start at zero; these undo the bias towards it.
	unbias1 := 1 - math.Pow(beta1, float64(step+1))
	unbias2 := 1 - math.Pow(beta2, float64(step+1))
	at := 0
	for i := range tensors {
		keep := float32(1)
		if decays(&tensors[i]) {
			keep = float32(1 - rate*o.Decay)
		}
		for j, v := range tensors[i].Data {
			g := grad[at] * float32(scale)
			a.mean[at] = beta1*a.mean[at] + (1-beta1)*g
			a.square[at] = beta2*a.square[at] + (1-beta2)*g*g
			move := float64(a.mean[at]) / unbias1 / (math.Sqrt(float64(a.square[at])/unbias2) + adamEpsilon)
			tensors[i].Data[j] = v*keep - float32(rate*move)
			at++
		}
	}
}

// norm is the Euclidean norm.
func norm(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}
