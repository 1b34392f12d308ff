package model

import (
	"fmt"

	"hone/trainer/exec"
	"hone/trainer/graph"
)

// Kind says what a program computes.
type Kind int

const (
	// Train: loss and gradients, with dropout. Outputs: loss, nll, and with a head other than a language
	// model's logits.
	Train Kind = iota
	// Evaluate: forward only, no dropout. A language model with S = 0 gives loss and
	// nll (R), with S > 0 the logits (S,V) of the rows in pool; a classifier gives
	// loss, nll (S) and logits (S,labels); a token classifier loss, nll (R) and logits
	// (R,labels); question answering loss, nll (S) and logits (R,2); pretraining loss, nll (R) of
	// tokens and logits (S,2) of sequences; multiple choice loss, nll (S) of questions and logits (S,1) of their choices; a model without a head the last hidden states, hidden (R,C),
	// or with S > 0 (S,C) of the rows in pool.
	Evaluate
	// Decode: reads the next S tokens of B sequences, each token with its position and sequence: many of one prompt
	// at once, or one of each of some sequences. Keys and values of up to T tokens of a sequence are kept.
	// Output: logits (P,V), of the rows in pool, P = min(B,S); XLNet's are of rows of their own, behind the texts.
	Decode
	// Encode: reads S tokens with an encoder, of one or several of B sequences, each whole: tokens of a sequence have its
	// segment. Keeps what the layers of the decoder read of them, up to T tokens of a sequence. No output.
	Encode
	// Prepare: keeps what Decode reads of distances alone, for XLNet. It has neither inputs nor outputs.
	Prepare
	// Represent: the vectors of texts as in training, with dropout, but without gradients. Output: vectors (S,C).
	Represent
)

func (k Kind) String() string {
	switch k {
	case Train:
		return "train"
	case Evaluate:
		return "evaluate"
	case Decode:
		return "decode"
	case Encode:
		return "encode"
	case Prepare:
		return "prepare"
	case Represent:
		return "represent"
	}
	return fmt.Sprintf("Kind(%d)", int(k))
}

// Options of a network.
type Options struct {
	Head      Head
	Trainable func(name string) bool // nil: all parameters
	// Adapter is trained in place of the network's own parameters, which are frozen but for those that it saves; nil: none.
	Adapter *Adapter
	// EncoderLength is the number of rows of each sequence of an encoder beside a decoder; 0: as many as
	// the decoder has. Families without one ignore it.
	EncoderLength int
	// MicroBatches is the number of batches in a step of training, each of which has a memory of its own; 0: one.
	MicroBatches int
	// AuxiliaryLM makes a classifier learn to predict the next token too, in training (Radford et al. 2018,
	// eq. 5). The output matrix is the embedding, whatever the configuration says, since a classifier's checkpoint
	// has no other.
	AuxiliaryLM bool
	// Contrast is what a model without a head learns of the vectors of texts.
	Contrast *Contrast
	// LabelSmoothing is the part of a target, or of a label of a set, that a training spreads over all of them. BERT's
	// Pretraining, and the tokens of AuxiliaryLM, have none.
	LabelSmoothing float64
	// Recompute makes a training program compute the results of a layer again for its gradients, with the same bits.
	// It saves memory, and takes about a third of a step's time.
	Recompute bool
	// Stored gives the type in which a frozen parameter is kept, exec.Q8_0 for one. Trainable parameters are always
	// of the network's type; with nil, all are.
	Stored func(name string) exec.DType
	// Inference makes a network without gradients: no parameter is trainable, and the weights of matrix products
	// lie in panels, as the products read them. Results keep their bits.
	Inference bool
	// Int8 makes products with quantised weights round their other operand to 8 bits, which is faster, and loses precision.
	Int8  bool
	BF16  bool                          // matrix products of linear layers round their operands to bf16
	State func(layout *exec.Layout) int // bytes of the state arena (moments, accumulated gradients); nil: none
}

// slots is the number of memories of a program: those that this step reads, and those that the next one will.
func (o *Options) slots(k Kind) int {
	if k == Train {
		return 2 * max(1, o.MicroBatches)
	}
	return 2
}

func (o *Options) frozen(name string) bool {
	return o.Inference || o.Trainable != nil && !o.Trainable(name) || o.Adapter != nil && !o.Adapter.trains(name)
}

