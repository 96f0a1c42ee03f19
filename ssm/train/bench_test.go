package train

import (
	"math/rand/v2"
	"testing"

	"github.com/weirstream/weir/ssm"
)

// BenchmarkStep is a training step of an event model with d_model 64, two layers,
// 32 windows of 1024 events. bench/train_step.py measures PyTorch's.
func BenchmarkStep(b *testing.B) {
	d := ssm.Dims{
		DModel: 64, DInner: 128, DState: 16, DConv: 4, DTRank: 4, NLayer: 2,
		NInput: 12, NOutput: testForecasts.outputs(), UseConvBias: true, NormEps: 1e-5,
	}
	t, err := NewTrainer(randomModel(b, d, 1), testForecasts, Options{Rate: 1e-3, Clip: 1, Steps: 1000})
	if err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	batch := make([]Window, 32)
	for i := range batch {
		batch[i] = *randomWindow(d, 1024, rng)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := t.Step(batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(32*1024/b.Elapsed().Seconds()*float64(b.N), "events/s")
}
