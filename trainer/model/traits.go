package model

// Traits are everything that sets a family apart for the code that uses it: this struct, not
// methods that a family may or may not have, so that a misspelt name does not compile.
type Traits struct {
	// Classes are the names of the family's models in Hugging Face's transformers, the architectures
	// of a config.json, by head; "": the family has no such head.
	Classes [numHeads]string

	Writing Writing
	Learns  Learning

	EncoderDecoder bool // a decoder beside the encoder, but in a token classifier and an Encoder, which have the encoder alone
	TokenTypes     bool // tokens have types, Feed.Types: of the first text or of the second
	FirstToken     bool // a classifier reads the first token of a sequence, [CLS], not its last
	SkipsPadding   bool // a classifier reads the last token that is not pad_token_id

	MaxLength      int // of a sequence, in tokens; 0: any
	PositionOffset int // the first rows of the table of positions, which no token has
	Memory         int // rows that a language model keeps of what came before a sequence

	// Heads that read a text twice, by the encoder and by the decoder behind StartToken, are fed it once.
	ReadsTwice [numHeads]bool
	StartToken int32
}

// Writing is how a family's language model goes on with a text.
type Writing int

const (
	Cached   Writing = iota // Decode
	Queried                 // Evaluate: the row behind the text has the logits of its own token, not of the next
	Answered                // Evaluate: the encoder reads the text, and the decoder writes another
	Never                   // it sees to both sides
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

// Memory is how many rows a model of a head keeps of what came before a sequence: XLNet's.
func (c Config) Memory(h Head) int {
	if h != LanguageModel {
		return 0
	}
	return c.Traits().Memory
}

// class is the architecture with a head, "" where the family has none.
func (c Config) class(h Head) string { return c.Traits().Classes[h] }

// classNames are the names of the classes of a family with the heads that most have; what the name
// of its language model ends with differs.
func classNames(family, languageModel string) [numHeads]string {
	return [numHeads]string{
		LanguageModel: family + languageModel, Classifier: family + "ForSequenceClassification",
		TokenClassifier: family + "ForTokenClassification", QuestionAnswering: family + "ForQuestionAnswering", Base: family + "Model",
	}
}
