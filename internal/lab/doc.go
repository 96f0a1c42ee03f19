// Package lab is the argument for selective state space models as an experiment: it
// trains Mamba, a state space model that does not change with time (S4D), a recurrent
// network (GRU) and causal self-attention, of about as many parameters each, on two
// tasks on which they part, and measures what each costs as a stream goes on.
//
// The tasks are those of Gu and Dao 2023 (arXiv:2312.00752), section 4.1, smaller:
//
//   - selective copying: say a few tokens again, in their order, that stood at random
//     places among noise. Where they stood is known from the tokens alone, so a model
//     has to choose by content what it keeps;
//   - induction heads: say what followed a marker the first time, when the marker comes
//     again at the end.
//
// Run measures and returns a Result; Result.Write draws it and writes the report.
// Accuracies depend on the seed and the processor's arithmetic alone; times are those
// of the machine.
package lab
