// Package model has the model families, one file each, and the Network, which holds one set of
// parameters and the programs over it.
package model

import (
	"fmt"

	"hone/trainer/graph"
)

// A Model builds the graph of a family.
type Model interface {
	// Forward builds the graph for the inputs that are there. It declares all parameters, always in the
	// same order.
	Forward(b *builder, in Inputs) Outputs
}

// Inputs of a graph. R = B·T rows, except in decoding. A nil input is absent, and so are outputs that need it.
type Inputs struct {
	B, T      int
	Tokens    *graph.Node // (R)
	Segments  *graph.Node // (R); nil: decoding of R rows, with caches of B sequences of T tokens, or what is kept before it
	Sequences *graph.Node // (R), the sequence of each row, in decoding, and in encoding for it
	Positions *graph.Node // (R)
	Order     *graph.Node // (R)
	Targets   *graph.Node // (R) tokens, or the labels of a token classifier; a classifier and Pretraining add the loss of these tokens to that of their labels
	Weights   *graph.Node // (R)
	Types     *graph.Node // (R) types of tokens; nil: the family has none
	Rng       *graph.Node // (4); nil: no dropout

	EncT    int // rows of each sequence of the encoder, or in Encode of all together; 0: no encoder
	Encoder struct {
		Tokens   *graph.Node // (B·EncT)
		Segments *graph.Node // (B·EncT); rows of the decoder see the rows of their own segment
		Last     *graph.Node // (R) in decoding: the last row of the encoder that each row sees, of those that are kept
	}

	Queries struct { // in decoding, of models that predict a row's own token
		Count                int         // P
		Positions, Sequences *graph.Node // (P) of the rows behind the texts
		types                *graph.Node // (P·T) of the keys before them
	}

	Memory struct {
		Len   int         // rows that are remembered before each sequence; 0: no memory
		Count int         // number of slots
		Slots *graph.Node // (2): the slot to read, the slot to write
		// (B·(Len+T)): of all rows, with the memory before each sequence. Types are of these rows too.
		Segments, Order *graph.Node
		rows            *graph.Node // (R): the indices of the sequences' own rows
	}

	S            int
	Pool         *graph.Node // (S) the rows whose logits are wanted; nil: all
	Labels       *graph.Node // (S) classes
	Goals        *graph.Node // (S,labels) numbers, or 1 for each label that applies and else 0; in place of Labels
	LabelWeights *graph.Node // (S)
	Smoothing    float64     // of targets or labels, in training; see graph.SoftCrossEntropy
	Spans        *graph.Node // (S,2) the first row of a sequence, and the one after its last; or of the choices of a question; or the rows whose mean is a text's vector
	Answers      *graph.Node // (S,2) the rows of an answer's first and last token, or (S,1) the right choice; -1: none
}

// Outputs of a graph; nil is absent. There are S rows where Pool is given, else R.
type Outputs struct {
	Logits  *graph.Node // (rows,V), (S,labels), (R,labels), (R,2) of question answering, or (S,1) of multiple choice
	Hidden  *graph.Node // (rows,C), of a model without a head
	Vectors *graph.Node // (S,C) of texts; see Contrast
	Loss    *graph.Node // (1): Σ weights·nll
	NLL     *graph.Node // (rows)
}

// Head is what a model predicts.
type Head int

const (
	LanguageModel     Head = iota // the next token
	Classifier                    // a label for each sequence, from its last token, or in BERTs its first
	TokenClassifier               // a label for each token
	QuestionAnswering             // the first and the last token of the answer in a sequence
	Pretraining                   // BERT's: masked tokens, and whether the second text of a sequence follows the first
	Base                          // no head: the last hidden states
	Encoder                       // no head, and the encoder alone of an encoder and decoder
	MultipleChoice                // a score for each sequence, under a softmax over the choices of a question

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
	case MultipleChoice:
		return "multiple choice"
	}
	return fmt.Sprintf("Head(%d)", int(h))
}

// Headless says that a model has no head: it gives hidden states, and has no loss.
func (h Head) Headless() bool { return h == Base || h == Encoder }

// pools says that a head predicts something for each sequence, so that programs need their number.
func (h Head) pools() bool {
	return h == Classifier || h == QuestionAnswering || h == Pretraining || h == MultipleChoice
}

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
	least := 2
	if h == Classifier && c.Problem() != SingleLabel {
		least = 1
	}
	if n := len(c.Labels()); (h == Classifier || h == TokenClassifier) && n < least {
		return nil, fmt.Errorf("model: a %v of %d labels; want %d or more", h, n, least)
	}
	return c.Family.model(c, h), nil
}
