// Package model has the model families, a file each, and the Network that holds one
// set of parameters and the programs over it.
package model

import (
	"fmt"

	"hone/trainer/graph"
)

// A Model is a family's mathematics.
type Model interface {
	// Forward builds the graph from what the inputs hold; it declares every
	// parameter, always in the same order.
	Forward(b *graph.Builder, in Inputs) Outputs
}

// Inputs of a graph. R = B·T rows, but in decoding; a nil input is absent, and so is what needs it.
type Inputs struct {
	B, T      int
	Tokens    *graph.Node // (R)
	Segments  *graph.Node // (R); nil: decoding of R rows, with caches of B sequences of T
	Sequences *graph.Node // (R), of the caches; nil but in decoding
	Positions *graph.Node // (R)
	Order     *graph.Node // (R)
	Targets   *graph.Node // (R); of a token classifier: labels; of a classifier or Pretraining: tokens, whose loss is added to that of the labels
	Weights   *graph.Node // (R)
	Types     *graph.Node // (R), of sentences; nil: the family has none
	Rng       *graph.Node // (4); nil: no dropout

	EncT    int // rows of a sequence of the encoder; 0: there is none
	Encoder struct {
		Tokens   *graph.Node // (B·EncT)
		Segments *graph.Node // (B·EncT); the decoder's rows see those of their segment
	}

	Memory struct {
		Len   int         // rows kept of what came before a sequence; 0: none
		Count int         // of slots
		Slots *graph.Node // (2): which one is read, which one written
		// Of the B·(Len+T) rows with those of the memory before each sequence; Types are of these too.
		Segments, Order *graph.Node
		rows            *graph.Node // (R): where the sequences' own are
	}

	S            int
	Pool         *graph.Node // (S) rows whose logits are wanted, instead of all
	Labels       *graph.Node // (S) classes
	LabelWeights *graph.Node // (S)
	Spans        *graph.Node // (S,2) the first row of a sequence, and the one after its last
	Answers      *graph.Node // (S,2) the rows of an answer's first and last token; -1: none
}

// Outputs of a graph: nil is absent. Rows are S where Pool is given, else R.
type Outputs struct {
	Logits *graph.Node // (rows,V), (S,labels), (R,labels), or (R,2) of question answering
	Hidden *graph.Node // (rows,C), of a model without a head
	Loss   *graph.Node // (1): Σ weights·nll
	NLL    *graph.Node // (rows)
}

// Head is what a model predicts.
type Head int

const (
	LanguageModel     Head = iota // the next token
	Classifier                    // a label for each sequence, at its last token, or in a BERT its first
	TokenClassifier               // a label for each token
	QuestionAnswering             // the first and the last token of an answer within the sequence
	Pretraining                   // a BERT's masked tokens, and whether the second half of a sequence follows the first
	Base                          // nothing: it gives the last hidden states
	Encoder                       // the same of the encoder alone, where a decoder stands beside it

	numHeads
)

func (h Head) String() string {
	switch h {
	case LanguageModel:
		return "language model"
	case Classifier:
		return "classifier"
	case TokenClassifier:
		return "token classifier"
	case QuestionAnswering:
		return "question answering"
	case Pretraining:
		return "pretraining"
	case Base:
		return "base"
	case Encoder:
		return "base encoder"
	}
	return fmt.Sprintf("Head(%d)", int(h))
}

// Headless says that a model gives hidden states: it has no loss.
func (h Head) Headless() bool { return h == Base || h == Encoder }

// pools says that a head predicts something of sequences, whose number a program fixes.
func (h Head) pools() bool { return h == Classifier || h == QuestionAnswering || h == Pretraining }

// New gives the model of a configuration.
func New(c Config, h Head) (Model, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if h < 0 || h >= numHeads {
		return nil, fmt.Errorf("model: %v is not known", h)
	}
	if c.class(h) == "" {
		return nil, fmt.Errorf("model: %s has no %v", c.ModelType, h)
	}
	if n := len(c.Labels()); (h == Classifier || h == TokenClassifier) && n < 2 {
		return nil, fmt.Errorf("model: a %v of %d labels; want 2 or more", h, n)
	}
	return c.Family.model(c, h), nil
}
