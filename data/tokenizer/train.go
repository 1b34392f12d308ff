package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// TrainOptions say what Train learns.
type TrainOptions struct {
	Kind         string   // one of TrainKinds; "": byte_bpe
	VocabSize    int      // all tokens together; 0 where the kind needs none
	Special      []string // such as "<|endoftext|>"; they take the ids from 0
	MinFrequency int      // what is seen less often is not learned; 0 and 1: any
	Lowercase    bool     // wordpiece: as BERT's uncased models
	K            int      // kmer: characters to a token
}

// TrainKinds are the kinds of tokenizer that Train makes:
//
//   - byte_bpe: byte-level BPE with GPT-2's pre-tokenizer
//   - wordpiece: BERT's normalizer, pre-tokenizer and WordPiece
//   - unigram: a unigram language model over words that begin with "▁"
//   - byte: the 256 bytes
//   - char: the characters that are met
//   - kmer: runs of K characters, for DNA and protein; what does not fill K at the
//     end of a text is a token as well
var TrainKinds = []string{"byte_bpe", "wordpiece", "unigram", "byte", "char", "kmer"}

// unknownToken is what kinds that cannot spell everything have for the rest.
const unknownToken = "[UNK]"

// Train learns a tokenizer from docs. Its byte-level merges are those of Hugging
// Face's BpeTrainer with the byte-level alphabet: ids are special tokens, then
// bytes in the order of their spelling, then merges. The result depends on the
// multiset of words alone, not on the order of docs or the number of processors.
// A text too small to give VocabSize tokens gives fewer; Size tells.
//
// Memory grows with the number of different words, not with the text. Special
// tokens that stand in docs are ordinary text there. If progress is not nil it
// is called as tokens are learned (done and total count them), after docs has
// been read to its end. docs is read by the caller's goroutine; the words are
// counted by GOMAXPROCS others.
func Train(docs iter.Seq[string], opts TrainOptions, progress func(done, total int64)) (*Pipeline, error) {
	if progress == nil {
		progress = func(int64, int64) {}
	}
	if opts.Kind == "" {
		opts.Kind = "byte_bpe"
	}
	if !slices.Contains(TrainKinds, opts.Kind) {
		return nil, fmt.Errorf("tokenizer: unknown kind %q (known: %s)", opts.Kind, strings.Join(TrainKinds, ", "))
	}
	if opts.VocabSize > maxSize {
		return nil, fmt.Errorf("tokenizer: vocabulary size %d is more than %d", opts.VocabSize, maxSize)
	}
	if opts.MinFrequency < 0 {
		return nil, fmt.Errorf("tokenizer: minimum frequency %d is negative", opts.MinFrequency)
	}
	if opts.Kind == "wordpiece" || opts.Kind == "char" || opts.Kind == "kmer" || opts.Kind == "unigram" {
		if !slices.Contains(opts.Special, unknownToken) {
			opts.Special = append(slices.Clip(opts.Special), unknownToken)
		}
	}
	l := &learner{opts: opts, progress: progress, ids: make(map[string]int32, opts.VocabSize)}
	if err := l.specials(); err != nil {
		return nil, err
	}
	switch opts.Kind {
	case "wordpiece":
		return l.trainWordPiece(docs)
	case "unigram":
		return l.trainUnigram(docs)
	case "byte":
		return l.trainBytes()
	case "char":
		return l.trainChars(docs)
	case "kmer":
		return l.trainKmers(docs)
	}
	return l.trainBPE(docs)
}

// learner is a vocabulary in the making.
type learner struct {
	opts     TrainOptions
	progress func(done, total int64)
	tokens   []string // by id
	ids      map[string]int32
	merges   [][2]int32
	added    []AddedToken
}

var errNoText = errors.New("tokenizer: no text to train on")

// add gives the id of a token, which may be new.
func (l *learner) add(piece string) int32 {
	id, ok := l.ids[piece]
	if !ok {
		id = int32(len(l.tokens))
		l.ids[piece] = id
		l.tokens = append(l.tokens, piece)
	}
	return id
}

