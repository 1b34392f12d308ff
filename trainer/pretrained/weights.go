package pretrained

import (
	"fmt"
	"unsafe"

	"hone/checkpoint"
	"hone/trainer/model"
)

// Load sets a network's parameters from a checkpoint, whatever the type of its tensors. A classifier may start
// from a language model: the names of what that lacks are returned, and keep their values.
func Load(net *model.Network, c *checkpoint.Checkpoint) (fresh []string, err error) {
	return load(net.Load, c, nil)
}

// LoadBody is Load of a checkpoint with another head, or other labels: what the
// head has of its own keeps its values.
func LoadBody(net *model.Network, c *checkpoint.Checkpoint) (fresh []string, err error) {
	return load(net.LoadBody, c, nil)
}

// load reads the tensors of a checkpoint as a network keeps them: with a nil storage, as floats.
func load(into func([]model.Stored, func(int, []float32) error) ([]string, error), c *checkpoint.Checkpoint, s *Storage) (fresh []string, err error) {
	file, err := c.Tensors(checkpoint.ModelFile)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var list []model.Stored
	for _, t := range file.Tensors() {
		list = append(list, model.Stored{Name: t.Name, Shape: t.Shape})
	}
	fresh, err = into(list, func(i int, dst []float32) error {
		t := file.Tensors()[i]
		if t.DType == "F32" {
			_, err = file.Read(t.Name, floatBytes(dst))
		} else if t, err = file.Read(t.Name, nil); err == nil {
			var values []float32
			values, err = checkpoint.Floats(t)
			copy(dst, values)
		}
		if err == nil && s != nil {
			s.round(t.Name, dst)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", c.Dir, err)
	}
	return fresh, nil
}

// floatBytes is the little-endian memory of f; hone runs on little-endian machines only.
func floatBytes(f []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(f))), 4*len(f))
}
