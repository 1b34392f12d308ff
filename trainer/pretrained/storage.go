package pretrained

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"hone/checkpoint"
	"hone/checkpoint/float"
	"hone/checkpoint/gguf"
	"hone/trainer/exec"
	"hone/trainer/model"
)

// Quantizations are the types that matrices of floats can be rounded to.
var Quantizations = []string{"bf16", "q8_0", "q4_1", "q4_0"}

// A Storage says in which type each matrix of a network is kept. Those of a checkpoint stay as they are there where
// products read the type; blocks of 5 bits and of IQ4_NL become ones of Q8_0, with the same values; others become floats.
type Storage struct {
	types    map[string]exec.DType // of parameters that are not kept as float32
	names    map[string]string     // of the tensors that parameters are
	stored   map[string]string     // types in the checkpoint, by parameter
	layout   *exec.Layout
	rounded  map[exec.DType]int // matrices, by what they are rounded to
	int8     bool               // what is multiplied with them is rounded
	expanded map[string]int     // matrices of blocks that are kept as float32, by what they are in the checkpoint
}

// newStorage decides for a network with the layout l.
func newStorage(l *exec.Layout, tensors []checkpoint.Tensor, o Options) (*Storage, error) {
	s := &Storage{types: map[string]exec.DType{}, names: map[string]string{}, stored: map[string]string{}, rounded: map[exec.DType]int{}, expanded: map[string]int{}, int8: o.Int8}
	to := exec.F32
	if o.Quantize != "" {
		if !slices.Contains(Quantizations, o.Quantize) {
			return nil, fmt.Errorf("weights cannot be rounded to %q (known: %s)", o.Quantize, strings.Join(Quantizations, ", "))
		}
		for _, dt := range []exec.DType{exec.BF16, exec.Q8_0, exec.Q4_1, exec.Q4_0} {
			if dt.String() == o.Quantize {
				to = dt
			}
		}
	}
	for _, p := range l.Params { // which lack a prefix where the network has no head, and the checkpoint has
		for _, t := range tensors {
			if t.Name == p.Name || s.names[p.Name] != p.Name && strings.HasSuffix(t.Name, "."+p.Name) {
				s.names[p.Name], s.stored[p.Name] = t.Name, t.DType
			}
		}
	}
	joint := map[int][]exec.DType{}
	for _, p := range l.Params {
		dt := s.keep(p, to)
		if dt != exec.F32 {
			s.types[p.Name] = dt
		}
		if p.Joint > 0 && !slices.Contains(joint[p.Joint], dt) {
			joint[p.Joint] = append(joint[p.Joint], dt)
		}
	}
	// Parts of one matrix are of one type.
	for _, p := range l.Params {
		types := joint[p.Joint]
		if p.Joint == 0 || len(types) == 1 {
			continue
		}
		delete(s.types, p.Name)
		if !slices.ContainsFunc(types, func(dt exec.DType) bool { return dt != exec.Q8_0 && dt != exec.Q4_0 }) {
			s.types[p.Name] = exec.Q8_0
		}
	}
	for _, p := range l.Params {
		have, dt := s.stored[p.Name], s.of(p.Name)
		switch k, err := gguf.TypeNamed(have); {
		case err != nil || len(p.Shape) != 2:
		case k.Block() > 1 && dt == exec.F32:
			s.expanded[have]++
		case s.rounds(p.Name):
			s.rounded[dt]++
		}
	}
	s.layout = l
	return s, nil
}

// keep is the type for one parameter; floats are rounded to a type, unless that is float32.
func (s *Storage) keep(p exec.ParamInfo, to exec.DType) exec.DType {
	blocks := p.Form == exec.Panels && p.Shape[1]%exec.Q8_0.Block() == 0
	if p.Form == exec.Rows {
		return exec.F32
	}
	switch have := s.stored[p.Name]; have {
	case "F32", "F64", "F16", "BF16":
		if to.Quantized() && blocks {
			if p.Maps == 0 { // embeddings and output layers suffer most
				return exec.Q8_0
			}
			return to
		}
		switch {
		case have == "F16":
			return exec.F16
		case have == "BF16", to == exec.BF16:
			return exec.BF16
		}
	case "Q8_0", "Q5_0", "IQ4_NL":
		if blocks {
			return exec.Q8_0
		}
	case "Q4_0":
		if blocks {
			return exec.Q4_0
		}
	case "Q4_1":
		if blocks {
			return exec.Q4_1
		}
	}
	return exec.F32
}

