// Package tokenizer turns text into token ids and back.
//
// A [Pipeline] has the parts that Hugging Face's tokenizer.json describes: added
// tokens, a normalizer, a pre-tokenizer, a model (BPE, WordPiece, Unigram or
// WordLevel), a post-processor and a decoder. [Open] reads one from any of the usual
// files, [Train] learns one. Ids, offsets and decoded text are those of the Python
// library tokenizers.
//
// Errors of reading and training mean that the user's input is wrong or not supported
// (exit code 2), except those of the file system, which wrap an *fs.PathError.
package tokenizer

import (
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
)

// Tokenizer is the interface that data preparation and generation use.
// Implementations are safe for concurrent use.
type Tokenizer interface {
	// Encode appends the ids of text to dst and returns the longer slice.
	Encode(dst []int32, text string) []int32
	// Decode joins the texts of the tokens. Ids without a token are skipped.
	Decode(ids []int32) string
	// Special gives the id of an added token such as "<|endoftext|>".
	Special(name string) (int32, bool)
	// Size is the greatest id plus one: the rows that an embedding needs at least.
	Size() int
}

// Pipeline is a tokenizer of any kind. It is immutable and safe for concurrent
// use. For each goroutine that encodes at the same time it keeps a cache of frequent
// words of fixed size (1 MiB).
//
// Byte-level and byte-fallback kinds encode any string of bytes, valid UTF-8 or
// not; other kinds treat an invalid byte as an unknown character.
type Pipeline struct {
	tokens []token // by id
	added  []*AddedToken
	byName map[string]*AddedToken

	plain, normed *matcher // added tokens that are not normalized, and that are
	norm          []normalizer
	pre           []pretokenizer
	model         model
	post          []processor
	dec           []decoder
	placed        bool // the text that the model gets depends on offsets
	truncation    *truncation
	padding       *padding

	file     file // the sections as they were read, without tokens
	settings map[string]json.RawMessage
	encoders sync.Pool
	fault    atomic.Pointer[error]
}

// model cuts a word into tokens. Words are never empty.
type model interface {
	encode(e *encoder, dst []int32, word string) []int32
	tokens(e *encoder, dst []part, word string) []part
}

type token struct {
	piece   string // its spelling in the vocabulary
	text    string // byte-level kinds: the bytes that it stands for
	present bool
}

// Size is the greatest id plus one.
func (p *Pipeline) Size() int { return len(p.tokens) }

// Special gives the id of an added token.
func (p *Pipeline) Special(name string) (int32, bool) {
	if a := p.byName[name]; a != nil {
		return a.ID, true
	}
	return 0, false
}

// Added lists the added tokens, in the order of their ids.
func (p *Pipeline) Added() []AddedToken {
	list := make([]AddedToken, len(p.added))
	for i, a := range p.added {
		list[i] = *a
	}
	return list
}

// Token gives the spelling of a token in the vocabulary, for example "Ġthe" for " the";
// "" where there is no token with that id.
func (p *Pipeline) Token(id int32) string {
	if id < 0 || int(id) >= len(p.tokens) {
		return ""
	}
	return p.tokens[id].piece
}

// Settings gives keys and values for transformers' tokenizer_config.json, to be written beside
// the tokenizer.json that JSON gives: the roles of tokens, the chat template and the like. It
// is nil for a tokenizer that was read from a tokenizer.json.
func (p *Pipeline) Settings() map[string]json.RawMessage { return p.settings }

// Encode appends the ids of text to dst. As in Hugging Face's library, added tokens
// are found in the text: "<|endoftext|>" written there becomes that token. Use
// EncodeOrdinary for text that others wrote, above all training text. Encode adds no
// tokens of the post-processor, and neither truncates nor pads; Tokenize does.
func (p *Pipeline) Encode(dst []int32, s string) []int32 { return p.encode(dst, s, false) }

// EncodeOrdinary appends the ids of text to dst and does not look for added tokens:
// no text can produce one, unless the vocabulary itself has words or merges that
// spell one (Train never makes such a vocabulary).
func (p *Pipeline) EncodeOrdinary(dst []int32, s string) []int32 { return p.encode(dst, s, true) }

func (p *Pipeline) encode(dst []int32, s string, ordinary bool) []int32 {
	e := p.encoders.Get().(*encoder)
	e.ids, e.ordinary = dst, ordinary
	if p.placed {
		e.enc, e.words = Encoding{}, 0
		e.run(newText(s, true))
		e.ids = append(e.ids, e.enc.IDs...)
		e.enc = Encoding{}
	} else {
		e.run(newText(s, false))
	}
	dst, e.ids = e.ids, nil
	p.keep(e, len(s))
	return dst
}

// Ordinary gives the same tokenizer with EncodeOrdinary as its Encode.
func (p *Pipeline) Ordinary() Tokenizer { return ordinary{p} }

type ordinary struct{ *Pipeline }