// specials checks the special tokens and adds them.
func (l *learner) specials() error {
	p := scanners[gpt2Pattern]
	for i, s := range l.opts.Special {
		if s == "" || !utf8.ValidString(s) {
			return fmt.Errorf("tokenizer: special token %q is empty or invalid UTF-8", s)
		}
		if slices.Contains(l.opts.Special[:i], s) {
			return fmt.Errorf("tokenizer: special token %q is given twice", s)
		}
		// Otherwise merges could spell it, and any text could contain it.
		if text, ok := unspell(s); ok && p.end(text, 0) == len(text) {
			return fmt.Errorf("tokenizer: special token %q could be part of ordinary text (write it like <|%s|>)", s, s)
		}
		l.added = append(l.added, AddedToken{ID: l.add(s), Content: s, Special: true})
	}
	return nil
}

// room checks that the vocabulary holds what need not be learned.
func (l *learner) room(least int, what string) error {
	if l.opts.VocabSize < least+len(l.opts.Special) {
		return fmt.Errorf("tokenizer: vocabulary size %d is less than %d: %d %s and %d special tokens",
			l.opts.VocabSize, least+len(l.opts.Special), least, what, len(l.opts.Special))
	}
	return nil
}

// finish makes the tokenizer of what was learned.
func (l *learner) finish(f file, v *vocabulary) (*Pipeline, error) {
	if v.kind != "Unigram" {
		v.ids = make(map[string]int64, len(l.tokens))
		for id, piece := range l.tokens {
			v.ids[piece] = int64(id)
		}
	}
	for _, m := range l.merges {
		v.merges = append(v.merges, [2]string{l.tokens[m[0]], l.tokens[m[1]]})
	}
	f.AddedTokens = l.added
	return build(f, v)
}

// alphabet adds the 256 bytes and gives their ids.
func (l *learner) alphabet() (bytes [256]int32) {
	alphabet := byteRune
	slices.Sort(alphabet[:])
	for _, r := range alphabet {
		bytes[runeByte[r]] = l.add(string(r))
	}
	return bytes
}

// trainBPE learns a byte-level BPE.
func (l *learner) trainBPE(docs iter.Seq[string]) (*Pipeline, error) {
	if err := l.room(256, "bytes"); err != nil {
		return nil, err
	}
	bytes := l.alphabet()
	words := countWords(docs, nil, []pretokenizer{scanners[gpt2Pattern]})
	if len(words) == 0 {
		return nil, errNoText
	}
	c := newMerger(words, func(dst []int32, w string) []int32 {
		for i := range len(w) {
			dst = append(dst, bytes[w[i]])
		}
		return dst
	})
	l.merge(c, "")
	return l.finish(file{PreTokenizer: json.RawMessage(byteLevelPre), Decoder: json.RawMessage(byteLevelRest)}, &vocabulary{kind: "BPE"})
}

// trainWordPiece learns as Hugging Face's WordPieceTrainer does: merges of
// characters, of which the tokens stay and the merges go. Where that library takes
// characters inside words in the order of a hash table, new at each run, here it is
// that of the sorted words; ties between pairs can therefore fall otherwise.
func (l *learner) trainWordPiece(docs iter.Seq[string]) (*Pipeline, error) {
	const prefix = "##"
	f := file{
		Normalizer:   json.RawMessage(fmt.Sprintf(`{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": %t}`, l.opts.Lowercase)),
		PreTokenizer: json.RawMessage(`{"type": "BertPreTokenizer"}`),
		Decoder:      json.RawMessage(`{"type": "WordPiece", "prefix": "##", "cleanup": true}`),
	}
	words, err := countThrough(docs, f)
	if err != nil {
		return nil, err
	}
	for _, r := range frequentRunes(words, 1000) { // as limit_alphabet there
		l.add(string(r))
	}
	c := newMerger(words, func(dst []int32, w string) []int32 {
		for i, r := range w {
			if _, ok := l.ids[string(r)]; !ok {
				continue // too rare for the alphabet
			}
			if i == 0 {
				dst = append(dst, l.ids[string(r)])
			} else {
				dst = append(dst, l.add(prefix+string(r)))
			}
		}
		return dst
	})
	if err := l.room(len(l.tokens)-len(l.opts.Special), "characters"); err != nil {
		return nil, err
	}
	l.merge(c, prefix)
	l.merges = nil
	unk := unknownToken
	return l.finish(f, &vocabulary{kind: "WordPiece", unk: &unk, prefix: prefix, maxRune: 100})
}

