// Package ssm computes selective state space models in float32, with a memory of
// fixed size for each stream: Mamba (Gu and Dao 2023, "Mamba: Linear-Time Sequence
// Modeling with Selective State Spaces") and Mamba-2 (Dao and Gu 2024,
// "Transformers are SSMs").
//
// A continuous state space model is h' = A h + B x, y = C h + D x. Mamba makes
// the step Δ, B and C functions of the input, discretizes Ā = exp(ΔA) (zero-order
// hold) and B̄ = ΔB (Euler) anew for every input, and steps
//
//	h = Ā h + B̄ x,   y = C h + D x
//
// for each of d_inner channels with d_state numbers of memory. In Mamba-2 the
// channels of a head share one A, Δ and D, and the heads of a group one B and C.
// Here, Δ is also scaled by the time that passed since the stream's last event,
// so events may come irregularly.
//
// Four things with four life-times:
//
//   - Model: the parameters. Immutable, shared by every goroutine. Load reads
//     the folder that transformers' MambaForCausalLM or Mamba2ForCausalLM writes.
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
// # Forms
//
// One model, three ways to compute it. Each goes from the State before its events
// to the State after them, so any may follow any other without a seam:
//
//	form        call                 for                    results
//	recurrent   Stepper.Step         live events            exact
//	sequential  Model.Run, exact     history, to the bit    exact: the bits of Step
//	parallel    Model.Run            history, on many       those of Step but for rounding
//	            from 256 events on   cores                  (see Run), on any number of cores
//
// Exact means: the same inputs give the same bits in any batch, on any processor
// and any number of cores. Package kernel, inside, defines the arithmetic.
//
// The sequential form shares the channels of a scan among the cores, so it uses
// d_inner/16 of them at most. The parallel form cuts time into chunks. For Mamba it
// is the associative scan, which discretizes most events twice: it pays where there
// are more cores than channels to share. For Mamba-2 it is the dual, matrix form,
// which needs an exponential for each head instead of one for each channel and
// number of state. Neither keeps anything of the size of the history times the state.
//
// Verify compares all three with what another implementation computed.
package ssm
