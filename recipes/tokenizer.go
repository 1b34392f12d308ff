package recipes

import (
	"hone/data"
	"hone/data/tokenizer"
)

// Mask is the special token in the place of hidden ones, of a tokenizer that is trained
// here; and so many sentinels stand for hidden spans, T5's number.
const (
	Mask      = "<|mask|>"
	Sentinels = 100
)

// specials are the special tokens that the stages need of a tokenizer that is trained.
func (r *Recipe) specials() (names []string) {
	mask, spans := false, false
	for i := range r.Stages {
		o := r.Stages[i].Learns()
		mask, spans = mask || o == data.Masked, spans || o == data.SpanCorruption
	}
	if mask && r.Tokenizer.Mask == "" {
		names = append(names, Mask)
	} else if mask {
		names = append(names, r.Tokenizer.Mask)
	}
	if spans {
		names = append(names, data.Sentinels(Sentinels)...)
	}
	return names
}

// Tokenizer is trained on the training split of a corpus, or read from a file.
type Tokenizer struct {
	Kind      string `toml:"kind"` // see tokenizer.TrainKinds
	File      string `toml:"file"` // a tokenizer.json: then nothing is trained
	Corpus    string `toml:"corpus"`
	VocabSize int    `toml:"vocab_size"` // tokens, at most; 0: 4096, of kind byte the bytes

	MinFrequency int  `toml:"min_frequency,omitempty"` // what is seen less often is not learned
	K            int  `toml:"k,omitempty"`             // kmer: characters to a token; 0: 3
	Lowercase    bool `toml:"lowercase,omitempty"`     // wordpiece

	// Special tokens around every document: bos and eos, or one separator that stands
	// once between two documents; none of them: what the tokenizer's file and the
	// checkpoint's configuration say, else separator = "<|endoftext|>".
	BOS       string `toml:"bos"`
	EOS       string `toml:"eos"`
	Separator string `toml:"separator"`
	Mask      string `toml:"mask,omitempty"` // special token in the place of hidden ones; "": [MASK], <mask> or <|mask|>
}

// EndOfText stands between documents, and Pad fills what transformers pads, where a
// tokenizer is trained here.
const (
	EndOfText = "<|endoftext|>"
	Pad       = "<|pad|>"
)

// TokenizerOptions are those of TrainTokenizer.
func (r *Recipe) TokenizerOptions() tokenizer.TrainOptions {
	t := r.Tokenizer
	return tokenizer.TrainOptions{
		Kind: t.Kind, VocabSize: t.VocabSize, MinFrequency: t.MinFrequency, K: t.K, Lowercase: t.Lowercase, Special: r.specials(),
	}
}
