// Package operatortest has the event model that tests of the operator, and of what
// stands on it, run with: too small to be of use, and so quick that thousands of
// crashes can be played through in a second.
package operatortest

import (
	"encoding/json"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/weirstream/weir/operator/builtin"
	"github.com/weirstream/weir/ssm"
)

// TinyDims are the sizes of a Tiny model, but for the widths of its ends.
var TinyDims = ssm.Dims{
	DModel: 4, DInner: 8, DState: 2, DConv: 2, DTRank: 1, NLayer: 1, UseConvBias: true, NormEps: 1e-5,
}

// Tiny returns the folder of an event model with d_model 4, one layer and random
// parameters. It has the built-in model's inputs and outputs, and no prior. The same
// seed gives the same model.
func Tiny(tb testing.TB, seed uint64) fs.FS {
	tb.Helper()
	dims, extra := ends(tb)
	m, err := ssm.New(dims, tensors(dims, seed), extra)
	if err != nil {
		tb.Fatal(err)
	}
	dir := tb.TempDir()
	if err := m.Save(dir); err != nil {
		tb.Fatal(err)
	}
	return os.DirFS(dir)
}

// ends returns TinyDims with what the built-in model takes in and gives out.
func ends(tb testing.TB) (ssm.Dims, json.RawMessage) {
	tb.Helper()
	fsys, err := builtin.Open(builtin.Names[0])
	if err != nil {
		tb.Fatal(err)
	}
	m, err := ssm.Load(fsys)
	if err != nil {
		tb.Fatal(err)
	}
	var extra map[string]json.RawMessage
	if err := json.Unmarshal(m.Extra(), &extra); err != nil {
		tb.Fatal(err)
	}
	delete(extra, "prior")
	text, err := json.Marshal(extra)
	if err != nil {
		tb.Fatal(err)
	}
	dims := TinyDims
	dims.NInput, dims.NOutput = m.Dims().NInput, m.Dims().NOutput
	return dims, text
}

// tensors draws a model's parameters, as large as a trained model's.
func tensors(d ssm.Dims, seed uint64) []ssm.Tensor {
	rng := rand.New(rand.NewPCG(seed, 1))
	const mixer = "backbone.layers.0.mixer."
	list := []ssm.Tensor{
		{Name: "weir.input.weight", Shape: []int{d.DModel, d.NInput}},
		{Name: "weir.input.bias", Shape: []int{d.DModel}},
		{Name: "backbone.layers.0.norm.weight", Shape: []int{d.DModel}},
		{Name: mixer + "in_proj.weight", Shape: []int{2 * d.DInner, d.DModel}},
		{Name: mixer + "conv1d.weight", Shape: []int{d.DInner, 1, d.DConv}},
		{Name: mixer + "conv1d.bias", Shape: []int{d.DInner}},
		{Name: mixer + "x_proj.weight", Shape: []int{d.DTRank + 2*d.DState, d.DInner}},
		{Name: mixer + "dt_proj.weight", Shape: []int{d.DInner, d.DTRank}},
		{Name: mixer + "dt_proj.bias", Shape: []int{d.DInner}},
		{Name: mixer + "A_log", Shape: []int{d.DInner, d.DState}},
		{Name: mixer + "D", Shape: []int{d.DInner}},
		{Name: mixer + "out_proj.weight", Shape: []int{d.DModel, d.DInner}},
		{Name: "backbone.norm_f.weight", Shape: []int{d.DModel}},
		{Name: "weir.head.weight", Shape: []int{d.NOutput, d.DModel}},
		{Name: "weir.head.bias", Shape: []int{d.NOutput}},
	}
	for i := range list {
		n := 1
		for _, size := range list[i].Shape {
			n *= size
		}
		fanIn := list[i].Shape[len(list[i].Shape)-1]
		list[i].Data = make([]float32, n)
		for j := range list[i].Data {
			list[i].Data[j] = float32(rng.NormFloat64() / math.Sqrt(float64(fanIn)))
		}
	}
	return list
}
