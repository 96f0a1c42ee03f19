// Package lti is the time-invariant state space model in float64: the exact
// forms that selective models start from, are initialised with and are checked
// against.
//
// # The model
//
// A [System] maps a signal x(t) to a signal y(t) through a state h(t) of n numbers,
//
//	h'(t) = A h(t) + B x(t)        A (n, n), B (n)
//	y(t)  = C h(t) + D x(t)        C (n), D the skip
//
// and all of A, B, C, D may be learnt. A [Diagonal] system is the same with a
// complex diagonal A, of which one half of each conjugate pair is stored
// (S4D, [Gu22b]). More input channels are independent copies.
//
// # Discretisation
//
// Events come one by one, so the model is run as h_k = Ā h_{k-1} + B̄ x_k with
// a step Δ. Three [Rule] values say how Ā and B̄ come from A, B and Δ:
//
//	ZOH       Ā = exp(ΔA), B̄ = A⁻¹(Ā − I)B     exact where x is held for Δ
//	Bilinear  Ā = (I − Δ/2 A)⁻¹(I + Δ/2 A), B̄ = (I − Δ/2 A)⁻¹ΔB
//	Euler     Ā = exp(ΔA), B̄ = ΔB              what Mamba computes [GuDao23]
//
// ZOH is taken from exp(Δ[[A, B], [0, 0]]) = [[Ā, B̄], [0, 1]] ([VanLoan78]), so
// that a singular A is no special case.
//
// # Three evaluations of one map
//
// With the kernel K = (CB̄, CĀB̄, CĀ²B̄, …) the output is also the convolution
// y = K * x + Dx. And since a step is the pair (Ā, B̄x_k) under the associative
//
//	(a, b) ∘ (a', b') = (a'a, a'b + b')
//
// a history can be cut into chunks that are worked on at the same time. So a
// [Discrete] has
//
//	Step      one event: O(1) in the length of the past, no allocation
//	Recur     Step after Step: the meaning of the other forms
//	Convolve  chunks by FFT, O(log chunk + n) an event
//	Scan      chunks by recurrence, on all cores
//
// and a caller says only what there is: [Discrete.Step] for this event,
// [Discrete.Run] for these events of history, which picks a form. All of them
// leave the same [State] behind, up to rounding, so history by a parallel form
// goes over into live events by Step without a seam. Where the same bits are
// wanted and not the same numbers, set [Discrete.Exact].
//
// Chunks are cut by length alone: the number of cores changes no bit. Between
// machines whose BLAS kernels or fused arithmetic differ the last bits may.
//
// # What A should be
//
// [LegS] is the A of HiPPO: under it the state holds the coefficients of the
// past in Legendre polynomials, the best polynomial memory of n numbers there is
// ([Gu20]). [Memory] is that statement as code; [LegSNPLR] splits A into a
// normal and a low-rank part, and [S4DLegS], [S4DLin], [S4DInv] and [S4DReal]
// are the diagonal initialisations that come of it.
//
// # Sources
//
//   - [Gu20] Gu, Dao, Ermon, Rudra, Ré: HiPPO: Recurrent Memory with Optimal
//     Polynomial Projections, NeurIPS 2020, arXiv:2008.07669.
//   - [Gu22a] Gu, Goel, Ré: Efficiently Modeling Long Sequences with Structured
//     State Spaces (S4), ICLR 2022, arXiv:2111.00396.
//   - [Gu22b] Gu, Gupta, Goel, Ré: On the Parameterization and Initialization of
//     Diagonal State Space Models (S4D), NeurIPS 2022, arXiv:2206.11893.
//   - [GuDao23] Gu, Dao: Mamba: Linear-Time Sequence Modeling with Selective State
//     Spaces, arXiv:2312.00752.
//   - [VanLoan78] Van Loan: Computing Integrals Involving the Matrix
//     Exponential, IEEE Trans. Automatic Control 23(3), 1978.
//   - [Blelloch90] Blelloch: Prefix Sums and Their Applications, CMU-CS-90-190.
//
// # Errors and panics
//
// Numbers that cannot be discretised are an error. A slice of the wrong length
// is a mistake in the calling program and panics with a message that starts
// with "lti: ".
package lti
