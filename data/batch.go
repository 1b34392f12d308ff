package data

import (
	"slices"
)

// A Stream is the input of a network: B rows of T positions; each field has the shape
// (B,T), row by row. Absent fields are nil. Position i attends to position j of its row
// when their Segments are equal and not negative, and Order[j] ≤ Order[i].
type Stream struct {
	T         int
	Tokens    []int32 // padding: the end-of-text token
	Segments  []int32 // 1, 2, … within the row; padding: -1
	Positions []int32 // from 0 within the segment; padding: 0
	Types     []int32 // BERT's sentence A and B
	Order     []int32 // causal: the position in the row; bidirectional: 0
}

// A Seq is one packed sequence: positions First to Last of row Row of Dec. A document that
// continues in the next row is a Seq in both.
type Seq struct {
	Row, First, Last int32
	Label            int32 // class, or -1
	Pair             int32 // the other sequence of a pair, or -1
	Value, RefLogp   float32
	Part             int32 // corpus of the mixture
	Doc              int64 // record number in it
	Window           Window
	Text             uint64 // of a task of vectors: a hash of its tokens, equal for equal texts
	Cut              bool   // of a task: the example was too long, so that not all of it is here
}

// A Window is what a sequence has of a context, of questions: from position Second of the row on, the tokens
// of the context from From on. Start and End are the positions of the first and the last token of its
// answer, or the first position of the sequence, where it has none.
type Window struct{ Second, Tokens, From, Start, End int32 }

// A Question is the choices of one example: sequences First to End, End not included, of which
// Right is the right one; or the texts of one that are compared.
type Question struct{ First, End, Right int32 }

// A Batch is a micro-batch: B rows of a global batch.
type Batch struct {
	B         int
	Objective Objective
	Dec       Stream
	Enc       Stream    // of an encoder-decoder; T 0: none. Equal segments of a row belong together
	Targets   []int32   // (B,T) of Dec: the token to predict at each position, -1: none; nil where the loss is on labels alone
	Weights   []float32 // (B,T) loss weights; nil with Targets
	Seqs      []Seq     // in row order
	// Words, of shape (B,T) of Dec, is the word of its example that begins at each position, -1: none; of
	// tasks with labels of words.
	Words     []int32
	Questions []Question
	Goals     []float32 // (sequences, labels): 1 where a label applies, else 0; or (sequences): a number. Of tasks that have these
	// Before, of shape (B), is the number of positions that the first document of a row has
	// taken in the same row of the directly preceding batches; nil where documents do not
	// continue in the next batch.
	Before     []int32
	LabelNames []string // by Seq.Label
	// LabelWeight is the weight of each label in the loss: 1, or where NumTargets counts tokens,
	// the number of targets per label of the global batch, so that the two means add up.
	LabelWeight float32
	// ClassWeights are, by Seq.Label, factors of LabelWeight; nil: there are none.
	ClassWeights []float32
	NumTargets   int  // the loss's denominator: targets, or labels, of the whole global batch
	Last         bool // of its global batch
	// Cursor is the place to resume at: after this batch if it is the last of its global
	// batch, else at the start of the global batch.
	Cursor Cursor
}

// A Cursor is a place between two global batches in the endless stream of documents.
// It depends on the corpora, the tokenizer, the seed and the objective, but not on the number
// of ranks and, without Lanes, not on the size of a batch.
type Cursor struct {
	// Epoch and Position are the place of the document, or of the first document of the
	// packing window, in the order of a single corpus. In a mixture Epoch is always 0, and
	// Position counts the documents drawn from all corpora.
	Epoch    int64   `json:"epoch"`
	Position int64   `json:"position"`
	Offset   int64   `json:"offset"` // inputs of the document, or rows of the window or at random places, that are behind
	Parts    []Drawn `json:"parts,omitempty"`
	Lanes    []Lane  `json:"lanes,omitempty"` // by row of a global batch, where documents keep to their rows
}

// A Lane is the document that a row is reading, across batches.
type Lane struct {
	At     Cursor `json:"at"`     // of it, with the offset; a Position of -1: none
	Before int    `json:"before"` // positions that it has taken in the batches before
}

// Drawn counts what a mixture has taken from one of its corpora.
type Drawn struct {
	Position  int64 `json:"position"`  // places of its order, over all epochs
	Documents int64 `json:"documents"` // of these, those that were not passed over
	Tokens    int64 `json:"tokens"`    // inputs of those documents
}

// Equal reports whether two cursors are the same place.
func (c Cursor) Equal(o Cursor) bool {
	return c.Epoch == o.Epoch && c.Position == o.Position && c.Offset == o.Offset && slices.Equal(c.Parts, o.Parts) &&
		slices.EqualFunc(c.Lanes, o.Lanes, func(a, b Lane) bool {
			return a.Before == b.Before && a.At.Equal(b.At)
		})
}

// clone gives a deep copy of c.
func (c Cursor) clone() Cursor {
	c.Parts, c.Lanes = slices.Clone(c.Parts), slices.Clone(c.Lanes)
	for i := range c.Lanes {
		c.Lanes[i].At = c.Lanes[i].At.clone()
	}
	return c
}

// Pool sets dst[i] to the index of sequence i's last position, row·T+Last, and the
// rest of dst to -1.
func (b *Batch) Pool(dst []int32) {
	for i, s := range b.Seqs {
		dst[i] = s.Row*int32(b.Dec.T) + s.Last
	}
	absent(dst[len(b.Seqs):])
}

// First is like Pool, for the first positions of the sequences.
func (b *Batch) First(dst []int32) {
	for i, s := range b.Seqs {
		dst[i] = s.Row*int32(b.Dec.T) + s.First
	}
	absent(dst[len(b.Seqs):])
}

// Labels sets dst[i] to the label of sequence i, and the rest of dst to -1.
func (b *Batch) Labels(dst []int32) {
	for i, s := range b.Seqs {
		dst[i] = s.Label
	}
	absent(dst[len(b.Seqs):])
}

// LabelWeights sets dst[i] to the weight of sequence i's label in the loss, and the rest of dst to 0.
func (b *Batch) LabelWeights(dst []float32) {
	clear(dst)
	for i, s := range b.Seqs {
		if dst[i] = b.LabelWeight; b.ClassWeights != nil {
			dst[i] *= b.ClassWeights[s.Label]
		}
	}
}

// weigh gives the targets of words their classes' weights, and the sum of the weights of all classes that are learned.
func (b *Batch) weigh(classes []float32, words bool) (sum float64) {
	if !words {
		for _, s := range b.Seqs {
			sum += float64(classes[s.Label])
		}
		return sum
	}
	for i, target := range b.Targets {
		if target >= 0 {
			b.Weights[i] = classes[target]
			sum += float64(classes[target])
		}
	}
	return sum
}

func absent(dst []int32) {
	for i := range dst {
		dst[i] = -1
	}
}
