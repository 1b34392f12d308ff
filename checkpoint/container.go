package checkpoint

import (
	"io"

	"hone/checkpoint/gguf"
	"hone/checkpoint/pickle"
)

// A container is an open file of tensors.
type container interface {
	// Tensors describes them, without their data.
	Tensors() []Tensor
	// reader gives the bytes of tensor i, row-major and little-endian. The error names the
	// file and the tensor.
	reader(i int) (io.Reader, error)
	Close() error
}

func openSafetensors(path string) (container, error) {
	s, err := OpenSafetensors(path)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// pickled is a file that torch.save wrote.
type pickled struct{ *pickle.File }

func openPickle(path string) (container, error) {
	f, err := pickle.Open(path)
	if err != nil {
		return nil, err
	}
	return pickled{f}, nil
}

func (p pickled) Tensors() []Tensor {
	var list []Tensor
	for _, t := range p.File.Tensors() {
		list = append(list, Tensor{Name: t.Name, DType: t.DType, Shape: t.Shape})
	}
	return list
}

func (p pickled) reader(i int) (io.Reader, error) { return p.Reader(i) }

// blocked is a GGUF file.
type blocked struct{ *gguf.File }

func (b blocked) Tensors() []Tensor {
	var list []Tensor
	for _, t := range b.File.Tensors {
		list = append(list, Tensor{Name: t.Name, DType: t.Type.String(), Shape: t.Shape})
	}
	return list
}

func (b blocked) reader(i int) (io.Reader, error) { return b.Reader(&b.File.Tensors[i]), nil }
