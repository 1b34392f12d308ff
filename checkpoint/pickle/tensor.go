package pickle

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// A class is what a pickle of weights names: a function or a type of storage.
type class string

const (
	orderedDict      class = "collections.OrderedDict"
	rebuildTensor    class = "torch._utils._rebuild_tensor_v2"
	rebuildParameter class = "torch._utils._rebuild_parameter"
)

// An element is the type of a storage's elements, by safetensors' name.
type element struct {
	dtype string
	size  int64 // bytes
}

var storages = map[class]element{
	"torch.FloatStorage": {"F32", 4}, "torch.DoubleStorage": {"F64", 8}, "torch.HalfStorage": {"F16", 2}, "torch.BFloat16Storage": {"BF16", 2},
	"torch.LongStorage": {"I64", 8}, "torch.IntStorage": {"I32", 4}, "torch.ShortStorage": {"I16", 2}, "torch.CharStorage": {"I8", 1},
	"torch.ByteStorage": {"U8", 1}, "torch.BoolStorage": {"BOOL", 1}, "torch.ComplexFloatStorage": {"C64", 8},
}

// globals are all that a pickle may name.
var globals = func() map[string]any {
	all := map[string]any{}
	for _, c := range []class{orderedDict, rebuildTensor, rebuildParameter} {
		all[string(c)] = c
	}
	for c := range storages {
		all[string(c)] = c
	}
	return all
}()

// A storage is an entry of the archive that holds elements.
type storage struct {
	key   string
	of    element
	elems int64
}

// A tensor is a view of a storage.
type tensor struct {
	storage       storage
	offset        int64 // in elements
	shape, stride []int64
}

// newTensor is torch._utils._rebuild_tensor_v2(storage, storage_offset, size, stride,
// requires_grad, backward_hooks, metadata=None).
func newTensor(args tuple) (any, error) {
	if len(args) < 6 || len(args) > 7 || len(args) == 7 && args[6] != nil {
		return nil, fmt.Errorf("%d arguments, or metadata", len(args))
	}
	t := tensor{}
	var ok bool
	if t.storage, ok = args[0].(storage); !ok {
		return nil, fmt.Errorf("%s, where a storage should be", kind(args[0]))
	}
	if t.offset, ok = args[1].(int64); !ok || t.offset < 0 {
		return nil, errors.New("an offset that is no number")
	}
	var err error
	if t.shape, err = sizes("size", args[2]); err != nil {
		return nil, err
	}
	if t.stride, err = sizes("stride", args[3]); err != nil {
		return nil, err
	}
	if _, ok := args[4].(bool); !ok {
		return nil, fmt.Errorf("%s for requires_grad", kind(args[4]))
	}
	if hooks, ok := args[5].(*dict); !ok || len(hooks.keys) > 0 {
		return nil, errors.New("hooks, which are programs")
	}
	return t, t.check()
}

// maxDims is PyTorch's own limit for most of what it does.
const maxDims = 64

func sizes(what string, v any) ([]int64, error) {
	list, ok := v.(tuple)
	if !ok || len(list) > maxDims {
		return nil, fmt.Errorf("a %s that is no tuple of up to %d numbers", what, maxDims)
	}
	dims := make([]int64, len(list))
	for i := range list {
		if dims[i], ok = list[i].(int64); !ok || dims[i] < 0 {
			return nil, fmt.Errorf("a %s that is no tuple of numbers from 0 on", what)
		}
	}
	return dims, nil
}

// check holds the tensor against its storage.
func (t tensor) check() error {
	if len(t.shape) != len(t.stride) {
		return fmt.Errorf("%d sizes, but %d strides", len(t.shape), len(t.stride))
	}
	count, last := uint64(1), uint64(t.offset)
	for i, d := range t.shape {
		hi, n := bits.Mul64(count, uint64(d))
		if hi != 0 || n > math.MaxInt64 {
			return fmt.Errorf("size %v is larger than any memory", t.shape)
		}
		count = n
		if d == 0 {
			continue
		}
		hi, reach := bits.Mul64(uint64(d-1), uint64(t.stride[i]))
		if last += reach; hi != 0 || last < reach || last > math.MaxInt64 {
			return fmt.Errorf("size %v by stride %v is larger than any memory", t.shape, t.stride)
		}
	}
	if slices.Contains(t.shape, 0) {
		return nil
	}
	if last >= uint64(t.storage.elems) {
		return fmt.Errorf("its element %d is beyond the %d of storage %q", last, t.storage.elems, t.storage.key)
	}
	if count > uint64(t.storage.elems) {
		return fmt.Errorf("size %v is more than the %d elements of storage %q", t.shape, t.storage.elems, t.storage.key)
	}
	return nil
}

// parameterData is torch._utils._rebuild_parameter(data, requires_grad, backward_hooks).
func parameterData(args tuple) (any, error) {
	if len(args) != 3 {
		return nil, fmt.Errorf("%d arguments", len(args))
	}
	t, ok := args[0].(tensor)
	if !ok {
		return nil, fmt.Errorf("%s, where a tensor should be", kind(args[0]))
	}
	if hooks, ok := args[2].(*dict); !ok || len(hooks.keys) > 0 {
		return nil, errors.New("hooks, which are programs")
	}
	return t, nil
}

// elems is the number of elements.
func (t tensor) elems() int64 {
	n := int64(1)
	for _, d := range t.shape {
		n *= d
	}
	return n
}

// layout gives shape and stride without dimensions of 1, and with those joined that lie one
// in the other; contiguous elements are one dimension of stride 1.
func (t tensor) layout() (shape, stride []int64) {
	for i := len(t.shape) - 1; i >= 0; i-- {
		d, s := t.shape[i], t.stride[i]
		if d == 1 {
			continue
		}
		if n := len(shape); n > 0 && s == shape[n-1]*stride[n-1] {
			shape[n-1] *= d
			continue
		}
		shape, stride = append(shape, d), append(stride, s)
	}
	if len(shape) == 0 {
		return []int64{1}, []int64{1}
	}
	slices.Reverse(shape)
	slices.Reverse(stride)
	return shape, stride
}
