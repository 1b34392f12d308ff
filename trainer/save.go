package trainer

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"hone/checkpoint"
	"hone/data"
	"hone/trainer/exec"
	"hone/trainer/pretrained"
)

// state is state.json: what a run needs to resume, beside weights and moments.
type state struct {
	Step   int         `json:"step"`
	Tokens int64       `json:"tokens"`
	Cursor data.Cursor `json:"cursor"`
	// Pending is the information of a step whose hooks have not been called: the run was interrupted.
	Pending *StepInfo `json:"pending,omitempty"`
	// Waited is the number of validations since one was better.
	Waited int `json:"waited,omitempty"`
}

// save writes a checkpoint of the step just done, and deletes older ones.
func (t *Trainer) save(pending bool) error {
	return t.averaged(func() error { return t.publish(pending) })
}

func (t *Trainer) publish(pending bool) error {
	weights, moments := t.weights(), append(t.moments(), t.memories()...)
	for _, x := range slices.Concat(weights, moments) {
		scan := finiteScan{dtype: x.DType}
		if err := t.write(&scan, x); err != nil {
			return err
		}
		if scan.found {
			err := fmt.Errorf("%s is not finite from element %d on: not saved%s", x.Name, scan.elem, t.lastGood())
			return &DivergedError{t.step, x.Name + " is not finite", err}
		}
	}
	now := state{Step: t.step, Tokens: t.tokens, Cursor: t.cursor, Waited: t.waited}
	if pending {
		now.Pending = &t.info
	}
	st, err := json.MarshalIndent(now, "", "  ")
	if err != nil {
		return err
	}
	files := []checkpoint.File{
		t.weightsFile(weights),
		t.file(checkpoint.OptimizerFile, nil, moments),
		checkpoint.BytesFile(checkpoint.StateFile, st),
	}
	files = slices.Concat(files, t.cfg.Files, t.files)
	m := t.cfg.Manifest
	m.Step, m.Metrics = t.step, maps.Clone(t.metrics)
	if err := checkpoint.Save(checkpoint.StepDir(t.cfg.Dir, t.step), m, files); err != nil {
		return err
	}
	_, err = checkpoint.Retain(t.cfg.Dir, t.cfg.Retention)
	return err
}

// stored is a part of an arena that a checkpoint holds.
type stored struct {
	checkpoint.Tensor // without Data
	class             exec.Class
	offset            int
}

// weightsFile is that of the model or the adapter.
func (t *Trainer) weightsFile(list []stored) checkpoint.File {
	if t.cfg.Adapter == nil {
		return t.file(checkpoint.ModelFile, nil, list)
	}
	return t.file(checkpoint.AdapterFile, t.cfg.Adapter, list)
}

// weights are the network's parameters; of an adapter, what is trained.
func (t *Trainer) weights() []stored {
	l := t.net.Layout()
	var out []stored
	for _, p := range l.Params {
		name := p.Name
		if t.cfg.Adapter != nil {
			if !p.Trainable {
				continue
			}
			name = pretrained.AdapterName(name)
		}
		x := checkpoint.Tensor{Name: name, DType: dtypeName(p.DType), Shape: p.Shape}
		out = append(out, stored{x, exec.Param, p.Offset})
	}
	return out
}

// moments are the optimiser's state.
func (t *Trainer) moments() []stored {
	var out []stored
	for _, s := range t.opt.State(t.net.Layout()) {
		x := checkpoint.Tensor{Name: s.Name, DType: dtypeName(s.DType), Shape: s.Shape}
		out = append(out, stored{x, exec.State, s.Offset})
	}
	return out
}

// memories are what the next step reads from the one just done: the memory of each layer, for each micro-batch.
func (t *Trainer) memories() []stored {
	var out []stored
	for i := 0; ; i++ {
		name := fmt.Sprintf("memory.%d", i)
		id, ok := t.train.Program().Named[name]
		if !ok {
			return out
		}
		v := &t.train.Program().Values[id]
		shape := slices.Clone(v.Shape)
		shape[0] /= 2
		x := checkpoint.Tensor{Name: name, DType: dtypeName(v.DType), Shape: shape}
		out = append(out, stored{x, exec.Cache, v.Offset + t.step%2*v.Bytes()/2})
	}
}

// file is a file of them.
func (t *Trainer) file(name string, metadata map[string]string, list []stored) checkpoint.File {
	from := map[string]stored{}
	var tensors []checkpoint.Tensor
	for _, x := range list {
		from[x.Name] = x
		tensors = append(tensors, x.Tensor)
	}
	return checkpoint.StreamFileWith(name, metadata, tensors, func(w io.Writer, x checkpoint.Tensor) error { return t.write(w, from[x.Name]) })
}

