package ssm

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"math"
	"slices"
)

// A TensorError is the greatest absolute difference from one reference tensor.
type TensorError struct {
	Tensor string
	MaxAbs float64
}

// Errors are the differences from every tensor of a reference, in the order
// logits, step_logits, then per layer ssm_state and conv_state.
type Errors []TensorError

// Max returns the greatest difference; NaN where there is one.
func (e Errors) Max() float64 {
	worst := 0.0
	for _, one := range e {
		worst = max(worst, one.MaxAbs)
	}
	return worst
}

// Verify loads a token model and compares each of its forms, recurrent,
// sequential and parallel, with what another implementation computed: the
// folder's reference.safetensors, which holds input_ids [b, t] and any of logits
// and step_logits [b, t, vocab] and, after the last token, ssm_state.i
// [b, d_inner, d_state] and conv_state.i [b, d_inner, d_conv] (the last d_conv
// inputs of the convolution, oldest first). In Mamba-2, ssm_state.i is
// [b, n_head, d_inner/n_head, d_state] and conv_state.i has the inputs of x, B and
// C. A difference is the greatest of any form.
//
// An invalid folder gives an error that wraps ErrModel, a reference that does
// not fit the model one that names the file.
func Verify(fsys fs.FS) (Errors, error) {
	m, err := Load(fsys)
	if err != nil {
		return nil, err
	}
	ref, err := m.loadReference(fsys)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrModel, referenceName, err)
	}
	return m.compare(ref), nil
}

// A reference holds what another implementation computed, by tensor name.
type reference struct {
	batch, length int
	tokens        []int32 // (b, t)
	want          map[string][]float32
}

func (m *Model) loadReference(fsys fs.FS) (*reference, error) {
	if m.dims.Vocab == 0 {
		return nil, fmt.Errorf("an event model has no tokens to compare")
	}
	file, f, err := openFile(fsys, referenceName)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	ref := &reference{want: map[string][]float32{}}
	if err := ref.checkHeader(m.dims, file.tensors); err != nil {
		return nil, err
	}
	err = file.read(func(t fileTensor, data []byte) error {
		if t.name == "input_ids" {
			return ref.setTokens(data, m.dims.Vocab)
		}
		floats, err := t.floats(data)
		ref.want[t.name] = floats
		return err
	})
	return ref, err
}

// checkHeader checks every tensor's type and shape against the model.
func (r *reference) checkHeader(d Dims, tensors []fileTensor) error {
	i := slices.IndexFunc(tensors, func(t fileTensor) bool { return t.name == "input_ids" })
	if i < 0 {
		return fmt.Errorf("tensor \"input_ids\" is missing")
	}
	ids := tensors[i]
	if ids.DType != "I64" || len(ids.Shape) != 2 || ids.Shape[0] == 0 || ids.Shape[1] == 0 {
		return fmt.Errorf("input_ids is %s %v, want I64 [b, t]", ids.DType, ids.Shape)
	}
	r.batch, r.length = int(ids.Shape[0]), int(ids.Shape[1])
	want := r.shapes(d)
	if len(tensors) == 1 {
		return fmt.Errorf("there is nothing to compare with")
	}
	for _, t := range tensors {
		if t.name == "input_ids" {
			continue
		}
		shape, ok := want[t.name]
		if !ok {
			return fmt.Errorf("tensor %q is no result of this model", t.name)
		}
		if !slices.Equal(t.shape(), shape) || t.DType == "I64" {
			return fmt.Errorf("tensor %q is %s %s, want floats %s", t.name, t.DType, shapeString(t.shape()), shapeString(shape))
		}
	}
	return nil
}

func (r *reference) shapes(d Dims) map[string][]int {
	logits := []int{r.batch, r.length, d.Vocab}
	shapes := map[string][]int{"logits": logits, "step_logits": logits}
	for i := range d.NLayer {
		state := []int{r.batch, d.DInner, d.DState}
		if d.NHead > 0 {
			state = []int{r.batch, d.NHead, d.DInner / d.NHead, d.DState}
		}
		shapes[fmt.Sprintf("ssm_state.%d", i)] = state
		shapes[fmt.Sprintf("conv_state.%d", i)] = []int{r.batch, d.convDim(), d.DConv}
	}
	return shapes
}

