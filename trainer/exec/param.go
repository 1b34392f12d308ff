package exec

// A ParamInfo is one tensor of a model, at the same offset of the param and the grad arena.
type ParamInfo struct {
	Name      string // as in the family's Hugging Face state dict
	Shape     []int
	Offset    int // bytes
	Elems     int
	Decay     bool // weight decay applies: matrices, not biases or norms
	Trainable bool
	// DType is that of the layout's floats, or a quantised one.
	DType DType
	// Form is how it lies in the arena. Only networks for inference have others than Rows.
	Form Form
	// Joint is the number of the matrix that it is a part of, counted from 1; 0: it is one by itself. Products read the parts
	// as one where they are of the same type and form.
	Joint int
	// Maps is the number of linear maps of a hidden layer that lie side by side in the columns of a matrix: 1, or 3
	// in GPT-2's c_attn. Muon updates each by itself. It is 0 for parameters that are no weights of hidden layers:
	// embeddings, output layers, vectors.
	Maps int
	// Above is how many steps above the parameter the head of the model is: 0 in a head, 1 behind the last layer, 2 in the
	// last layer, and one more in each layer below. What lies before the first layer, embeddings above all, is below it.
	Above int
}

// Bytes is the size of the tensor in its arena.
func (p *ParamInfo) Bytes() int { return p.DType.Bytes(p.Form.Elems(p.Shape)) }

// Layout lists the parameters of a model in the order of their arena. Those with weight decay come first, so
// that an optimiser's passes run over few long ranges. Otherwise they lie as declared, so that the weights of a joint
// product lie side by side, and its biases too.
type Layout struct {
	DType  DType // of floats: what programs compute in, gradients, and parameters that are not quantised
	Params []ParamInfo
	Bytes  int // of the param arena
}

// NewLayout places parameters (name, shape, Decay, Trainable, Maps and Form set, and DType where
// one is stored in another type) in an arena.
// Frozen ones come last: the gradient arena ends before them.
func NewLayout(dt DType, params []ParamInfo) *Layout {
	l := &Layout{DType: dt}
	for rank := range 4 {
		for _, p := range params {
			r := 0
			if !p.Decay {
				r++
			}
			if !p.Trainable {
				r += 2
			}
			if r != rank {
				continue
			}
			p.Elems = Rows.Elems(p.Shape)
			if !p.DType.Stored() {
				p.DType = dt
			}
			p.Offset = l.Bytes
			l.Bytes += alignUp(p.Bytes())
			l.Params = append(l.Params, p)
		}
	}
	return l
}

// Param finds a parameter by name.
func (l *Layout) Param(name string) (ParamInfo, bool) {
	for _, p := range l.Params {
		if p.Name == name {
			return p, true
		}
	}
	return ParamInfo{}, false
}

// GradBytes is the size of the gradient arena: the trainable parameters.
func (l *Layout) GradBytes() int {
	n := 0
	for _, p := range l.Params {
		if p.Trainable {
			n = p.Offset + alignUp(p.Bytes())
		}
	}
	return n
}

// Elems is the number of parameters in the model.
func (l *Layout) Elems() int {
	n := 0
	for _, p := range l.Params {
		n += p.Elems
	}
	return n
}
