// Package baseline holds the sequence models that Mamba is compared with, small and
// in float32:
//
//   - GRU, a recurrent network: a state of fixed size, advanced and trained one event
//     after the other;
//   - Attention, the causal transformer with rotary positions: its cache keeps every
//     event, so that memory and work grow with the stream;
//   - S4D, a diagonal state space model that does not change with time: what Mamba
//     would be if B, C and Δ were no functions of the input.
//
// All are token models of one shape, so that only what mixes the events differs:
// embedding, then blocks that each add mixer(RMSNorm(x)) to the residual stream x,
// a final norm and a head.
//
// Model is the parameters, shared by goroutines; Logits takes a whole sequence;
// a Stepper takes one token at a time with a State that belongs to one stream; a
// Trainer fits the parameters with hand-written gradients and the optimizer of
// package train. StateBytes says what a stream costs after n events.
//
// Sources: Cho et al. 2014 (GRU, in the form of cuDNN); Vaswani et al. 2017 and Su et
// al. 2021 (attention, rotary positions); Gu, Gupta, Goel and Ré 2022 (S4D, with its
// gated linear unit on the output).
package baseline
