package ssm

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// mamba2Dims returns a Mamba-2 event model of a usual shape.
func mamba2Dims(dModel, nLayer int) Dims {
	return Dims{
		DModel: dModel, DInner: 2 * dModel, DState: 64, DConv: 4, NHead: 2 * dModel / 64, NGroup: 1, DTMax: math.Inf(1), NLayer: nLayer,
		NInput: 6, NOutput: 5, UseConvBias: true, NormEps: 1e-5,
	}
}

// BenchmarkForms computes a history of 4,096 events in each form. "x" is how
// many times faster than single steps a form is, "x-core" how many times faster
// than itself on one core.
func BenchmarkForms(b *testing.B) {
	const n = 4096
	models := map[string]Dims{"mamba/d_model=32": eventDims(32, 2), "mamba/d_model=64": eventDims(64, 2), "mamba2/d_model=64": mamba2Dims(64, 2)}
	for _, name := range slices.Sorted(maps.Keys(models)) {
		d := models[name]
		m := randomModel(b, d, 1)
		w := walk{m, rand.New(rand.NewPCG(1, 2))}
		x, gap, _ := w.events(n)
		dst := make([]float32, n*d.NOutput)
		st, s := m.NewStepper(1), m.NewState()
		took := map[string]float64{}
		measure := func(form string, cores int, run func()) {
			key := fmt.Sprintf("%s/cores=%d", form, cores)
			b.Run(name+"/"+key, func(b *testing.B) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
				b.ReportAllocs()
				for b.Loop() {
					run()
				}
				took[key] = float64(b.Elapsed().Nanoseconds()) / float64(b.N) / n
				b.ReportMetric(took[key], "ns/event")
				b.ReportMetric(took["recurrent/cores=1"]/took[key], "x")
				b.ReportMetric(took[form+"/cores=1"]/took[key], "x-core")
			})
		}
		measure("recurrent", 1, func() {
			for i := range n {
				st.Step(pick(dst, i, n), pick(x, i, n), gap[i:i+1], []State{s})
			}
		})
		for cores := 1; cores <= max(2, runtime.NumCPU()); cores *= 2 {
			measure("sequential", cores, func() { m.Run(dst, x, gap, s, true) })
			measure("parallel", cores, func() { m.Run(dst, x, gap, s, false) })
		}
	}
}