// quantised reports whether a matrix is kept in blocks.
func (s *Storage) quantised() bool {
	return slices.ContainsFunc(slices.Collect(maps.Values(s.types)), exec.DType.Quantized)
}

func (s *Storage) of(name string) exec.DType { return s.types[name] }

// rounds reports whether a parameter's type does not hold the values of the checkpoint.
func (s *Storage) rounds(name string) bool {
	have, dt := s.stored[name], s.of(name)
	switch have {
	case "F32", "F64":
		return dt != exec.F32
	case "F16", "BF16":
		return dt.Quantized()
	}
	return false
}

// blocks makes blocks of a quantised type of a tensor's data, which is of another type.
func blocks(dt exec.DType, t checkpoint.Tensor) ([]byte, error) {
	if strings.EqualFold(t.DType, dt.String()) {
		return t.Data, nil
	}
	kind, err := gguf.TypeNamed(strings.ToUpper(dt.String()))
	if err != nil {
		return nil, err
	}
	out := make([]byte, dt.Bytes(int(t.Elems())))
	have, err := gguf.TypeNamed(t.DType)
	if err != nil {
		return nil, err
	}
	if have.Block() == 1 {
		values, err := checkpoint.Floats(t)
		if err != nil {
			return nil, err
		}
		return out, gguf.Quantize(kind, out, values)
	}
	// The scale comes first in either type, and is kept. With a scale of 1 the values are the numbers.
	from, to := int(have.Bytes(32)), dt.Bytes(32)
	one := make([]byte, from)
	numbers := make([]float32, 32)
	for i := range len(t.Data) / from {
		copy(one, t.Data[i*from:])
		b := out[i*to:][:to]
		copy(b, one[:2])
		one[0], one[1] = 0x00, 0x3c
		if err := gguf.Dequantize(have, numbers, one); err != nil {
			return nil, err
		}
		for k, v := range numbers {
			b[2+k] = byte(int8(v))
		}
	}
	return out, nil
}

// round rounds the floats of a tensor to what 16 bits hold, where it is kept in them.
func (s *Storage) round(tensor string, values []float32) {
	for name, of := range s.names {
		if of == tensor && s.of(name) == exec.BF16 {
			for i, v := range values {
				values[i] = float.FromBF16(float.ToBF16(v))
			}
		}
	}
}

// load sets the quantised parameters of a network.
func (s *Storage) load(net *model.Network, file *checkpoint.Safetensors) error {
	for _, p := range net.Layout().Params {
		if !p.DType.Quantized() {
			continue
		}
		t, err := file.Read(s.names[p.Name], nil)
		if err == nil {
			t.Data, err = blocks(p.DType, t)
		}
		if err == nil {
			err = net.SetBlocks(p.Name, t.Data)
		}
		if err != nil {
			return fmt.Errorf("tensor %s: %w", s.names[p.Name], err)
		}
	}
	return nil
}

// Notes say what the network holds, where that is not float32 alone, and what was changed.
func (s *Storage) Notes() (notes []string) {
	if len(s.types) == 0 && len(s.expanded) == 0 {
		return nil
	}
	bytes := map[exec.DType]int{}
	for _, p := range s.layout.Params {
		p.DType = s.of(p.Name)
		bytes[p.DType] += p.Bytes()
	}
	var parts []string
	for _, dt := range slices.Sorted(maps.Keys(bytes)) {
		parts = append(parts, fmt.Sprintf("%.1f MB of %v", float64(bytes[dt])/1e6, dt))
	}
	if s.int8 {
		notes = append(notes, "what is multiplied with quantised matrices is rounded to 8 bits, which loses precision")
	}
	notes = append(notes, "weights in memory: "+strings.Join(parts, ", "))
	for _, have := range slices.Sorted(maps.Keys(s.expanded)) {
		notes = append(notes, fmt.Sprintf("matrices of %s kept as f32, with the same values: %d", have, s.expanded[have]))
	}
	for _, dt := range slices.Sorted(maps.Keys(s.rounded)) {
		notes = append(notes, fmt.Sprintf("matrices rounded to %v, which loses precision: %d", dt, s.rounded[dt]))
	}
	return notes
}
