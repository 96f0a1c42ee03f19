package ssm

import (
	"errors"
	"fmt"
	"math"

	"github.com/weirstream/weir/ssm/internal/kernel"
)

// ErrModel is wrapped by every error that says a model folder, a set of Dims or
// a set of tensors is not a valid model.
var ErrModel = errors.New("invalid model")

// Dims are the sizes of a model and the choices that decide which tensors it
// has. A model maps either tokens to logits (Vocab > 0) or rows of NInput
// numbers to rows of NOutput numbers (Vocab = 0). Its blocks are those of
// Mamba-2 where NHead > 0, else those of Mamba.
type Dims struct {
	DModel int // width of the residual stream
	DInner int // channels of a block, expand · d_model
	DState int // state numbers per channel
	DConv  int // taps of the causal convolution, 1 and up
	DTRank int // Mamba: width of Δ before dt_proj
	NLayer int

	NHead  int     // Mamba-2: heads of d_inner/n_head channels; a head has one Δ, A and D
	NGroup int     // Mamba-2: groups of heads; a group has one B and C
	DTMin  float64 // Mamba-2: the least and the greatest Δ before the gap
	DTMax  float64 // counts, +Inf where there is no bound

	Vocab   int // tokens of a token model, else 0
	NInput  int // width of an event model's input, else 0
	NOutput int // width of an event model's output, else 0

	UseBias     bool // in_proj and out_proj have biases
	UseConvBias bool // conv1d has a bias
	TieHead     bool // a token model's head is its embedding

	NormEps float64 // of every RMSNorm, as float32; 1e-5 where published models say nothing
}

// maxDim bounds each size, so that no product of two overflows. maxLayers does
// the same for the layers.
const (
	maxDim    = 1 << 24
	maxLayers = 1 << 12
	maxFloats = 1 << 30 // of a tensor and of a stream's state
)

// Validate reports every size out of range; the error wraps ErrModel.
func (d Dims) Validate() error {
	var faults []error
	check := func(name string, v, least, most int) {
		if v < least || v > most {
			faults = append(faults, fmt.Errorf("%s is %d, want %d to %d", name, v, least, most))
		}
	}
	check("d_model (hidden_size)", d.DModel, 1, maxDim)
	check("d_inner (intermediate_size)", d.DInner, 1, maxDim)
	check("d_state (state_size)", d.DState, 1, maxDim)
	check("d_conv (conv_kernel)", d.DConv, 1, maxDim)
	check("n_layer (num_hidden_layers)", d.NLayer, 1, maxLayers)
	if d.NHead == 0 {
		check("dt_rank (time_step_rank)", d.DTRank, 1, maxDim)
		check("n_group of a Mamba model", d.NGroup, 0, 0)
	} else {
		faults = append(faults, d.checkHeads()...)
	}
	if d.Vocab != 0 {
		check("vocab_size", d.Vocab, 1, maxDim)
		check("n_input of a token model", d.NInput, 0, 0)
		check("n_output of a token model", d.NOutput, 0, 0)
	} else {
		check("n_input", d.NInput, 1, maxDim)
		check("n_output", d.NOutput, 1, maxDim)
	}
	if !(d.NormEps >= 0) || math.IsInf(d.NormEps, 0) {
		faults = append(faults, fmt.Errorf("layer_norm_epsilon is %v, want a number from 0", d.NormEps))
	}
	if len(faults) == 0 {
		faults = d.tooBig()
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrModel, errors.Join(faults...))
}

