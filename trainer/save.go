package trainer

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"unsafe"

	"hone/checkpoint"
	"hone/data"
	"hone/optim"
	"hone/trainer/exec"
	"hone/trainer/model"
)

// state is state.json: what a run resumes from, beside weights and moments.
type state struct {
	Step   int         `json:"step"`
	Tokens int64       `json:"tokens"`
	Cursor data.Cursor `json:"cursor"`
	// Pending is what the hooks of this step have not been called with: the run was interrupted.
	Pending *StepInfo `json:"pending,omitempty"`
}

// save writes a checkpoint of the step just done, and lets go of older ones.
func (t *Trainer) save(pending bool) error {
	weights, err := Weights(t.net)
	if err != nil {
		return err
	}
	moments, err := t.moments()
	if err != nil {
		return err
	}
	for _, x := range slices.Concat(weights, moments) {
		if i := firstNonFinite(x); i >= 0 {
			return fmt.Errorf("%s is not finite from element %d on: not saved%s", x.Name, i, t.lastGood())
		}
	}
	now := state{Step: t.step, Tokens: t.tokens, Cursor: t.cursor}
	if pending {
		now.Pending = &t.info
	}
	st, err := json.MarshalIndent(now, "", "  ")
	if err != nil {
		return err
	}
	files := []checkpoint.File{
		checkpoint.TensorsFile(checkpoint.ModelFile, weights),
		checkpoint.TensorsFile(checkpoint.OptimizerFile, moments),
		checkpoint.BytesFile(checkpoint.StateFile, st),
	}
	files = append(files, t.cfg.Files...)
	m := t.cfg.Manifest
	m.Step, m.Metrics = t.step, maps.Clone(t.metrics)
	if err := checkpoint.Save(checkpoint.StepDir(t.cfg.Dir, t.step), m, files); err != nil {
		return err
	}
	_, err = checkpoint.Retain(t.cfg.Dir, t.cfg.Retention)
	return err
}

// Weights copies a network's parameters to the host.
func Weights(net *model.Network) ([]checkpoint.Tensor, error) {
	var out []checkpoint.Tensor
	for _, p := range net.Layout().Params {
		w := make([]float32, p.Elems)
		if err := net.Weight(p.Name, w); err != nil {
			return nil, err
		}
		out = append(out, checkpoint.Tensor{Name: p.Name, DType: "F32", Shape: p.Shape, Data: floatBytes(w)})
	}
	return out, nil
}

// firstNonFinite is the first element that is a NaN or an infinity, or -1. A step may
// overflow weights though its loss and gradient are finite.
func firstNonFinite(x checkpoint.Tensor) int {
	if x.DType == "F64" {
		for i := range len(x.Data) / 8 {
			if binary.LittleEndian.Uint64(x.Data[8*i:])>>52&0x7ff == 0x7ff {
				return i
			}
		}
		return -1
	}
	for i := range len(x.Data) / 4 {
		if binary.LittleEndian.Uint32(x.Data[4*i:])>>23&0xff == 0xff {
			return i
		}
	}
	return -1
}

// LoadWeights sets a network's parameters from a checkpoint. A classifier may start
// from a language model: the names of what that lacks are returned, and keep their values.
func LoadWeights(net *model.Network, c *checkpoint.Checkpoint) (fresh []string, err error) {
	file, err := c.Tensors(checkpoint.ModelFile)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var list []model.Stored
	for _, t := range file.Tensors() {
		list = append(list, model.Stored{Name: t.Name, Shape: t.Shape})
	}
	fresh, err = net.Load(list, func(i int, dst []float32) error {
		if dt := file.Tensors()[i].DType; dt != "F32" {
			return fmt.Errorf("of type %s; only F32 is read", dt)
		}
		_, err := file.Read(list[i].Name, floatBytes(dst))
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

// moments copies the optimiser's state to the host.
func (t *Trainer) moments() ([]checkpoint.Tensor, error) {
	var out []checkpoint.Tensor
	for _, s := range t.opt.State(t.net.Layout()) {
		data := make([]byte, tensorBytes(s))
		if err := t.net.Memory().Download(exec.State, s.Offset, data); err != nil {
			return nil, err
		}
		out = append(out, checkpoint.Tensor{Name: s.Name, DType: dtypeName(s.DType), Shape: s.Shape, Data: data})
	}
	return out, nil
}

func tensorBytes(t optim.Tensor) int {
	n := t.DType.Size()
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

func dtypeName(dt exec.DType) string {
	if dt == exec.F64 {
		return "F64"
	}
	return "F32"
}

// resume loads the stage's newest good checkpoint, if it has one.
func (t *Trainer) resume() error {
	c, err := checkpoint.Latest(t.cfg.Dir, t.cfg.Say)
	if err != nil || c == nil {
		return err
	}
	b, err := c.File(checkpoint.StateFile)
	if err != nil {
		return err
	}
	var st state
	if err := json.Unmarshal(b, &st); err != nil {
		return fmt.Errorf("checkpoint %s: %s: %w", c.Dir, checkpoint.StateFile, err)
	}
	if _, err := LoadWeights(t.net, c); err != nil {
		return err
	}
	moments, err := c.Tensors(checkpoint.OptimizerFile)
	if err != nil {
		return err
	}
	defer moments.Close()
	if err := t.loadMoments(moments, t.opt.State(t.net.Layout())); err != nil {
		return fmt.Errorf("checkpoint %s: %w", c.Dir, err)
	}
	t.step, t.tokens, t.cursor = st.Step, st.Tokens, st.Cursor
	if st.Pending != nil {
		t.pending, t.info = true, *st.Pending
	}
	t.metrics = maps.Clone(c.Manifest.Metrics)
	if best, err := checkpoint.Best(t.cfg.Dir, t.cfg.Retention, nil); err != nil {
		return err
	} else if best != nil {
		t.best, t.hasBest = best.Manifest.Metrics[t.cfg.Retention.Metric], true
	}
	// A process that was killed may have saved, and not let go of the older ones yet.
	if _, err := checkpoint.Retain(t.cfg.Dir, t.cfg.Retention); err != nil {
		return err
	}
	t.cfg.Say(fmt.Sprintf("%s: resumed from step %d (%s)", t.cfg.Manifest.Stage, t.step, c.Dir))
	return nil
}

func (t *Trainer) loadMoments(s *checkpoint.Safetensors, want []optim.Tensor) error {
	for _, w := range want {
		got, err := s.Read(w.Name, nil)
		if err != nil {
			return err
		}
		if len(got.Data) != tensorBytes(w) || got.DType != dtypeName(w.DType) {
			return fmt.Errorf("%s: %s is %s%v, not %s%v", checkpoint.OptimizerFile, w.Name, got.DType, got.Shape, dtypeName(w.DType), w.Shape)
		}
		if err := t.net.Memory().Upload(exec.State, w.Offset, got.Data); err != nil {
			return err
		}
	}
	return nil
}
