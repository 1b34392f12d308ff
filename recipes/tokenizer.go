package recipes

import (
	"cmp"
	"slices"

	"hone/data"
	"hone/data/tokenizer"
)

// Mask is the special token in the place of hidden ones, of a tokenizer that is trained here.
const Mask = "<|mask|>"

// specials are the special tokens that the stages need of a tokenizer that is trained.
func (r *Recipe) specials() (names []string) {
	for _, o := range data.Objectives {
		if slices.ContainsFunc(r.Stages, func(s Stage) bool { return s.Learns() == o }) {
			names = append(names, o.Specials(cmp.Or(r.Tokenizer.Mask, Mask))...)
		}
	}
	return names
}

// Tokenizer is trained on the training split of a corpus, or read from a file.
type Tokenizer struct {
	Kind      string `toml:"kind" doc:"kind of tokenizer that is learned"`
	File      string `toml:"file" doc:"path of a tokenizer.json that is read, so that none is learned; \"\": that of the checkpoint that stages start from, or none"`
	Corpus    string `toml:"corpus" doc:"name of the corpus whose training split it is learned from; may be left out where the recipe has one corpus"`
	VocabSize int    `toml:"vocab_size" unit:"tokens" doc:"tokens, at most, with the special ones; 0: 4096, and of kind byte the bytes"`

	MinFrequency int  `toml:"min_frequency" unit:"occurrences" doc:"occurrences below which nothing is learned; 0: any"`
	K            int  `toml:"k" unit:"characters" doc:"characters of a token, of kind kmer alone; 0: 3"`
	Lowercase    bool `toml:"lowercase,omitempty" doc:"reads capitals as small letters, of kind wordpiece alone"`

	// Special tokens around every document: bos and eos, or one separator that stands
	// once between two documents; none of them: what the tokenizer's file and the
	// checkpoint's configuration say, else separator = "<|endoftext|>".
	BOS       string `toml:"bos" doc:"special token before every document; \"\": none, or where eos and separator are \"\" too, what file and checkpoint say"`
	EOS       string `toml:"eos" doc:"special token after every document; \"\": as for bos"`
	Separator string `toml:"separator" doc:"special token that stands once between two documents, in place of bos and eos; \"\": <|endoftext|> where file and checkpoint say nothing"`
	Mask      string `toml:"mask,omitempty" doc:"special token in the place of hidden ones; \"\": [MASK], <mask> or <|mask|>, whichever there is"`
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
