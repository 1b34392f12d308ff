package model

import (
	"fmt"
	"slices"
	"strings"

	"hone/trainer/exec"
	"hone/trainer/graph"
)

// A Contrast is what a model without a head learns of the vectors of texts.
type Contrast struct {
	Pooling   string  // how a vector is made of the hidden states of a text's tokens: one of Poolings
	Loss      string  // one of ContrastLosses
	Scale     float64 // of cosines, in the ranking and in CoSENT
	Margin    float64 // of triplets
	Normalize bool    // the model's vectors have length 1, which matters to triplets alone
	// Dimensions are those of which a vector's first ones are a vector by themselves (Kusupati et al. 2022): the loss is
	// the sum of theirs, each of vectors of length 1. None: the whole vector.
	Dimensions []int
}

// Ways to pool, by their names in sentence-transformers: the mean, or the state of the first or the last token.
const (
	MeanPooling  = "mean"
	FirstPooling = "cls"
	LastPooling  = "lasttoken"
)

// Poolings lists the ways to pool that are learned.
var Poolings = []string{MeanPooling, FirstPooling, LastPooling}

// Losses of vectors, as sentence-transformers has them.
const (
	// RankingLoss is the cross-entropy of a text's own positive among all positives and negatives of a batch
	// (MultipleNegativesRankingLoss; Henderson et al. 2017), by cosine.
	RankingLoss = "ranking"
	CoSENTLoss  = "cosent"  // cosines of pairs have the order of their scores
	CosineLoss  = "cosine"  // squared difference of a pair's cosine to its score
	TripletLoss = "triplet" // the positive is nearer than the negative by a margin, in Euclid's distance
)

// ContrastLosses lists the losses.
var ContrastLosses = []string{RankingLoss, CoSENTLoss, CosineLoss, TripletLoss}

// Check reports what is wrong with a loss of vectors of a width.
func (c *Contrast) Check(width int) error {
	if !slices.Contains(ContrastLosses, c.Loss) {
		return fmt.Errorf("model: loss %q of vectors is not known (known: %s)", c.Loss, strings.Join(ContrastLosses, ", "))
	}
	if !slices.Contains(Poolings, c.Pooling) {
		return fmt.Errorf("model: pooling %q is not learned (known: %s)", c.Pooling, strings.Join(Poolings, ", "))
	}
	for _, d := range c.Dimensions {
		if d < 1 || d > width {
			return fmt.Errorf("model: the first %d dimensions of vectors of %d", d, width)
		}
	}
	return nil
}

// Contrasted are examples of texts, of which N have vectors: what is compared with what. Absent ones are -1, and their
// weight is 0.
type Contrasted struct {
	Anchors, Positives, Negatives []int32 // (A) numbers of vectors; negatives are of triplets alone
	// Own (A,2) are numbers for the texts of each example's positive and anchor, and Candidates (N,2) for the text of
	// each vector and, of a positive, for its anchor's. Candidates begin with -1 for anchors and where there is none.
	Own, Candidates []int32
	Goals, Weights  []float32 // (A)
}

// NewContrasted has room for n vectors.
func NewContrasted(n int) *Contrasted {
	a := max(1, n/2)
	c := &Contrasted{
		Anchors: make([]int32, a), Positives: make([]int32, a), Negatives: make([]int32, a), Own: make([]int32, 2*a), Candidates: make([]int32, 2*n),
		Goals: make([]float32, a), Weights: make([]float32, a),
	}
	c.Clear()
	return c
}

// Clear makes all of it absent.
func (c *Contrasted) Clear() {
	for _, list := range [][]int32{c.Anchors, c.Positives, c.Negatives, c.Own, c.Candidates} {
		for i := range list {
			list[i] = -1
		}
	}
	clear(c.Goals)
	clear(c.Weights)
}

// feed gives a program what it takes of the examples; floats feeds numbers.
func (c *Contrasted) feed(x *exec.Executor, floats func(name string, v []float32) error) error {
	named := x.Program().Named
	for _, in := range [...]struct {
		name string
		v    []int32
	}{{"anchors", c.Anchors}, {"positives", c.Positives}, {"negatives", c.Negatives}, {"own", c.Own}, {"candidates", c.Candidates}} {
		if _, ok := named[in.name]; ok {
			if err := exec.Feed(x, in.name, in.v); err != nil {
				return fmt.Errorf("model: %w", err)
			}
		}
	}
	for _, in := range [...]struct {
		name string
		v    []float32
	}{{"pair_goals", c.Goals}, {"pair_weights", c.Weights}} {
		if _, ok := named[in.name]; ok {
			if err := floats(in.name, in.v); err != nil {
				return err
			}
		}
	}
	return nil
}