// saveChunk is the number of bytes that a save copies from the device at a time, a multiple of 8, so that the
// host need not hold another copy of weights and moments.
const saveChunk = 1 << 20

func (t *Trainer) write(w io.Writer, x stored) error {
	size, err := x.NumBytes()
	if err != nil {
		return err
	}
	if t.chunk == nil {
		t.chunk = make([]byte, saveChunk)
	}
	for at := 0; at < int(size); at += saveChunk {
		part := t.chunk[:min(saveChunk, int(size)-at)]
		if err := t.train.Memory().Download(x.class, x.offset+at, part); err != nil {
			return err
		}
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// A finiteScan looks for the first NaN or infinity in what is written to it, whole
// elements at a time. A step may overflow weights though its loss and gradient are finite.
type finiteScan struct {
	dtype string
	elems int // behind
	found bool
	elem  int // the first that is not finite
}

func (s *finiteScan) Write(b []byte) (int, error) {
	size := 4
	if s.dtype == "F64" {
		size = 8
	}
	for i := 0; i < len(b) && !s.found; i += size {
		if size == 8 {
			s.found = binary.LittleEndian.Uint64(b[i:])>>52&0x7ff == 0x7ff
		} else {
			s.found = binary.LittleEndian.Uint32(b[i:])>>23&0xff == 0xff
		}
		s.elem = s.elems + i/size
	}
	s.elems += len(b) / size
	return len(b), nil
}

// dtypeName is safetensors' name of a type. It has none for quantised ones, which a save
// then refuses.
func dtypeName(dt exec.DType) string { return strings.ToUpper(dt.String()) }

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
	if t.cfg.Adapter != nil {
		err = pretrained.LoadAdapter(t.net, c.Dir)
	} else {
		_, err = pretrained.Load(t.net, c)
	}
	if err != nil {
		return err
	}
	moments, err := c.Tensors(checkpoint.OptimizerFile)
	if err != nil {
		return err
	}
	defer moments.Close()
	t.step, t.tokens, t.cursor, t.waited = st.Step, st.Tokens, st.Cursor, st.Waited
	chain, changed := c.Manifest.Continue(t.cfg.Manifest.Provenance)
	t.cfg.Manifest.Provenance = chain
	if changed { // the cursor belongs to other data
		t.cursor = data.Cursor{}
		if len(t.cfg.Data.Mixture) == 0 {
			t.cursor.Epoch = st.Cursor.Epoch + 1 // in another order, where much of it is the same
		}
	}
	if err := t.loadMoments(moments, append(t.moments(), t.memories()...)); err != nil {
		return fmt.Errorf("checkpoint %s: %w", c.Dir, err)
	}
	if t.exchange != nil { // as it was saved, the network has the average
		if err := t.exchange.Run(); err != nil {
			return err
		}
	}
	if st.Pending != nil {
		t.pending, t.info = true, *st.Pending
	}
	t.metrics = maps.Clone(c.Manifest.Metrics)
	if best, err := checkpoint.Best(t.cfg.Dir, t.cfg.Retention, nil); err != nil {
		return err
	} else if best != nil {
		t.best, t.hasBest = best.Manifest.Metrics[t.cfg.Retention.Metric], true
	}
	// A process that was killed may have saved, but not deleted the older ones yet.
	if _, err := checkpoint.Retain(t.cfg.Dir, t.cfg.Retention); err != nil {
		return err
	}
	t.cfg.Say(fmt.Sprintf("%s: resumed from step %d (%s)", t.cfg.Manifest.Stage, t.step, c.Dir))
	if changed {
		t.cfg.Say(fmt.Sprintf("%s: from step %d on with other data, from its beginning", t.cfg.Manifest.Stage, t.step+1))
	}
	return nil
}

func (t *Trainer) loadMoments(s *checkpoint.Safetensors, want []stored) error {
	for _, w := range want {
		got, err := s.Read(w.Name, nil)
		if err != nil {
			return err
		}
		if got.DType != w.DType || !slices.Equal(got.Shape, w.Shape) {
			return fmt.Errorf("%s: %s is %s%v, not %s%v", checkpoint.OptimizerFile, w.Name, got.DType, got.Shape, w.DType, w.Shape)
		}
		if err := t.train.Memory().Upload(w.class, w.offset, got.Data); err != nil {
			return err
		}
	}
	return nil
}