// frequentRunes gives the characters of words, sorted; of too many the most
// frequent.
func frequentRunes(words []wordCount, limit int) []rune {
	counts := map[rune]int64{}
	for _, w := range words {
		for _, r := range w.word {
			if r != utf8.RuneError {
				counts[r] += w.n
			}
		}
	}
	runes := make([]rune, 0, len(counts))
	for r := range counts {
		runes = append(runes, r)
	}
	slices.SortFunc(runes, func(a, b rune) int {
		if counts[a] != counts[b] {
			if counts[a] > counts[b] {
				return -1
			}
			return 1
		}
		return int(a - b)
	})
	if limit > 0 && len(runes) > limit {
		runes = runes[:limit]
	}
	slices.Sort(runes)
	return runes
}

// trainBytes makes the tokenizer of bytes; there is nothing to learn.
func (l *learner) trainBytes() (*Pipeline, error) {
	l.alphabet()
	if l.opts.VocabSize != 0 && l.opts.VocabSize != len(l.tokens) {
		return nil, fmt.Errorf("tokenizer: vocabulary size %d: a byte tokenizer has %d tokens", l.opts.VocabSize, len(l.tokens))
	}
	return l.finish(file{
		PreTokenizer: json.RawMessage(`{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}`),
		Decoder:      json.RawMessage(byteLevelRest),
	}, &vocabulary{kind: "BPE"})
}

// fuse joins tokens without anything between them.
const fuse = `{"type": "Fuse"}`

// trainChars makes the tokenizer of the most frequent characters.
func (l *learner) trainChars(docs iter.Seq[string]) (*Pipeline, error) {
	words := countWords(docs, nil, []pretokenizer{fixedLength(1)})
	return l.trainUnits(words, file{Decoder: json.RawMessage(fuse)}, "BPE")
}

// trainKmers makes the tokenizer of the most frequent runs of K characters.
func (l *learner) trainKmers(docs iter.Seq[string]) (*Pipeline, error) {
	if l.opts.K < 1 || l.opts.K > 64 {
		return nil, fmt.Errorf("tokenizer: K is %d; a k-mer has 1 to 64 characters", l.opts.K)
	}
	words := countWords(docs, nil, []pretokenizer{fixedLength(l.opts.K)})
	return l.trainUnits(words, file{
		PreTokenizer: json.RawMessage(`{"type": "FixedLength", "length": ` + strconv.Itoa(l.opts.K) + `}`),
		Decoder:      json.RawMessage(fuse),
	}, "WordLevel")
}

// trainUnits takes the most frequent words as they are, sorted by their spelling.
func (l *learner) trainUnits(words []wordCount, f file, kind string) (*Pipeline, error) {
	words = slices.DeleteFunc(words, func(w wordCount) bool {
		_, special := l.ids[w.word]
		return special || w.n < int64(l.opts.MinFrequency) || !utf8.ValidString(w.word)
	})
	if len(words) == 0 {
		return nil, errNoText
	}
	if room := l.opts.VocabSize - len(l.tokens); l.opts.VocabSize > 0 && len(words) > room {
		slices.SortStableFunc(words, func(a, b wordCount) int { return int(max(-1, min(b.n-a.n, 1))) })
		words = words[:max(0, room)]
		slices.SortFunc(words, func(a, b wordCount) int { return strings.Compare(a.word, b.word) })
	}
	for _, w := range words {
		l.add(w.word)
	}
	l.progress(int64(len(words)), int64(len(words)))
	unk := unknownToken
	return l.finish(f, &vocabulary{kind: kind, unk: &unk})
}
