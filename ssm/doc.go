// Package ssm computes selective state space models (Mamba, Gu and Dao 2023) in
// float32, one event of one stream at a time, with a memory of fixed size.
//
// A continuous state space model is h' = A h + B x, y = C h + D x. Mamba makes
// the step Δ, B and C functions of the input, discretizes Ā = exp(ΔA) (zero-order
// hold) and B̄ = ΔB (Euler) anew for every input, and steps
//
//	h = Ā h + B̄ x,   y = C h + D x
//
// for each of d_inner channels with d_state numbers of memory. Here, Δ is also
// scaled by the time that passed since the stream's last event, so events may
// come irregularly.
//
// Four things with four life-times:
//
//   - Model: the parameters. Immutable, shared by every goroutine. Load reads
//     the folder that transformers' MambaForCausalLM writes.
//   - Stepper: the scratch memory of one goroutine. Step allocates nothing.
//   - State: the memory of one stream, a flat []float32.
//   - the saved form of a State: AppendState and UnmarshalState.
//
// Use:
//
//	m, err := ssm.Load(os.DirFS("model"))
//	st := m.NewStepper(16)
//	s := m.NewState()
//	st.Step(y, x, nil, []ssm.State{s})
//
// The same inputs give the same bits in any batch and on any processor: package
// kernel, inside, defines the arithmetic. Verify compares a model with what
// another implementation computed.
package ssm
