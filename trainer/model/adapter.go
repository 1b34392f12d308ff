package model

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"hone/trainer/exec"
	"hone/trainer/graph"
)

// A Module is a layer of a model that an adapter may stand beside, by its name in transformers.
type Module struct {
	Name    string
	Kind    ModuleKind
	In, Out int  // an embedding's rows and columns
	Output  bool // of a head
}

// ModuleKind says how a module holds its matrix.
type ModuleKind int

const (
	Linear    ModuleKind = iota // (out,in)
	Conv1D                      // (in,out)
	Embedding                   // (in,out), looked up
)

// Modules are those of a model with a head.
func Modules(c Config, h Head) ([]Module, error) {
	b, err := parameters(c, exec.F32, Options{Head: h})
	if err != nil {
		return nil, err
	}
	return b.modules, nil
}

// An Adapter is a pair of small matrices A and B beside some modules of a frozen model, whose outputs they change by
// s·B·A·x (LoRA, Hu et al. 2021).
type Adapter struct {
	Pairs   map[string]Pair // by module
	Saved   []string        // ends of names of modules that are trained whole, heads for one
	Dropout float64         // of the inputs of pairs
}

// A Pair is what stands beside a module.
type Pair struct {
	Rank     int
	Scale    float64 // s
	Gaussian bool    // A starts as normal numbers of deviation 1/Rank, not as uniform ones
	// DoRA (Liu et al. 2024): what the matrix and the pair give together is divided by the norms of the matrix' rows, with the
	// pair added, and multiplied by magnitudes that are trained. The norms are constants to the gradient.
	DoRA bool
}

// The names of an adapter's tensors, behind those of its modules.
const (
	loraA          = ".lora_A.weight"    // (r,in)
	loraB          = ".lora_B.weight"    // (out,r)
	loraEmbeddingA = ".lora_embedding_A" // (r,in)
	loraEmbeddingB = ".lora_embedding_B" // (out,r)
	loraMagnitude  = ".lora_magnitude_vector"
)

// InAdapter says that a parameter is one of an adapter's pairs.
func InAdapter(name string) bool {
	_, part := PairOf(name)
	return part != NoPart
}

// StartMagnitudes sets the magnitudes of DoRA to the norms of the matrices, as they are: a pair adds nothing at the start.
func (n *Network) StartMagnitudes() error {
	if n.opts.Adapter == nil {
		return nil
	}
	modules, err := Modules(n.config, n.opts.Head)
	if err != nil {
		return err
	}
	for _, m := range modules {
		p, ok := n.layout.Param(m.Name + loraMagnitude)
		if !ok {
			continue
		}
		of := m.Name + ".weight"
		if tied, embedding := Tied(n.config, n.opts.Head); of == tied {
			of = embedding
		}
		w := make([]float32, m.In*m.Out)
		if err := n.Weight(of, w); err != nil {
			return err
		}
		squares, norms := make([]float64, p.Elems), make([]float32, p.Elems)
		for i, v := range w {
			row := i / m.In
			if m.Kind != Linear {
				row = i % m.Out
			}
			squares[row] += float64(v) * float64(v)
		}
		for i, s := range squares {
			norms[i] = float32(math.Sqrt(s))
		}
		if err := n.SetWeight(p.Name, norms); err != nil {
			return err
		}
	}
	return nil
}

// trains says that a parameter is one of the adapter's, or of a module that is trained whole.
func (a *Adapter) trains(name string) bool { return InAdapter(name) || a.saves(name) }

// saves says that a parameter belongs to a module that is trained whole: as in PEFT, one whose name ends so.
func (a *Adapter) saves(name string) bool {
	for i := range name {
		if name[i] == '.' && slices.ContainsFunc(a.Saved, func(end string) bool { return strings.HasSuffix(name[:i], end) }) {
			return true
		}
	}
	return false
}

// pairNodes are a pair's parameters.
type pairNodes struct{ a, b, magnitude *graph.Node }

// note lists a module. A layer that is applied twice is one.
func (b *builder) note(m Module) {
	if !slices.Contains(b.modules, m) {
		b.modules = append(b.modules, m)
	}
}

// adapt adds what the pair of a module with the matrix w makes of its input x, or of the ids x, to the module's columns of
// y (R,N), which begin with first. Without a pair it is y itself.
func (b *builder) adapt(m Module, w, x, y *graph.Node, first int) *graph.Node {
	p, ok := b.pairOf(m)
	if !ok {
		return y
	}
	n := b.pairs[m.Name]
	if n == nil { // its first use
		if b.pairs == nil {
			b.pairs = map[string]*pairNodes{}
		}
		n = b.pair(m, p)
		b.pairs[m.Name] = n
	}
	if m.Kind == Embedding {
		x = b.Embed(b.Transpose(n.a), x)
	} else {
		x = b.Linear(b.Dropout(x, b.adapter.Dropout, b.rng), n.a, nil, false)
	}
	if p.Scale != 1 {
		x = b.Scale(x, p.Scale)
	}
	y = b.AddLinear(y, x, n.b, first)
	if p.DoRA {
		norms := b.InverseNorms(w, n.a, n.b, p.Scale, m.Kind != Linear)
		y = b.ColumnScale(y, b.ColumnScale(n.magnitude, norms, 0), first)
	}
	return y
}

// pairOf is the pair beside a module.
func (b *builder) pairOf(m Module) (p Pair, ok bool) {
	if b.adapter != nil {
		p, ok = b.adapter.Pairs[m.Name]
	}
	return p, ok
}

// pair declares a pair's parameters. At the start it changes nothing: B is zero, or, of an embedding, A.
func (b *builder) pair(m Module, p Pair) *pairNodes {
	n := &pairNodes{}
	if p.DoRA {
		n.magnitude = b.Param(m.Name+loraMagnitude, graph.Init{}, m.Out)
	}
	if m.Kind == Embedding {
		n.a, n.b = b.Param(m.Name+loraEmbeddingA, graph.Init{}, p.Rank, m.In), b.Param(m.Name+loraEmbeddingB, graph.Init{Std: 1}, m.Out, p.Rank)
		return n
	}
	init := graph.Init{Uniform: 1 / math.Sqrt(float64(m.In))}
	if p.Gaussian {
		init = graph.Init{Std: 1 / float64(p.Rank)}
	}
	n.a, n.b = b.Param(m.Name+loraA, init, p.Rank, m.In), b.Param(m.Name+loraB, graph.Init{}, m.Out, p.Rank)
	return n
}

// check refuses pairs of modules that the model does not have, and ranks that no pair of theirs can have.
func (a *Adapter) check(modules []Module) error {
	for name, p := range a.Pairs {
		i := slices.IndexFunc(modules, func(m Module) bool { return m.Name == name })
		if i < 0 {
			return fmt.Errorf("model: an adapter of %s, which the model does not have", name)
		}
		if m := modules[i]; p.Rank < 1 || p.Rank > min(m.In, m.Out) {
			return fmt.Errorf("model: an adapter of rank %d beside %s, whose matrix is %d × %d: want a rank from 1 to %d", p.Rank, name, m.Out, m.In, min(m.In, m.Out))
		}
	}
	return nil
}
