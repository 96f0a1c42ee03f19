package baseline

import "fmt"

// A State is the memory of one stream. That of GRU and S4D has one size after the
// first event; that of Attention grows with every event.
type State struct {
	events int
	blocks [][]float32
}

// NewState returns the State of a stream not seen yet.
func (m *Model) NewState() *State { return &State{blocks: make([][]float32, len(m.params.blocks))} }

// Bytes is the memory of the state's numbers.
func (s *State) Bytes() int {
	n := 0
	for _, b := range s.blocks {
		n += len(b)
	}
	return 4 * n
}

// Events is the number of events the stream has had.
func (s *State) Events() int { return s.events }

// A Stepper advances streams by one token. It belongs to one goroutine.
type Stepper struct{ pass *pass }

// NewStepper returns a Stepper of the model's present parameters.
func (m *Model) NewStepper() *Stepper { return &Stepper{newPass(m)} }

// Step advances the stream of s by one token; dst (vocab) receives the logits of the
// next. It panics on a wrong length and on a token outside the vocabulary.
func (st *Stepper) Step(dst []float32, token int32, s *State) {
	m := st.pass.m
	if len(dst) != m.config.Vocab || len(s.blocks) != len(st.pass.mixers) {
		panic(fmt.Sprintf("baseline: Step: vocabulary %d with len(dst) %d, %d blocks with a state of %d",
			m.config.Vocab, len(dst), len(st.pass.mixers), len(s.blocks)))
	}
	st.pass.forward([]int32{token}, s.blocks)
	copy(dst, st.pass.out)
	s.events++
}
