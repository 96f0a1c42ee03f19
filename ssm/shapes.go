package ssm

// Shapes lists the tensors that a model of d has, in the order of Tensors, without
// data. d must be valid.
func Shapes(d Dims) []Tensor {
	var w weights
	slots := w.slots(d)
	tensors := make([]Tensor, len(slots))
	for i, s := range slots {
		tensors[i] = Tensor{Name: s.name, Shape: s.shape}
	}
	return tensors
}