// build declares the inputs of a program and builds the model's graph.
func build(c Config, dt exec.DType, o Options, k Kind, batch, t, s int) (*builder, Outputs, error) {
	m, err := New(c, o.Head)
	if err != nil {
		return nil, Outputs{}, err
	}
	name := fmt.Sprintf("%v B=%d T=%d", k, batch, t)
	if s > 0 {
		name += fmt.Sprintf(" S=%d", s)
	}
	cached := k == Decode || k == Encode || k == Prepare // with caches of what came before
	contrasts := (k == Train || k == Represent) && o.Contrast != nil
	switch {
	case k < Train || k > Represent:
		err = fmt.Errorf("%v is not known", k)
	case batch < 1 || t < 1 || s < 0:
		err = fmt.Errorf("%s: want B and T above 0, S 0 or more", name)
	case c.MaxLength() > 0 && t > c.MaxLength():
		err = fmt.Errorf("%s: sequences longer than the model's %d", name, c.MaxLength())
	case k == Train && o.Inference:
		err = fmt.Errorf("%s: the network is one for inference", name)
	case (k == Train || k == Represent) && o.Head.Headless() && o.Contrast == nil:
		err = fmt.Errorf("%s: a %v has no loss to learn from", name, o.Head)
	case k == Represent && !o.Head.Headless(), o.Contrast != nil && !o.Head.Headless():
		err = fmt.Errorf("%s: a %v learns nothing of vectors", name, o.Head)
	case contrasts && s < 2:
		err = fmt.Errorf("%s: want S, the number of vectors, above 1", name)
	case cached && o.Head != LanguageModel:
		err = fmt.Errorf("%s: a %v does not %v", name, o.Head, k)
	case k == Decode && c.Writing() == Never, k == Encode && c.Writing() != Answered, k == Prepare && c.Writing() != Queried:
		err = fmt.Errorf("%s: %s does not %v", name, c.ModelType, k)
	case cached && s == 0:
		err = fmt.Errorf("%s: want S, the number of tokens, above 0", name)
	case !cached && s > 0 && (k == Train && o.Head == LanguageModel || o.Head == TokenClassifier):
		err = fmt.Errorf("%s: a %v has no pooled rows here: want S = 0", name, o.Head)
	case o.Head.pools() && s == 0:
		err = fmt.Errorf("%s: a %v needs S, the number of sequences, above 0", name, o.Head)
	}
	if err != nil {
		return nil, Outputs{}, fmt.Errorf("model: program %w", err)
	}

	encoderT := 0
	if k == Encode {
		encoderT = s
	} else if !cached && c.Traits().EncoderDecoder && o.Head != TokenClassifier && o.Head != Encoder {
		if encoderT = o.EncoderLength; encoderT == 0 {
			encoderT = t
		}
	}
	b := &builder{Builder: graph.New(name, dt), adapter: o.Adapter}
	b.Head(c.InHead)
	b.Freeze(o.frozen)
	if o.Stored != nil {
		b.Store(o.Stored)
	}
	if o.Inference {
		b.Pack()
	}
	if o.Recompute && k == Train {
		b.Recompute()
	}
	if o.BF16 {
		b.BF16()
	}
	if o.Int8 {
		b.Int8()
	}
	in := Inputs{B: batch, T: t, S: s, EncT: encoderT}
	rows := batch * t
	if cached {
		rows, in.S = s, min(batch, s)
	}
	in.Tokens = b.Input("tokens", exec.I32, rows)
	in.Positions = b.Input("positions", exec.I32, rows)
	if k == Decode || k == Encode {
		in.Sequences = b.Input("sequences", exec.I32, rows)
	}
	if !cached {
		in.Order = b.Input("order", exec.I32, rows)
	}
	if !cached || k == Encode {
		in.Segments = b.Input("segments", exec.I32, rows)
	}
	if c.Traits().TokenTypes && !cached {
		keys := rows
		if in.Memory.Len = c.Memory(o.Head); in.Memory.Len > 0 {
			keys = batch * (in.Memory.Len + t)
			in.Memory.Count, in.Memory.Slots = o.slots(k), b.Input("slots", exec.I32, 2)
			in.Memory.Segments, in.Memory.Order = b.Input("key_segments", exec.I32, keys), b.Input("key_order", exec.I32, keys)
		}
		in.Types = b.Input("types", exec.I32, keys)
	}
	switch {
	case k == Encode, k == Prepare:
		in.S = 0
	case k == Decode && c.Writing() == Queried:
		in.Queries.Count = in.S
		in.Queries.Positions, in.Queries.Sequences = b.Input("query_positions", exec.I32, in.S), b.Input("query_sequences", exec.I32, in.S)
		in.S = 0
		if c.Traits().TokenTypes { // all are of the first type
			in.Types = b.Constant("kinds of keys", make([]int32, rows*t), rows*t)
			in.Queries.types = b.Constant("kinds of keys before queries", make([]int32, in.Queries.Count*t), in.Queries.Count*t)
		}
	case k == Decode && c.Traits().EncoderDecoder:
		in.Encoder.Last = b.Input("encoder_last", exec.I32, rows)
	case encoderT > 0:
		in.Encoder.Tokens = b.Input("encoder_tokens", exec.I32, batch*encoderT)
		in.Encoder.Segments = b.Input("encoder_segments", exec.I32, batch*encoderT)
	}
	if contrasts {
		in.Spans = b.Input("spans", exec.I32, s, 2)
	} else if in.S > 0 && o.Head != QuestionAnswering {
		in.Pool = b.Input("pool", exec.I32, in.S)
	}
	switch {
	case cached, o.Head.Headless():
	case o.Head == QuestionAnswering:
		in.Spans, in.Answers = b.Input("spans", exec.I32, s, 2), b.Input("answers", exec.I32, s, 2)
		in.LabelWeights = b.Input("label_weights", dt, s)
	case o.Head == MultipleChoice:
		in.Spans, in.Answers = b.Input("spans", exec.I32, s, 2), b.Input("answers", exec.I32, s, 1)
		in.LabelWeights = b.Input("label_weights", dt, s)
	case o.Head == Classifier, o.Head == Pretraining:
		if o.Head == Classifier && c.Problem() != SingleLabel {
			in.Goals = b.Input("goals", dt, s, len(c.Labels()))
		} else {
			in.Labels = b.Input("labels", exec.I32, s)
		}
		in.LabelWeights = b.Input("label_weights", dt, s)
		if o.Head == Pretraining || k == Train && o.AuxiliaryLM {
			in.Targets = b.Input("targets", exec.I32, rows)
			in.Weights = b.Input("weights", dt, rows)
		}
	case s == 0:
		in.Targets = b.Input("targets", exec.I32, rows)
		in.Weights = b.Input("weights", dt, rows)
	}
	if k == Train || k == Represent {
		in.Smoothing = o.LabelSmoothing
		in.Rng = b.Input("rng", exec.I32, 4)
		b.rng = in.Rng
	}
	out := m.Forward(b, in)
	if contrasts {
		out = o.vectors(b, dt, k, in, out.Hidden)
	}
	return b, out, b.Err()
}

