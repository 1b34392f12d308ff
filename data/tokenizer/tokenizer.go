// Package tokenizer turns text into token ids and back.
//
// Every family is a file: [BPE] is byte-level byte-pair encoding, as in GPT-2.
// Tokenizers are trained here, or read from Hugging Face's tokenizer.json, and
// give the ids that the Python library tokenizers gives.
package tokenizer

// Tokenizer is what data preparation and generation need of any family.
// Implementations are safe for concurrent use.
type Tokenizer interface {
	// Encode appends the ids of text to dst and returns the longer slice.
	Encode(dst []int32, text string) []int32
	// Decode joins the text of ids. Ids that are no token's are skipped.
	Decode(ids []int32) string
	// Special gives the id of an added token such as "<|endoftext|>".
	Special(name string) (int32, bool)
	// Size is one more than the greatest id: the rows that an embedding needs.
	Size() int
}
