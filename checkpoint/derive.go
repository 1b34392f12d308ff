package checkpoint

// A Derived tensor is one of a model's tensors under another name, and perhaps in another form.
type Derived struct {
	Name  string
	Shape []int
	From  int // the tensor that it is made of
	// Make gives the values, row-major, of those of From, which are its own to change. Where it
	// is nil they are the same, in the same order.
	Make func(values []float32) []float32
	// Rows, in place of Make, gives for each row the one of From that it is; the values stay as
	// they are stored.
	Rows []int
}

// Derive gives the weights w as a list says: the tensors are made as they are read, one at a
// time in memory. Closing them closes w.
func (w *Weights) Derive(list []Derived) *Weights {
	d := &Weights{dir: w.dir, names: w.names, files: w.files, in: w.in}
	for _, x := range list {
		of, at := w.tensors[x.From], w.at[x.From]
		t := Tensor{Name: x.Name, DType: of.DType, Shape: x.Shape}
		at.rows = x.Rows
		if x.Make != nil {
			t.DType, at.of, at.make = "F32", of, x.Make
		}
		d.tensors, d.at = append(d.tensors, t), append(d.at, at)
	}
	return d
}
