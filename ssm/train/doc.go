// Package train fits the parameters of a package ssm model: hand-written forward
// and backward passes over whole sequences, AdamW, and checkpoints from which a
// killed run goes on to the same final bytes.
//
// The forward pass runs the kernels that serve the model, so what is trained is
// bit for bit what is served. The backward pass of the selective scan keeps the
// states only at the start of each chunk of 64 events and computes the ones
// between again, chunk after chunk from the end (Gu and Dao 2023, section 3.3.2):
// nothing of size (length, d_inner, d_state) is ever stored.
//
// Three things, from the bottom up:
//
//   - a pass: the gradient of one window, in the memory of one goroutine;
//   - Trainer: parameters, moments and the step; spreads a batch over all cores
//     and adds the windows' gradients up in their order, so that the result does
//     not depend on the number of cores;
//   - Run: a Trainer with its data, early stopping and checkpoint.
//
// Nothing here reads a clock or a file: the caller decides when to stop and where
// checkpoints go.
package train