// checkHeads checks what only Mamba-2 has.
func (d Dims) checkHeads() (faults []error) {
	switch {
	case d.NHead < 1 || d.NHead > maxDim || d.DInner%d.NHead != 0:
		faults = append(faults, fmt.Errorf("n_head (num_heads) is %d, want a divisor of d_inner %d", d.NHead, d.DInner))
	case d.NGroup < 1 || d.NHead%d.NGroup != 0:
		faults = append(faults, fmt.Errorf("n_group (n_groups) is %d, want a divisor of n_head %d", d.NGroup, d.NHead))
	case d.DState > maxDim/d.NGroup:
		faults = append(faults, fmt.Errorf("d_state (state_size) of all groups is more than %d", maxDim))
	}
	if d.DTRank != 0 {
		faults = append(faults, fmt.Errorf("dt_rank of a Mamba-2 model is %d, want 0", d.DTRank))
	}
	if !(d.DTMin >= 0 && d.DTMax >= d.DTMin && d.DTMax > 0) {
		faults = append(faults, fmt.Errorf("time_step_limit is [%v, %v], want 0 and up, the greater last", d.DTMin, d.DTMax))
	}
	return faults
}

// tooBig checks the products, which the bounds of the factors keep from
// overflowing.
func (d Dims) tooBig() []error {
	for _, m := range []struct {
		what string
		n, k int
	}{
		{"in_proj", 2 * d.DInner, d.DModel},
		{"A_log", d.DInner, d.DState},
		{"conv1d", d.DInner, d.DConv},
		{"x_proj", d.DTRank + 2*d.DState, d.DInner},
		{"embedding", d.Vocab, d.DModel},
		{"input", d.NInput, d.DModel},
		{"head", d.NOutput, d.DModel},
	} {
		if n := int64(m.n) * int64(m.k); n > maxFloats {
			return []error{fmt.Errorf("%s would have %d numbers, more than %d", m.what, n, maxFloats)}
		}
	}
	perLayer := int64(kernel.Pad(d.DInner)) * int64(d.DConv-1+d.DState)
	if perLayer > int64(maxFloats/d.NLayer) {
		return []error{fmt.Errorf("the state of a stream would have more than %d numbers", maxFloats)}
	}
	return nil
}

// convDim returns the channels of the convolution: those of x, and in Mamba-2
// those of B and C as well.
func (d *Dims) convDim() int {
	if d.NHead > 0 {
		return d.DInner + 2*d.NGroup*d.DState
	}
	return d.DInner
}

// inProjRows returns the rows of in_proj: z, the convolution's channels, and in
// Mamba-2 a Δ for each head.
func (d *Dims) inProjRows() int { return d.DInner + d.convDim() + d.NHead }

// scanWidth returns the channels of the scan, padded to whole blocks; in Mamba-2
// each head is.
func (d *Dims) scanWidth() int {
	if d.NHead > 0 {
		return d.NHead * kernel.Pad(d.DInner/d.NHead)
	}
	return kernel.Pad(d.DInner)
}

// convWidth returns the channels of the convolution, padded: those of x as the
// scan has them, then those of B and C.
func (d *Dims) convWidth() int { return d.scanWidth() + kernel.Pad(d.convDim()-d.DInner) }

// place returns where channel c of the convolution lies among the padded ones;
// the first d_inner are those of the scan as well.
func (d *Dims) place(c int) int {
	switch {
	case d.NHead == 0:
		return c
	case c >= d.DInner:
		return d.scanWidth() + c - d.DInner
	}
	dim := d.DInner / d.NHead
	return c/dim*kernel.Pad(dim) + c%dim
}

// inWidth returns the width of a row behind in_proj, padded: the convolution's
// channels, z, and a Δ for each head.
func (d *Dims) inWidth() int { return d.convWidth() + d.scanWidth() + kernel.Pad(d.NHead) }

// selectWidth returns the width of a row behind x_proj: dt, B and C.
func (d *Dims) selectWidth() int {
	if d.NHead > 0 {
		return 0
	}
	return d.DTRank + 2*d.DState
}

// layerStateLen returns the float32s of one layer's two states of one stream;
// channels are padded to whole blocks.
func (d *Dims) layerStateLen() int { return d.convWidth()*(d.DConv-1) + d.scanWidth()*d.DState }

// outWidth is the width of what a step returns.
func (d *Dims) outWidth() int {
	if d.Vocab > 0 {
		return d.Vocab
	}
	return d.NOutput
}