// loss is that of vectors v (N,C), in a graph that has the inputs of Contrasted.
func (c *Contrast) loss(b *graph.Builder, dt exec.DType, v *graph.Node) *graph.Node {
	shape := v.Shape()
	if shape == nil {
		return v // after an error
	}
	b.Scope("contrast")
	n := shape[0]
	a := max(1, n/2)
	anchors, positives := b.Input("anchors", exec.I32, a), b.Input("positives", exec.I32, a)
	weights := b.Input("pair_weights", dt, a)
	var own, candidates, negatives, goals *graph.Node
	switch c.Loss {
	case RankingLoss:
		own, candidates = b.Input("own", exec.I32, a, 2), b.Input("candidates", exec.I32, n, 2)
	case TripletLoss:
		negatives = b.Input("negatives", exec.I32, a)
	default:
		goals = b.Input("pair_goals", dt, a, 1)
	}
	of := func(v *graph.Node, width int) (l *graph.Node) {
		switch c.Loss {
		case RankingLoss:
			u := b.UnitRows(v, width)
			cosines := b.Linear(b.Embed(u, anchors), u, nil, false) // (A,N)
			l, _ = b.CrossEntropy(b.MaskSame(b.Scale(cosines, c.Scale), own, candidates, positives), positives, weights)
		case TripletLoss:
			if c.Normalize || c.Dimensions != nil {
				v = b.UnitRows(v, width)
			}
			l = b.Triplet(b.Embed(v, anchors), b.Embed(v, positives), b.Embed(v, negatives), weights, c.Margin)
		default:
			u := b.UnitRows(v, width)
			cosines := b.DotRows(b.Embed(u, anchors), b.Embed(u, positives))
			if c.Loss == CoSENTLoss {
				return b.CoSENT(cosines, goals, weights, c.Scale)
			}
			l, _ = b.SquaredError(cosines, goals, weights)
		}
		return l
	}
	if c.Dimensions == nil {
		return of(v, shape[1])
	}
	var sum *graph.Node
	for _, d := range c.Dimensions {
		if l := of(v, d); sum == nil {
			sum = l
		} else {
			sum = b.Add(sum, l)
		}
	}
	return sum
}

// vectors are those of the texts of a batch: hidden states (R,C), spans (S,2) -> (S,C). In training they have a loss: that
// of the batch alone or, where its vectors are compared with those of other batches, their product with cotangents (S,C),
// the gradients that the loss of all vectors has for them, so that parameters have the gradients of that loss (Gao et al.
// 2021).
func (o *Options) vectors(b *builder, dt exec.DType, k Kind, in Inputs, hidden *graph.Node) (out Outputs) {
	if hidden.Shape() == nil {
		return out // after an error
	}
	out.Vectors = b.MeanRows(hidden, in.Spans)
	switch {
	case k != Train:
	case o.MicroBatches <= 1:
		out.Loss = o.Contrast.loss(b.Builder, dt, out.Vectors)
	default:
		dots := b.DotRows(out.Vectors, b.Input("cotangents", dt, in.S, hidden.Shape()[1]))
		ones := b.Constant("ones", slices.Repeat([]float64{1}, in.S), 1, in.S)
		out.Loss = b.Linear(b.Transpose(dots), ones, nil, false)
	}
	return out
}

// Contrast is what the network learns of vectors of texts; nil: it does not.
func (n *Network) Contrast() *Contrast { return n.opts.Contrast }

// A VectorLoss is the loss of the vectors of several batches, with its gradient. The vectors are the only parameter of
// its program.
type VectorLoss struct {
	net       *Network
	represent *exec.Executor // of each batch
	x         *exec.Executor
	size      int // of a batch's vectors
	values    []float32
	loss      [1]float32
}

// NewVectorLoss is that of so many batches of b rows of t tokens, with s vectors each.
func NewVectorLoss(net *Network, batches, b, t, s int) (*VectorLoss, error) {
	v := &VectorLoss{net: net}
	var err error
	if v.represent, err = net.Executor(Represent, b, t, s); err != nil {
		return nil, err
	}
	p := v.represent.Program()
	width := p.Values[p.Named["vectors"]].Shape[1]
	v.size = s * width
	v.values = make([]float32, batches*v.size)
	const dt = exec.F32
	if net.layout.DType != dt {
		return nil, fmt.Errorf("model: vectors of several batches are learned in %v, not in %v", dt, net.layout.DType)
	}
	g := graph.New(fmt.Sprintf("contrast N=%d", batches*s), dt)
	loss := net.opts.Contrast.loss(g, dt, g.Param("vectors", graph.Init{}, batches*s, width))
	l := exec.NewLayout(dt, g.Params())
	if p, err = g.Lower(l, graph.Outputs{Loss: loss, Named: []graph.Named{{Name: "loss", Node: loss}}}); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	if v.x, err = exec.NewExecutor(exec.NewMemory(net.mem.Device(), l.Bytes, l.GradBytes(), 0), p); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	return v, nil
}

// Executor makes the vectors of a batch, which Add takes.
func (v *VectorLoss) Executor() *exec.Executor { return v.represent }

// Add takes the vectors of a batch that the executor has made.
func (v *VectorLoss) Add(batch int) error {
	return exec.Read(v.represent, "vectors", v.Cotangents(batch))
}

// Run gives the loss of all vectors, whose gradients Cotangents has then. Gradients have the factor seed.
func (v *VectorLoss) Run(c *Contrasted, seed float32) (loss float64, err error) {
	floats := func(name string, x []float32) error { return v.net.feedFloats(v.x, name, x) }
	v.net.seed[0] = seed
	if err := floats("seed", v.net.seed[:]); err != nil {
		return 0, err
	}
	if err := c.feed(v.x, floats); err != nil {
		return 0, err
	}
	mem := v.x.Memory()
	if err := mem.Upload(exec.Param, 0, bytesOf(v.values)); err != nil {
		return 0, err
	}
	if err := v.x.Run(); err != nil {
		return 0, err
	}
	if err := mem.Download(exec.Grad, 0, bytesOf(v.values)); err != nil {
		return 0, err
	}
	err = exec.Read(v.x, "loss", v.loss[:])
	return float64(v.loss[0]), err
}

// Cotangents are the gradients for a batch's vectors.
func (v *VectorLoss) Cotangents(batch int) []float32 {
	return v.values[batch*v.size : (batch+1)*v.size]
}
