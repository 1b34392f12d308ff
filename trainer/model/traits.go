package model

// Traits are what the rest of the code needs to know of a family. They are fields of one struct, not optional
// methods, so that a misspelt name does not compile.
type Traits struct {
	// Classes are the names of the family's models in Hugging Face's transformers, the architectures
	// of a config.json, by head; "": the family has no such head.
	Classes [numHeads]string

	Writing Writing
	Learns  Learning

	EncoderDecoder bool // there is an encoder beside the decoder; token classifiers and Encoder have the encoder alone
	TokenTypes     bool // tokens have types, Feed.Types: whether they are of a first or a second text
	FirstToken     bool // a classifier reads the first token of a sequence, [CLS], not its last
	SkipsPadding   bool // a classifier reads the last token that is not pad_token_id

	MaxLength      int // of a sequence, in tokens; 0: any
	PositionOffset int // rows of the table of positions before that of the first token
	Memory         int // rows before a sequence that a language model remembers

	// Adapted are the modules beside which PEFT puts pairs where none are named; nil: they must be.
	Adapted []string

	// ReadsTwice are the heads that read a text by both the encoder and the decoder, there behind StartToken. They are
	// fed it once.
	ReadsTwice [numHeads]bool
	StartToken int32
}

// Writing is how a family's language model continues a text.
type Writing int

const (
	Cached   Writing = iota // with Decode
	Queried                 // with Prepare and Decode: a row behind the text predicts its own token, not the next one
	Answered                // with Encode and Decode: the encoder reads the text, and the decoder writes another
	Never                   // not at all: its tokens see both sides
)

// Learning is what a family's language model is trained to predict.
type Learning int

const (
	NextTokens     Learning = iota // each token from those before it
	MaskedTokens                   // some tokens from those on both sides
	PermutedTokens                 // tokens in any order
	CorruptedSpans                 // the spans that a text lacks
)

func (l Learning) String() string {
	return [...]string{"next tokens", "masked tokens", "permuted tokens", "corrupted spans"}[l]
}

// Traits are the family's.
func (c Config) Traits() Traits { return c.Family.traits() }

// Writing is the family's.
func (c Config) Writing() Writing { return c.Traits().Writing }

// MaxLength is the longest sequence in tokens, 0 where there is no bound.
func (c Config) MaxLength() int { return c.Traits().MaxLength }

// Memory is how many rows before a sequence a model with a head remembers: XLNet's language model does.
func (c Config) Memory(h Head) int {
	if h != LanguageModel {
		return 0
	}
	return c.Traits().Memory
}

// Heads lists all heads.
func Heads() (list []Head) {
	for h := range numHeads {
		list = append(list, h)
	}
	return list
}

// Has says that the family has models with a head.
func (c Config) Has(h Head) bool { return c.class(h) != "" }

// class is the architecture with a head, "" where the family has none.
func (c Config) class(h Head) string { return c.Traits().Classes[h] }

// classNames are the names of a family's classes with the heads that most families have. languageModel is what the
// name of its language model ends with.
func classNames(family, languageModel string) [numHeads]string {
	return [numHeads]string{
		LanguageModel: family + languageModel, Classifier: family + "ForSequenceClassification",
		TokenClassifier: family + "ForTokenClassification", QuestionAnswering: family + "ForQuestionAnswering", Base: family + "Model",
	}
}
