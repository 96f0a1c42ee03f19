package ssm

import (
	"fmt"
	"io"
	"io/fs"
	"slices"
)

// The files of a model folder.
const (
	configName    = "config.json"
	weightsName   = "model.safetensors"
	referenceName = "reference.safetensors"
	maxConfig     = 1 << 20 // bytes
)

// Load reads a model folder: config.json and model.safetensors.
//
// A token model is what save_pretrained of transformers' MambaForCausalLM or
// Mamba2ForCausalLM writes.
// An event model is the same folder with the object "weir" in config.json, whose
// n_input and n_output are the widths of a row in and out, and with the tensors
// weir.input.weight (d_model, n_input), weir.input.bias (d_model),
// weir.head.weight (n_output, d_model) and weir.head.bias (n_output) in place of
// the embedding and lm_head. What else the object holds is the caller's: Extra
// returns it.
//
// Parameters are float32; float16, bfloat16 and float64 are converted. Every
// error about the folder's content wraps ErrModel and names the file and what is
// wrong with it.
func Load(fsys fs.FS) (*Model, error) {
	data, err := readBounded(fsys, configName, maxConfig)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	dims, extra, err := parseConfig(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrModel, configName, err)
	}
	tensors, err := loadTensors(fsys, dims)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrModel, weightsName, err)
	}
	m, err := New(dims, tensors, extra)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", weightsName, err)
	}
	return m, nil
}

func readBounded(fsys fs.FS, name string, most int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("%s: more than %d bytes", name, most)
	}
	return data, nil
}

// openFile opens a safetensors file of fsys; the caller closes the file.
func openFile(fsys fs.FS, name string) (*tensorFile, fs.File, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, nil, closing(f, err)
	}
	file, err := openTensors(f, info.Size())
	if err != nil {
		return nil, nil, closing(f, err)
	}
	return file, f, nil
}

func closing(c io.Closer, err error) error {
	_ = c.Close() // it was only read
	return err
}

// loadTensors reads the tensors that a model of dims has; it compares names and
// shapes before it reads, so that a foreign file is refused at its header.
func loadTensors(fsys fs.FS, dims Dims) ([]Tensor, error) {
	file, f, err := openFile(fsys, weightsName)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := dims.checkHeader(file.tensors); err != nil {
		return nil, err
	}
	var tensors []Tensor
	err = file.read(func(t fileTensor, data []byte) error {
		if dims.ignored(t.name) {
			return nil
		}
		floats, err := t.floats(data)
		if err != nil {
			return err
		}
		tensors = append(tensors, Tensor{t.name, t.shape(), floats})
		return nil
	})
	return tensors, err
}

func (d Dims) checkHeader(tensors []fileTensor) error {
	byName := make(map[string]fileTensor, len(tensors))
	for _, t := range tensors {
		byName[t.name] = t
	}
	var w weights
	for _, s := range w.slots(d) {
		t, ok := byName[s.name]
		if !ok {
			return fmt.Errorf("tensor %q %s is missing", s.name, shapeString(s.shape))
		}
		if shape := t.shape(); !slices.Equal(shape, s.shape) {
			return fmt.Errorf("tensor %q has shape %s, want %s", s.name, shapeString(shape), shapeString(s.shape))
		}
		delete(byName, s.name)
	}
	if d.TieHead {
		delete(byName, lmHeadName)
	}
	for _, t := range tensors {
		if _, left := byName[t.name]; left && !d.ignored(t.name) {
			return fmt.Errorf("tensor %q is not part of a model of this configuration", t.name)
		}
	}
	return nil
}
