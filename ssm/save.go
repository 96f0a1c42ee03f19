package ssm

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Save writes the model folder that Load reads: config.json and
// model.safetensors, each whole or not at all. The folder is made if need be.
func (m *Model) Save(dir string) error {
	config, err := m.config()
	if err != nil {
		return fmt.Errorf("save model: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("save model: %w", err)
	}
	err = writeFile(filepath.Join(dir, weightsName), func(w io.Writer) error { return WriteTensors(w, m.Tensors()) })
	if err == nil {
		err = writeFile(filepath.Join(dir, configName), func(w io.Writer) error { _, err := w.Write(config); return err })
	}
	if err != nil {
		return fmt.Errorf("save model: %w", err)
	}
	return nil
}

// config returns config.json in the words of MambaForCausalLM and Mamba2ForCausalLM.
func (m *Model) config() ([]byte, error) {
	d := m.dims
	rank, err := json.Marshal(d.DTRank)
	if err != nil {
		return nil, err
	}
	act, yes, expand := "silu", true, float64(d.DInner)/float64(d.DModel)
	c := configFile{
		Architectures:    []string{"MambaForCausalLM"},
		ModelType:        "mamba",
		HiddenSize:       &d.DModel,
		IntermediateSize: &d.DInner,
		Expand:           &expand,
		StateSize:        &d.DState,
		ConvKernel:       &d.DConv,
		TimeStepRank:     rank,
		NumHiddenLayers:  &d.NLayer,
		VocabSize:        &d.Vocab,
		HiddenAct:        &act,
		LayerNormEpsilon: &d.NormEps,
		UseBias:          &d.UseBias,
		UseConvBias:      &d.UseConvBias,
		TieWordEmbedding: &d.TieHead,
		ResidualInFP32:   &yes,
		DType:            "float32",
	}
	if d.NHead > 0 {
		c.TimeStepRank, c.IntermediateSize = nil, nil
		c.setMamba2(&d)
	}
	if d.Vocab == 0 {
		c.Architectures = nil
		if c.Weir, err = weirObject(m.extra, d); err != nil {
			return nil, err
		}
	}
	data, err := json.MarshalIndent(c, "", "  ")
	return append(data, '\n'), err
}

// weirObject returns extra with the widths set to the model's.
func weirObject(extra json.RawMessage, d Dims) (json.RawMessage, error) {
	object := map[string]json.RawMessage{}
	if extra != nil {
		if err := json.Unmarshal(extra, &object); err != nil {
			return nil, fmt.Errorf("the weir object: %w", err)
		}
	}
	for name, n := range map[string]int{"n_input": d.NInput, "n_output": d.NOutput} {
		object[name] = fmt.Appendf(nil, "%d", n)
	}
	return json.Marshal(object) // keys sorted
}

// WriteTensors writes a safetensors file of float32 tensors, in their order.
func WriteTensors(w io.Writer, tensors []Tensor) error {
	header, err := tensorHeader(tensors)
	if err != nil {
		return err
	}
	buf := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	if _, err := w.Write(append(buf, header...)); err != nil {
		return err
	}
	for _, t := range tensors {
		buf = appendFloats(buf[:0], t.Data)
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	return nil
}

// tensorHeader returns the JSON header, padded with spaces so that the data
// begins at a multiple of eight bytes.
func tensorHeader(tensors []Tensor) (string, error) {
	var b strings.Builder
	b.WriteString(`{"__metadata__":{"format":"pt"}`)
	at := 0
	for _, t := range tensors {
		name, err := json.Marshal(t.Name)
		if err != nil {
			return "", err
		}
		shape, err := json.Marshal(t.Shape)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, `,%s:{"dtype":"F32","shape":%s,"data_offsets":[%d,%d]}`, name, shape, at, at+4*len(t.Data))
		at += 4 * len(t.Data)
	}
	b.WriteByte('}')
	b.WriteString(strings.Repeat(" ", -b.Len()&7))
	return b.String(), nil
}

// writeFile writes a file under a temporary name, makes it durable and renames it.
func writeFile(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the first error is the one to report
		}
	}()
	if err = write(f); err != nil {
		return closing(f, err)
	}
	if err = f.Chmod(0o644); err != nil {
		return closing(f, err)
	}
	if err = f.Sync(); err != nil {
		return closing(f, err)
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