// NewLayout places the parameters of a model in their arena.
func NewLayout(c Config, dt exec.DType, o Options) (*exec.Layout, error) {
	b, err := parameters(c, dt, o)
	if err != nil {
		return nil, err
	}
	return exec.NewLayout(dt, b.Params()), nil
}

// parameters builds the smallest graph, for its parameters, which are the same in all graphs.
func parameters(c Config, dt exec.DType, o Options) (*builder, error) {
	s := 0
	if o.Head.pools() {
		s = 1
	}
	if f, ok := c.Family.(XLNet); ok { // its constants grow with the memory
		f.MemLen = min(f.MemLen, 1)
		c.Family = f
	}
	b, _, err := build(c, dt, o, Evaluate, 1, 1, s)
	return b, err
}

// Program builds a program over the parameters of a layout, for b sequences of t tokens; it needs no device.
// s is the number of pooled rows, or for Decode and Encode that of tokens.
func Program(c Config, l *exec.Layout, o Options, k Kind, b, t, s int) (*exec.Program, error) {
	g, out, err := build(c, l.DType, o, k, b, t, s)
	if err != nil {
		return nil, err
	}
	var want graph.Outputs
	name := func(name string, n *graph.Node) {
		if n != nil {
			want.Named = append(want.Named, graph.Named{Name: name, Node: n})
		}
	}
	if k == Train {
		want.Loss = out.Loss
	}
	name("loss", out.Loss)
	name("nll", out.NLL)
	name("hidden", out.Hidden)
	name("vectors", out.Vectors)
	if out.Loss == nil || o.Head != LanguageModel {
		name("logits", out.Logits)
	}
	return g.Lower(l, want)
}
