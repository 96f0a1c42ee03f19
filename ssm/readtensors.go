package ssm

import "io"

// ReadTensors reads a safetensors file of size bytes: its floating-point tensors
// as float32, in the order of their data. It is what WriteTensors wrote, or any
// other program; a file that is not well-formed, or holds other types, is an error.
func ReadTensors(r io.Reader, size int64) ([]Tensor, error) {
	file, err := openTensors(r, size)
	if err != nil {
		return nil, err
	}
	var tensors []Tensor
	err = file.read(func(t fileTensor, data []byte) error {
		floats, err := t.floats(data)
		tensors = append(tensors, Tensor{t.name, t.shape(), floats})
		return err
	})
	return tensors, err
}