func (r *reference) setTokens(data []byte, vocab int) error {
	r.tokens = make([]int32, len(data)/8)
	for i := range r.tokens {
		id := int64(binary.LittleEndian.Uint64(data[8*i:]))
		if id < 0 || id >= int64(vocab) {
			return fmt.Errorf("input_ids holds %d at index %d, the vocabulary has %d", id, i, vocab)
		}
		r.tokens[i] = int32(id)
	}
	return nil
}

// compare computes the reference's tokens in every form.
func (m *Model) compare(r *reference) Errors {
	diffs := map[string]float64{}
	m.compareSteps(r, diffs)
	// A reference is short: chunks of a fifth of it reach over seams all the same.
	chunk := max(1, min(chunkLen, r.length/5))
	for _, f := range []form{sequential, parallel} {
		logits := make([]float32, r.length*m.dims.Vocab)
		for i := range r.batch {
			s := m.NewState()
			m.runTokens(logits, r.tokens[i*r.length:][:r.length], s, f, chunk)
			r.compareLogits(diffs, logits, i*r.length)
			m.compareState(r, diffs, i, s)
		}
	}
	return r.ordered(diffs, m.dims.NLayer)
}

// compareSteps steps through all sequences of the reference in one batch.
func (m *Model) compareSteps(r *reference, diffs map[string]float64) {
	d, steps := m.dims, m.NewStepper(min(r.batch, 64))
	states := make([]State, r.batch)
	for i := range states {
		states[i] = m.NewState()
	}
	logits, tokens := make([]float32, r.batch*d.Vocab), make([]int32, r.batch)
	for t := range r.length {
		for i := range tokens {
			tokens[i] = r.tokens[i*r.length+t]
		}
		steps.StepTokens(logits, tokens, states)
		for i := range states {
			r.compareLogits(diffs, logits[i*d.Vocab:][:d.Vocab], i*r.length+t)
		}
	}
	for i, s := range states {
		m.compareState(r, diffs, i, s)
	}
}

// compareLogits compares rows of logits with the reference's from row at.
func (r *reference) compareLogits(diffs map[string]float64, rows []float32, at int) {
	for _, name := range []string{"logits", "step_logits"} {
		if want, ok := r.want[name]; ok {
			width := len(want) / (r.batch * r.length)
			diffs[name] = max(diffs[name], maxAbsDiff(rows, want[at*width:][:len(rows)]))
		}
	}
}

// compareState compares the state after sequence i. The oldest input of
// conv_state is one that no later event needs, and no State holds.
func (m *Model) compareState(r *reference, diffs map[string]float64, i int, s State) {
	d := &m.dims
	compare := func(name string, memory []float32, channels, each, skip int) {
		want, ok := r.want[name]
		if !ok {
			return
		}
		diffs[name] = max(diffs[name], 0)
		got := unblocked(memory, len(memory)/max(1, each), each)
		for c := range channels {
			row := want[(i*channels+c)*(skip+each)+skip:][:each]
			diffs[name] = max(diffs[name], maxAbsDiff(got[d.place(c)*each:][:each], row))
		}
	}
	for layer := range d.NLayer {
		conv, h := m.layerState(s, layer)
		compare(fmt.Sprintf("ssm_state.%d", layer), h, d.DInner, d.DState, 0)
		compare(fmt.Sprintf("conv_state.%d", layer), conv, d.convDim(), d.DConv-1, 1)
	}
}

func (r *reference) ordered(diffs map[string]float64, layers int) Errors {
	names := []string{"logits", "step_logits"}
	for i := range layers {
		names = append(names, fmt.Sprintf("ssm_state.%d", i), fmt.Sprintf("conv_state.%d", i))
	}
	var errs Errors
	for _, name := range names {
		if diff, ok := diffs[name]; ok {
			errs = append(errs, TensorError{name, diff})
		}
	}
	return errs
}

// maxAbsDiff returns the greatest |a-b|, or NaN where one of them is NaN.
func maxAbsDiff(a, b []float32) float64 {
	worst := 0.0
	for i := range a {
		worst = max(worst, math.Abs(float64(a[i])-float64(b[i])))
	}
	return worst
}
