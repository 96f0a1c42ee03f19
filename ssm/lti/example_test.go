package lti_test

import (
	"fmt"
	"math"

	"github.com/weirstream/weir/ssm/lti"
	"gonum.org/v1/gonum/mat"
)

// A tank that drains with rate 1 and is filled by x, seen once every ln 2: in that
// time half of it drains, and zero-order hold gets both numbers exactly. Euler,
// Mamba's rule, takes the inflow as if none of it drained meanwhile.
func ExampleSystem_Discretize() {
	tank := &lti.System{A: mat.NewDense(1, 1, []float64{-1}), B: []float64{1}, C: []float64{1}}
	for _, rule := range []lti.Rule{lti.ZOH, lti.Bilinear, lti.Euler} {
		d, err := tank.Discretize(rule, math.Ln2)
		if err != nil {
			fmt.Println(err)
			return
		}
		a, b, _, _ := d.Matrices()
		fmt.Printf("%-8v  Ā = %.4f  B̄ = %.4f\n", rule, a.At(0, 0), b[0])
	}
	// Output:
	// zoh       Ā = 0.5000  B̄ = 0.5000
	// bilinear  Ā = 0.4853  B̄ = 0.5147
	// euler     Ā = 0.5000  B̄ = 0.6931
}

// One system, one input, three evaluations.
func ExampleDiscrete() {
	a, b := lti.LegS(4)
	system := &lti.System{A: a, B: b, C: []float64{1, -1, 1, -1}, D: 0.5}
	d, err := system.Discretize(lti.ZOH, 0.1)
	if err != nil {
		fmt.Println(err)
		return
	}
	x := []float64{1, 0, 0, 2, 0, 0, 0, 3}
	y := make([]float64, len(x))

	d.Recur(y, d.NewState(), x)
	fmt.Printf("recurrent    %.4f\n", y)
	d.Convolve(y, d.NewState(), x)
	fmt.Printf("convolution  %.4f\n", y)
	d.Scan(y, d.NewState(), x)
	fmt.Printf("scan         %.4f\n", y)
	// Output:
	// recurrent    [0.4722 0.0623 0.0786 1.0079 0.1638 0.1737 0.1266 1.4844]
	// convolution  [0.4722 0.0623 0.0786 1.0079 0.1638 0.1737 0.1266 1.4844]
	// scan         [0.4722 0.0623 0.0786 1.0079 0.1638 0.1737 0.1266 1.4844]
}

// History in one call, then live events one by one, on the same state.
func ExampleDiscrete_Run() {
	layer := lti.S4DLin(16)
	for i := range layer.C {
		layer.C[i] = 1
	}
	d, err := layer.Discretize(lti.ZOH, 0.01)
	if err != nil {
		fmt.Println(err)
		return
	}
	history := make([]float64, 20_000)
	for k := range history {
		history[k] = math.Sin(float64(k) / 50)
	}
	y := make([]float64, len(history))
	state := d.NewState()
	d.Run(y, state, history)
	for k := len(history); k < len(history)+3; k++ {
		fmt.Printf("%.4f ", d.Step(state, math.Sin(float64(k)/50)))
	}
	// Output: -0.4539 -0.4635 -0.4729
}

// Eight numbers remember a thousand events.
func ExampleMemory() {
	m := lti.NewMemory(8)
	signal := func(u float64) float64 { return math.Sin(12 * u) }
	for k := range 1000 {
		m.Push(signal((float64(k) + 0.5) / 1000))
	}
	for _, u := range []float64{0.1, 0.5, 0.9} {
		fmt.Printf("at %.1f: was %+.3f, remembered %+.3f\n", u, signal(u), m.At(u))
	}
	// Output:
	// at 0.1: was +0.932, remembered +0.945
	// at 0.5: was -0.279, remembered -0.253
	// at 0.9: was -0.981, remembered -1.004
}
