package baseline

import (
	"errors"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/weirstream/weir/ssm/train"
)

func TestStepGivesTheSequenceForm(t *testing.T) {
	for _, c := range configs {
		t.Run(c.Kind.String(), func(t *testing.T) {
			m := testModel(t, c)
			tokens := testTokens(200, c.Vocab, 9)
			want := m.Logits(tokens)
			st, s := m.NewStepper(), m.NewState()
			other := m.NewState() // a second stream in between changes nothing
			got, drop := make([]float32, c.Vocab), make([]float32, c.Vocab)
			for i, id := range tokens {
				st.Step(got, id, s)
				st.Step(drop, tokens[len(tokens)-1-i], other)
				for j, v := range got {
					if d := math.Abs(float64(v - want[i*c.Vocab+j])); !(d < 2e-5) {
						t.Fatalf("event %d: logit %d is %v by steps, %v in the sequence", i, j, v, want[i*c.Vocab+j])
					}
				}
			}
			if s.Events() != len(tokens) {
				t.Errorf("the state counts %d events of %d", s.Events(), len(tokens))
			}
		})
	}
}

func TestLaterTokensChangeNoEarlierLogits(t *testing.T) {
	for _, c := range configs {
		m := testModel(t, c)
		tokens := testTokens(150, c.Vocab, 9)
		before := m.Logits(tokens)
		tokens[100] = (tokens[100] + 1) % int32(c.Vocab)
		after := m.Logits(tokens)
		if !slices.Equal(before[:100*c.Vocab], after[:100*c.Vocab]) {
			t.Errorf("%v: logits before the changed token differ", c.Kind)
		}
		if slices.Equal(before[100*c.Vocab:101*c.Vocab], after[100*c.Vocab:101*c.Vocab]) {
			t.Errorf("%v: the changed token changed nothing", c.Kind)
		}
	}
}

func TestStateBytesAreThoseOfTheState(t *testing.T) {
	for _, c := range configs {
		m := testModel(t, c)
		st, s, dst := m.NewStepper(), m.NewState(), make([]float32, c.Vocab)
		for n := range 40 {
			if got, want := m.StateBytes(n), s.Bytes(); got != want {
				t.Fatalf("%v: StateBytes(%d) is %d, the state has %d", c.Kind, n, got, want)
			}
			st.Step(dst, 1, s)
		}
		if grows := m.StateBytes(1000) > m.StateBytes(1); grows != (c.Kind == Attention) {
			t.Errorf("%v: %d bytes after one event, %d after a thousand", c.Kind, m.StateBytes(1), m.StateBytes(1000))
		}
	}
}

// repeat is the task to say the token of two events ago again.
func repeat(n int, seed uint64) []train.Window {
	batch := make([]train.Window, n)
	for i := range batch {
		tokens := testTokens(16, 4, seed*1000+uint64(i))
		labels := []int32{-1, -1}
		batch[i] = train.Window{Tokens: tokens, Labels: append(labels, tokens[:14]...)}
	}
	return batch
}

func TestTrainerLearnsAndCoresChangeNoBit(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, c := range []Config{
		{Kind: GRU, Vocab: 4, DModel: 24, NLayer: 1},
		{Kind: Attention, Vocab: 4, DModel: 16, NLayer: 1, NHead: 2},
		{Kind: S4D, Vocab: 4, DModel: 16, NLayer: 1, DState: 8},
	} {
		t.Run(c.Kind.String(), func(t *testing.T) {
			fit := func(cores, steps int) (m *Model, first, last float64) {
				runtime.GOMAXPROCS(cores)
				m, err := New(c, 3)
				if err != nil {
					t.Fatal(err)
				}
				tr := NewTrainer(m, train.Options{Rate: 1e-2, Clip: 1, Steps: 100})
				for i := range steps {
					loss, err := tr.Step(repeat(16, uint64(i)))
					if err != nil {
						t.Fatal(err)
					}
					if i == 0 {
						first = loss
					}
					last = loss
				}
				return m, first, last
			}
			_, first, last := fit(2, 100)
			if !(last < 0.7*first) {
				t.Errorf("the loss went from %.3f to %.3f", first, last)
			}
			one, _, _ := fit(1, 5)
			four, _, _ := fit(4, 5)
			if !slices.Equal(one.params.slab, four.params.slab) {
				t.Error("parameters differ between one core and four")
			}
		})
	}
}

func TestDivergedStepLeavesTheParameters(t *testing.T) {
	m := testModel(t, configs[0])
	m.params.head[0] = float32(math.Inf(1))
	m.weights.repack(m.config, m.params)
	before := slices.Clone(m.params.slab)
	_, err := NewTrainer(m, train.Options{Rate: 1, Clip: 1, Steps: 10}).Step([]train.Window{*testWindow(8, 7)})
	if !errors.Is(err, train.ErrDiverged) {
		t.Fatalf("error is %v, want ErrDiverged", err)
	}
	if !slices.Equal(before, m.params.slab) {
		t.Error("the parameters moved")
	}
}

func TestConfigOfNoModelIsRefused(t *testing.T) {
	for _, c := range []Config{
		{},
		{Kind: GRU, Vocab: 4, DModel: -1, NLayer: 1},
		{Kind: GRU, Vocab: 4, DModel: 8, NLayer: 0},
		{Kind: GRU, Vocab: 1 << 30, DModel: 8, NLayer: 1},
		{Kind: Attention, Vocab: 4, DModel: 8, NLayer: 1},
		{Kind: Attention, Vocab: 4, DModel: 18, NLayer: 1, NHead: 2}, // heads of 9 channels do not pair
		{Kind: S4D, Vocab: 4, DModel: 8, NLayer: 1, DState: 3},
		{Kind: Kind(9), Vocab: 4, DModel: 8, NLayer: 1},
	} {
		if _, err := New(c, 1); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: error is %v, want ErrConfig", c, err)
		}
	}
}

// The numbers of a model are counted by hand here.
func TestNumParams(t *testing.T) {
	const v, d = 7, 10
	ends := 2*v*d + d
	for _, test := range []struct {
		c    Config
		want int
	}{
		{Config{Kind: GRU, Vocab: v, DModel: d, NLayer: 3}, ends + 3*(6*d*d+5*d)},
		{Config{Kind: Attention, Vocab: v, DModel: d, NLayer: 3, NHead: 1}, ends + 3*(8*d*d+2*d)},
		{Config{Kind: S4D, Vocab: v, DModel: d, NLayer: 3, DState: 6}, ends + 3*(2*d*d+3*d+4*3*d+2*d)},
	} {
		m, err := New(test.c, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.NumParams(); got != test.want {
			t.Errorf("%v has %d parameters, want %d", test.c.Kind, got, test.want)
		}
	}
}
