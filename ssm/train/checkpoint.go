package train

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/weirstream/weir/ssm"
)

// ErrForeign is wrapped by the error of Restore for a checkpoint of another run:
// with other options, of another model or of other data.
var ErrForeign = errors.New("checkpoint of another run")

// The tensors of a checkpoint. All but run and points have a number a parameter.
const (
	runTensor     = "run"
	pointsTensor  = "points"
	paramsTensor  = "params"
	meanTensor    = "adamw.mean"
	squareTensor  = "adamw.square"
	averageTensor = "average"
	bestTensor    = "best"
)

// identify hashes all that decides what a run computes, but for its steps: those a
// checkpoint has itself.
func identify(m *ssm.Model, data *Data, o *RunOptions) [2]uint64 {
	h := sha256.New()
	fp := m.Fingerprint()
	h.Write(fp[:])
	buf := fmt.Appendf(nil, "run 1 rate %v decay %v clip %v seed %d batch %d window %d",
		o.Rate, o.Decay, o.Clip, o.Seed, o.Batch, data.length)
	h.Write(buf)
	for _, s := range data.series {
		buf = binary.LittleEndian.AppendUint64(buf[:0], uint64(s.Split))
		for _, v := range s.Rows {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
		}
		h.Write(buf)
	}
	sum := h.Sum(nil)
	return [2]uint64{binary.LittleEndian.Uint64(sum), binary.LittleEndian.Uint64(sum[8:])}
}

// Checkpoint writes all that a run needs to go on: parameters, their means, moments,
// the best parameters, the measurements and the step, which is also the position in the
// data. It is a safetensors file of float32; whole numbers and float64s stand in
// it as four numbers of 16 bits each.
func (r *Run) Checkpoint(w io.Writer) error {
	t := r.trainer
	run := words(r.id[0], r.id[1], uint64(t.step), uint64(r.options.Steps), uint64(r.stale), math.Float64bits(r.lossSum))
	var points []float32
	for _, p := range r.points {
		points = append(points, words(uint64(p.Step), math.Float64bits(p.Loss), math.Float64bits(p.HeldOut))...)
	}
	vector := func(name string, data []float32) ssm.Tensor {
		return ssm.Tensor{Name: name, Shape: []int{len(data)}, Data: data}
	}
	return ssm.WriteTensors(w, []ssm.Tensor{
		vector(runTensor, run), vector(pointsTensor, points), vector(paramsTensor, t.params.slab),
		vector(meanTensor, t.adam.mean), vector(squareTensor, t.adam.square),
		vector(averageTensor, r.average), vector(bestTensor, r.best),
	})
}

// Restore goes on from a checkpoint of size bytes, with the steps planned in it. The
// run must have been made with the same other options, model and data, else the
// error wraps ErrForeign; on any error the run is unchanged.
func (r *Run) Restore(from io.Reader, size int64) error {
	tensors, err := ssm.ReadTensors(from, size)
	if err != nil {
		return fmt.Errorf("read checkpoint: %w", err)
	}
	byName := make(map[string][]float32, len(tensors))
	for _, t := range tensors {
		byName[t.Name] = t.Data
	}
	run, points := numbers(byName[runTensor]), numbers(byName[pointsTensor])
	if len(run) != 6 || len(points) == 0 || len(points)%3 != 0 {
		return errors.New("read checkpoint: it is not one of a training run")
	}
	if [2]uint64{run[0], run[1]} != r.id {
		return ErrForeign
	}
	t := r.trainer
	into := map[string][]float32{
		paramsTensor: t.params.slab, meanTensor: t.adam.mean, squareTensor: t.adam.square,
		averageTensor: r.average, bestTensor: r.best,
	}
	for name, data := range into {
		if len(byName[name]) != len(data) {
			return fmt.Errorf("read checkpoint: tensor %q has %d numbers, want %d", name, len(byName[name]), len(data))
		}
	}
	for name, data := range into {
		copy(data, byName[name])
	}
	r.Plan(int(run[3]))
	t.step, r.stale, r.lossSum = int(run[2]), int(run[4]), math.Float64frombits(run[5])
	r.points = r.points[:0]
	for ; len(points) > 0; points = points[3:] {
		r.points = append(r.points, Point{int(points[0]), math.Float64frombits(points[1]), math.Float64frombits(points[2])})
	}
	t.net = newNetwork(t.dims, t.params, t.loss)
	return nil
}

// words splits each number into four of 16 bits, which float32 holds exactly.
func words(values ...uint64) []float32 {
	var w []float32
	for _, v := range values {
		w = append(w, float32(v&0xffff), float32(v>>16&0xffff), float32(v>>32&0xffff), float32(v>>48))
	}
	return w
}

// numbers is the inverse of words; nil for what words did not write.
func numbers(w []float32) []uint64 {
	if len(w)%4 != 0 {
		return nil
	}
	values := make([]uint64, len(w)/4)
	for i, v := range w {
		if !(v >= 0 && v < 1<<16) {
			return nil
		}
		values[i/4] |= uint64(v) << (16 * (i % 4))
	}
	return values
}