func (o ordinary) Encode(dst []int32, text string) []int32 { return o.EncodeOrdinary(dst, text) }
func (o ordinary) Place(text string) ([]int32, []Offset) {
	e := o.trace(text, true)
	return e.IDs, e.Bytes
}

// Place gives the ids of Encode, and where in the text each token is, in bytes.
func (p *Pipeline) Place(text string) ([]int32, []Offset) {
	e := p.trace(text, false)
	return e.IDs, e.Bytes
}

// Decode joins the texts of the tokens. Ids without a token are skipped, as in Hugging
// Face's library. Unlike there, bytes that are not valid UTF-8 are kept as they are,
// and added tokens of byte-level kinds are written as they are spelled.
func (p *Pipeline) Decode(ids []int32) string {
	if len(p.dec) == 1 && p.dec[0] == (byteDecoder{}) {
		n := 0
		for _, id := range ids {
			if id >= 0 && int(id) < len(p.tokens) {
				n += len(p.tokens[id].text)
			}
		}
		var b strings.Builder
		b.Grow(n)
		for _, id := range ids {
			if id >= 0 && int(id) < len(p.tokens) {
				b.WriteString(p.tokens[id].text)
			}
		}
		return b.String()
	}
	return p.decode(ids, false, true)
}

// Text gives what Hugging Face's decode gives: always valid UTF-8, and without
// special tokens if skipSpecial is set.
func (p *Pipeline) Text(ids []int32, skipSpecial bool) string {
	return p.decode(ids, skipSpecial, false)
}

func (p *Pipeline) decode(ids []int32, skipSpecial, raw bool) string {
	list := make([]string, 0, len(ids))
	for _, id := range ids {
		if id < 0 || int(id) >= len(p.tokens) || !p.tokens[id].present {
			continue
		}
		s := p.tokens[id].piece
		if a := p.byName[s]; a != nil && a.ID == id {
			if skipSpecial && a.Special && a.match == a.Content {
				continue
			}
			if a.Normalized {
				s = a.match
			}
		}
		list = append(list, s)
	}
	if len(p.dec) == 0 {
		return strings.Join(list, " ")
	}
	limit := growth(length(list))
	for i, d := range p.dec {
		n := len(list)
		list = d.decode(list, raw)
		if _, ok := d.(replaceDecoder); ok && list == nil && n > 0 || length(list) > limit {
			p.fail("decoder: step %d, %s: makes the text longer than %d bytes", i+1, describe(d), limit)
			return ""
		}
	}
	return strings.Join(list, "")
}

func length(list []string) (n int) {
	for _, s := range list {
		n += len(s)
	}
	return n
}

// Info is a description of a tokenizer.
type Info struct {
	Kind          string          `json:"kind"` // byte_bpe, bpe, wordpiece, unigram, wordlevel
	VocabSize     int             `json:"vocab_size"`
	Merges        int             `json:"merges"`
	Normalizer    string          `json:"normalizer"` // "", or "NFC", "Sequence(Prepend, Replace)"
	PreTokenizer  string          `json:"pre_tokenizer"`
	PostProcessor string          `json:"post_processor"`
	Decoder       string          `json:"decoder"`
	Added         []AddedToken    `json:"added_tokens"`
	Truncation    json.RawMessage `json:"truncation,omitempty"`
	Padding       json.RawMessage `json:"padding,omitempty"`
}

// Info describes the tokenizer.
func (p *Pipeline) Info() Info {
	info := Info{VocabSize: p.Size(), Added: p.Added(),
		Normalizer: outline(p.file.Normalizer), PreTokenizer: outline(p.file.PreTokenizer),
		PostProcessor: outline(p.file.PostProcessor), Decoder: outline(p.file.Decoder)}
	switch m := p.model.(type) {
	case *bpe:
		info.Kind, info.Merges = "bpe", len(m.merges)
		if m.bytes != nil {
			info.Kind = "byte_bpe"
		}
	case *wordPiece:
		info.Kind = "wordpiece"
	case *unigram:
		info.Kind = "unigram"
	case *wordLevel:
		info.Kind = "wordlevel"
	}
	if p.truncation != nil {
		info.Truncation = p.file.Truncation
	}
	if p.padding != nil {
		info.Padding = p.file.Padding
	}
	return info
}

// outline gives the type of a section, with the types of its parts.
func outline(raw json.RawMessage) string {
	var c map[string]json.RawMessage
	if isNull(raw) || json.Unmarshal(raw, &c) != nil {
		return ""
	}
	var kind string
	if json.Unmarshal(c["type"], &kind) != nil {
		return ""
	}
	for _, key := range []string{"normalizers", "pretokenizers", "processors", "decoders"} {
		var list []json.RawMessage
		if json.Unmarshal(c[key], &list) == nil && list != nil {
			names := make([]string, len(list))
			for i, r := range list {
				names[i] = outline(r)
			}
			return kind + "(" + strings.Join(names, ", ") + ")"
		}
	}
	return kind
}
