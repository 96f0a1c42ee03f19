package lab

import (
	"fmt"

	"github.com/weirstream/weir/ssm"
	"github.com/weirstream/weir/ssm/baseline"
	"github.com/weirstream/weir/ssm/train"
)

// A contender is one model with what the experiments do with it.
type contender struct {
	name       string
	size       string // in words
	params     int
	stateBytes func(events int) int
	fit        func(batch []train.Window) (loss float64, err error)
	logits     func(tokens []int32) []float32 // (length, vocab), with the parameters of now
	stepper    func() func(token int32)       // advances one new stream
}

// contenders returns the four models of about as many parameters, fresh from seed.
func contenders(vocab int, o train.Options, seed uint64) ([]contender, error) {
	mamba, err := newMamba(vocab, o, seed)
	if err != nil {
		return nil, err
	}
	all := []contender{mamba}
	for _, c := range []baseline.Config{
		{Kind: baseline.S4D, Vocab: vocab, DModel: 62, NLayer: 2, DState: 16},
		{Kind: baseline.GRU, Vocab: vocab, DModel: 40, NLayer: 2},
		{Kind: baseline.Attention, Vocab: vocab, DModel: 36, NLayer: 2, NHead: 2},
	} {
		m, err := baseline.New(c, seed)
		if err != nil {
			return nil, err
		}
		all = append(all, newBaseline(m, o))
	}
	return all, nil
}

func newMamba(vocab int, o train.Options, seed uint64) (contender, error) {
	d := ssm.Dims{
		DModel: 32, DInner: 64, DState: 16, DConv: 4, DTRank: 2, NLayer: 2,
		Vocab: vocab, UseConvBias: true, NormEps: 1e-5,
	}
	fresh, err := ssm.New(d, train.Initial(d, seed), nil)
	if err != nil {
		return contender{}, err
	}
	trainer, err := train.NewTrainer(fresh, nil, o)
	if err != nil {
		return contender{}, err
	}
	n := 0
	for _, t := range fresh.Tensors() {
		n += len(t.Data)
	}
	return contender{
		name: "Mamba", size: fmt.Sprintf("d_model %d, d_inner %d, d_state %d", d.DModel, d.DInner, d.DState), params: n,
		stateBytes: func(int) int { return 4 * fresh.StateLen() },
		fit:        trainer.Step,
		logits: func(tokens []int32) []float32 {
			m, err := trainer.Model()
			if err != nil {
				panic(err) // a step that makes such parameters has failed already
			}
			out := make([]float32, len(tokens)*vocab)
			m.RunTokens(out, tokens, m.NewState(), true)
			return out
		},
		stepper: func() func(int32) {
			st, states, dst := fresh.NewStepper(1), []ssm.State{fresh.NewState()}, make([]float32, vocab)
			return func(token int32) { st.StepTokens(dst, []int32{token}, states) }
		},
	}, nil
}

func newBaseline(m *baseline.Model, o train.Options) contender {
	trainer, c := baseline.NewTrainer(m, o), m.Config()
	size := fmt.Sprintf("d_model %d", c.DModel)
	switch c.Kind {
	case baseline.S4D:
		size += fmt.Sprintf(", d_state %d", c.DState)
	case baseline.Attention:
		size += fmt.Sprintf(", %d heads", c.NHead)
	}
	return contender{
		name: c.Kind.String(), size: size, params: m.NumParams(), stateBytes: m.StateBytes,
		fit: trainer.Step, logits: m.Logits,
		stepper: func() func(int32) {
			st, s, dst := m.NewStepper(), m.NewState(), make([]float32, c.Vocab)
			return func(token int32) { st.Step(dst, token, s) }
		},
	}
}
