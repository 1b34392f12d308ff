package tokenizer

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// maxSize is the upper bound of ids, so that a damaged file cannot ask for all memory.
const maxSize = 1 << 22

// file is a tokenizer.json as Hugging Face's tokenizers 0.23 and older versions write
// it. The raw sections are told apart by their "type".
type file struct {
	Version       string          `json:"version"`
	Truncation    json.RawMessage `json:"truncation"`
	Padding       json.RawMessage `json:"padding"`
	AddedTokens   []AddedToken    `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         json.RawMessage `json:"model"`
}

// vocabulary is the section model, of any kind.
type vocabulary struct {
	kind    string // BPE, WordPiece, WordLevel, Unigram
	ids     map[string]int64
	pieces  []string  // Unigram: by id
	scores  []float64 // the same
	merges  [][2]string
	unk     *string
	unkID   *int64 // Unigram
	prefix  string
	suffix  string
	fuse    bool
	bytes   bool // byte_fallback
	ignore  bool // ignore_merges
	maxRune int  // WordPiece
}

var modelNames = []string{"BPE", "Unigram", "WordLevel", "WordPiece"}

// Parse reads the content of a tokenizer.json. It refuses by name what would give other
// ids than Hugging Face's library, ids that are given twice, and merges of pieces that
// are not in the vocabulary. Ids without a token may lie between others. All errors mean
// that the file is wrong or not supported (exit code 2).
func Parse(data []byte) (*Pipeline, error) {
	p, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return p, nil
}

func parse(data []byte) (*Pipeline, error) {
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, explain(err)
	}
	if f.Version != "" && f.Version != "1.0" {
		return nil, fmt.Errorf("version: unknown %q (known: 1.0)", f.Version)
	}
	v, err := parseModel(f.Model)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	f.Model = nil
	return build(f, v)
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// component gives the type of a section, which must be one of those known.
func component(name string, raw json.RawMessage, known []string) (string, error) {
	var c struct{ Type string }
	if err := json.Unmarshal(raw, &c); err != nil {
		return "", fmt.Errorf("%s: %w", name, explain(err))
	}
	if !slices.Contains(known, c.Type) {
		return "", fmt.Errorf("%s: unknown type %q (known: %s)", name, c.Type, strings.Join(known, ", "))
	}
	return c.Type, nil
}

// explain rewords errors of encoding/json: with the position, without the names of Go types.
func explain(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("byte %d: %w", syntax.Offset, err)
	}
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		if kind.Field == "" {
			return fmt.Errorf("a JSON %s cannot be read as %s", kind.Value, kind.Type)
		}
		return fmt.Errorf("%s: a JSON %s cannot be read as %s", kind.Field, kind.Value, kind.Type)
	}
	return err
}

func parseModel(raw json.RawMessage) (*vocabulary, error) {
	if isNull(raw) {
		return nil, fmt.Errorf("missing (known: %s)", strings.Join(modelNames, ", "))
	}
	var m struct {
		Type     *string
		Vocab    json.RawMessage
		Merges   []json.RawMessage
		Dropout  *float64
		Unk      *string `json:"unk_token"`
		UnkID    *int64  `json:"unk_id"`
		Prefix   *string `json:"continuing_subword_prefix"`
		Suffix   *string `json:"end_of_word_suffix"`
		Fuse     *bool   `json:"fuse_unk"`
		Fallback *bool   `json:"byte_fallback"`
		Ignore   *bool   `json:"ignore_merges"`
		Max      *int    `json:"max_input_chars_per_word"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, explain(err)
	}
	v := &vocabulary{unk: m.Unk, unkID: m.UnkID, fuse: deref(m.Fuse), bytes: deref(m.Fallback), ignore: deref(m.Ignore),
		prefix: deref(m.Prefix), suffix: deref(m.Suffix), maxRune: 100}
	if m.Max != nil {
		v.maxRune = *m.Max
	}
	switch {
	case m.Type != nil && slices.Contains(modelNames, *m.Type):
		v.kind = *m.Type
	case m.Type != nil:
		return nil, fmt.Errorf("unknown type %q (known: %s)", *m.Type, strings.Join(modelNames, ", "))
	case m.Merges != nil: // files of old versions have no types
		v.kind = "BPE"
	case len(m.Vocab) > 0 && m.Vocab[0] == '[':
		v.kind = "Unigram"
	case m.Prefix != nil || m.Max != nil:
		v.kind = "WordPiece"
	default:
		v.kind = "WordLevel"
	}
	if isNull(m.Vocab) {
		return nil, errors.New("no vocab")
	}
	if v.kind == "Unigram" {
		var list []json.RawMessage
		if err := json.Unmarshal(m.Vocab, &list); err != nil {
			return nil, fmt.Errorf("vocab: %w", explain(err))
		}
		for i, r := range list {
			var pair []json.RawMessage
			var piece *string
			var score *float64
			if json.Unmarshal(r, &pair) != nil || len(pair) != 2 || json.Unmarshal(pair[0], &piece) != nil || json.Unmarshal(pair[1], &score) != nil || piece == nil || score == nil {
				return nil, fmt.Errorf("vocab: entry %d: %s is not [piece, score]", i, clip(r))
			}
			v.pieces = append(v.pieces, *piece)
			v.scores = append(v.scores, readScore(string(pair[1])))
		}
		return v, nil
	}
	if err := json.Unmarshal(m.Vocab, &v.ids); err != nil {
		return nil, fmt.Errorf("vocab: %w", explain(err))
	}
	if m.Dropout != nil && *m.Dropout != 0 {
		return nil, fmt.Errorf("dropout %g makes encoding random, which is not supported (hint: set it to null)", *m.Dropout)
	}
	v.merges = make([][2]string, len(m.Merges))
	for i, raw := range m.Merges {
		var err error
		if v.merges[i], err = mergePair(raw); err != nil {
			return nil, fmt.Errorf("merges: entry %d: %w", i, err)
		}
	}
	return v, nil
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// mergePair reads "a b", the older form, or ["a", "b"].
func mergePair(raw json.RawMessage) (pair [2]string, err error) {
	if raw[0] == '"' {
		var line string
		if err := json.Unmarshal(raw, &line); err != nil {
			return pair, err
		}
		return mergeLine(line)
	}
	var list []string
	if json.Unmarshal(raw, &list) != nil || len(list) != 2 || list[0] == "" || list[1] == "" {
		return pair, fmt.Errorf("%s is neither \"a b\" nor [\"a\", \"b\"]", clip(raw))
	}
	return [2]string(list), nil
}

func mergeLine(line string) (pair [2]string, err error) {
	left, right, ok := strings.Cut(line, " ")
	if !ok || left == "" || right == "" || strings.Contains(right, " ") {
		return pair, fmt.Errorf("%q is not two pieces with a space between", line)
	}
	return [2]string{left, right}, nil
}

func clip(raw []byte) []byte {
	if len(raw) > 40 {
		return append(raw[:40:40], "..."...)
	}
	return raw
}

// build makes a tokenizer from the sections of a file and the vocabulary of its model.
func build(f file, v *vocabulary) (*Pipeline, error) {
	p := &Pipeline{file: f, byName: make(map[string]*AddedToken)}
	p.file.AddedTokens = nil
	var err error
	if p.norm, err = parseNormalizer(nil, f.Normalizer, 0); err != nil {
		return nil, err
	}
	if p.pre, err = parsePretokenizer(nil, f.PreTokenizer, 0); err != nil {
		return nil, err
	}
	if p.post, err = parseProcessor(nil, f.PostProcessor, 0); err != nil {
		return nil, err
	}
	if p.dec, err = parseDecoder(nil, f.Decoder, 0); err != nil {
		return nil, err
	}
	if p.truncation, err = parseTruncation(f.Truncation); err != nil {
		return nil, err
	}
	if p.padding, err = parsePadding(f.Padding); err != nil {
		return nil, err
	}
	if err := p.place(v, f.AddedTokens); err != nil {
		return nil, err
	}
	if err := p.checkPost(); err != nil {
		return nil, err
	}
	if p.model, err = p.newModel(v); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	if err := p.finish(); err != nil {
		return nil, err
	}
	return p, nil
}

// place assigns the tokens to their ids, those of the model first.
func (p *Pipeline) place(v *vocabulary, added []AddedToken) error {
	size := max(len(v.ids), len(v.pieces))
	limit := min(maxSize, 1024+4*int64(size+len(added)))
	ids := v.ids
	place := func(piece string, id int64) error {
		if id < 0 || id >= limit {
			return fmt.Errorf("id %d of %q is outside 0 to %d", id, piece, limit-1)
		}
		for int64(len(p.tokens)) <= id {
			p.tokens = append(p.tokens, token{})
		}
		if p.tokens[id].present {
			return fmt.Errorf("id %d is given to %q and %q", id, p.tokens[id].piece, piece)
		}
		p.tokens[id] = token{piece: piece, present: true}
		return nil
	}
	if v.kind == "Unigram" {
		ids = make(map[string]int64, len(v.pieces))
		for id, piece := range v.pieces {
			if other, ok := ids[piece]; ok {
				return fmt.Errorf("model: vocab: entry %d: %q stands at %d too", id, piece, other)
			}
			if math.IsNaN(v.scores[id]) || math.IsInf(v.scores[id], 0) {
				return fmt.Errorf("model: vocab: entry %d: score %g of %q", id, v.scores[id], piece)
			}
			ids[piece] = int64(id)
			if err := place(piece, int64(id)); err != nil {
				return fmt.Errorf("model: vocab: %w", err)
			}
		}
		v.ids = ids
	} else {
		// Sorted, so that of several faults always the same one is reported.
		pieces := make([]string, 0, len(ids))
		for piece := range ids {
			pieces = append(pieces, piece)
		}
		slices.SortFunc(pieces, func(a, b string) int { return cmp.Or(cmp.Compare(ids[a], ids[b]), cmp.Compare(a, b)) })
		for _, piece := range pieces {
			if err := place(piece, ids[piece]); err != nil {
				return fmt.Errorf("model: vocab: %w", err)
			}
		}
	}
	next := int64(size) // the id that the library gives the next token that is not in the vocabulary, even where there are holes
	for i, a := range added {
		switch id, inVocab := ids[a.Content]; {
		case a.Content == "":
			return fmt.Errorf("added_tokens: entry %d: empty content", i)
		case p.byName[a.Content] != nil:
			return fmt.Errorf("added_tokens: entry %d: %q is given twice", i, a.Content)
		case inVocab && id != int64(a.ID):
			return fmt.Errorf("added_tokens: entry %d: %q has id %d, but %d in the vocabulary", i, a.Content, a.ID, id)
		case inVocab:
			a.inVocab = true
		case int64(a.ID) != next:
			return fmt.Errorf("added_tokens: entry %d: %q has id %d, but Hugging Face's library would give it %d, after the vocabulary and the tokens before it", i, a.Content, a.ID, next)
		default:
			if err := place(a.Content, next); err != nil {
				return fmt.Errorf("added_tokens: entry %d: %w", i, err)
			}
			next++
		}
		p.added = append(p.added, &a)
		p.byName[a.Content] = &a
	}
	slices.SortFunc(p.added, func(a, b *AddedToken) int { return cmp.Compare(a.ID, b.ID) })
	return nil
}

func (p *Pipeline) newModel(v *vocabulary) (model, error) {
	unk := int32(-1)
	if v.kind != "Unigram" && v.unk != nil {
		if id, ok := v.ids[*v.unk]; ok {
			unk = int32(id)
		} else if v.kind != "BPE" || !p.byteLevel(v) {
			return nil, fmt.Errorf("unk_token %q is not in the vocabulary: words could not be encoded", *v.unk)
		}
	}
	switch v.kind {
	case "BPE":
		return p.newBPE(v, unk)
	case "WordPiece", "WordLevel":
		if unk < 0 {
			return nil, errors.New("no unk_token")
		}
		if v.kind == "WordLevel" {
			return &wordLevel{narrow(v.ids), unk, *v.unk}, nil
		}
		if v.maxRune < 0 {
			return nil, fmt.Errorf("max_input_chars_per_word %d is negative", v.maxRune)
		}
		m := &wordPiece{trie: newTrie(), prefix: v.prefix, unk: unk, maxRune: v.maxRune, unkToken: *v.unk}
		for id, t := range p.tokens {
			if _, ok := v.ids[t.piece]; ok && t.present {
				m.trie.add(t.piece, int32(id))
			}
		}
		m.inside = m.trie.walk(0, v.prefix)
		return m, nil
	}
	m := &unigram{trie: newTrie(), scores: v.scores, ids: narrow(v.ids), unk: -1, low: math.Inf(1), pieces: v.pieces}
	switch {
	case v.unkID != nil && (*v.unkID < 0 || *v.unkID >= int64(len(v.pieces))):
		return nil, fmt.Errorf("unk_id %d is not in the vocabulary of %d", *v.unkID, len(v.pieces))
	case v.unkID == nil:
		return nil, errors.New("no unk_id: characters that are not in the vocabulary could not be encoded")
	}
	m.unk = int32(*v.unkID)
	for id, piece := range v.pieces {
		if piece != "" {
			m.trie.add(piece, int32(id))
		}
		m.low = min(m.low, v.scores[id])
	}
	m.low -= unknownPenalty
	if v.bytes {
		m.bytes, _ = byteTokens(v.ids)
		m.fallback = true
	}
	return m, nil
}

func narrow(ids map[string]int64) map[string]int32 {
	m := make(map[string]int32, len(ids))
	for piece, id := range ids {
		m[piece] = int32(id)
	}
	return m
}

// byteTokens finds the tokens <0x00> to <0xFF>; all reports whether none is missing.
func byteTokens(ids map[string]int64) (bytes *[256]int32, all bool) {
	bytes, all = new([256]int32), true
	for b := range bytes {
		if id, ok := ids[fmt.Sprintf("<0x%02X>", b)]; ok {
			bytes[b] = int32(id)
		} else {
			bytes[b], all = -1, false
		}
	}
	return bytes, all
}

// byteLevel reports whether the model can read the bytes of words directly: the last stage
// before it spells them, and the vocabulary either has all of byteRune's alphabet or
// drops what it lacks.
func (p *Pipeline) byteLevel(v *vocabulary) bool {
	spelled := 0
	for _, s := range p.pre {
		if s == (spellBytes{}) {
			spelled++
		}
	}
	n := len(p.pre)
	if spelled != 1 || p.pre[n-1] != (spellBytes{}) || v.kind != "BPE" || v.bytes || v.prefix != "" || v.suffix != "" {
		return false
	}
	for _, r := range byteRune {
		if _, ok := v.ids[string(r)]; !ok && v.unk != nil {
			return false
		}
	}
	return true
}

func (p *Pipeline) newBPE(v *vocabulary, unk int32) (*bpe, error) {
	m := &bpe{prefix: v.prefix, suffix: v.suffix, unk: unk, fuse: v.fuse, unkToken: v.unk, fallbackAsked: v.bytes, ignoreMerges: v.ignore}
	merged := make([]int32, 0, len(v.merges))
	for i, pair := range v.merges {
		if len(pair[1]) < len(v.prefix) || !utf8Boundary(pair[1], len(v.prefix)) {
			return nil, fmt.Errorf("merges: entry %d: %q is shorter than continuing_subword_prefix %q", i, pair[1], v.prefix)
		}
		var ids [3]int32
		for k, piece := range [3]string{pair[0], pair[1], pair[0] + pair[1][len(v.prefix):]} {
			id, ok := v.ids[piece]
			if !ok {
				return nil, fmt.Errorf("merges: entry %d: %q is not in the vocabulary", i, piece)
			}
			ids[k] = int32(id)
		}
		m.merges = append(m.merges, [2]int32(ids[:2]))
		merged = append(merged, ids[2])
	}
	m.merges, merged = lastMerges(m.merges, merged)
	m.ids = narrow(v.ids)
	if p.byteLevel(v) {
		p.pre = p.pre[:len(p.pre)-1]
		m.bytes = new([256]int32)
		for b, r := range byteRune {
			m.bytes[b] = -1
			if id, ok := v.ids[string(r)]; ok {
				m.bytes[b] = int32(id)
			} else {
				m.holes = true
			}
		}
	}
	if v.bytes {
		m.fallback, _ = byteTokens(v.ids)
	}
	if v.ignore {
		m.whole = m.ids
		if m.bytes != nil {
			m.whole = make(map[string]int32, len(m.ids))
			for piece, id := range m.ids {
				if text, ok := unspell(piece); ok {
					m.whole[text] = id
				}
			}
		}
	}
	m.build(merged)
	m.cutMeta = p.metaSafe(m, v)
	return m, nil
}

func utf8Boundary(s string, i int) bool { return i == len(s) || s[i]&0xc0 != 0x80 }

// metaSafe reports whether words can be cut before "▁": it is a token, and no merge joins
// anything else on the left to a right side that begins with it.
func (p *Pipeline) metaSafe(m *bpe, v *vocabulary) bool {
	if _, ok := v.ids[meta]; !ok || m.bytes != nil || m.whole != nil || m.prefix != "" || m.suffix != "" {
		return false
	}
	for _, pair := range m.merges {
		if strings.HasPrefix(p.tokens[pair[1]].piece, meta) && !strings.HasSuffix(p.tokens[pair[0]].piece, meta) {
			return false
		}
	}
	return true
}

// checkPost checks that a post-processor adds tokens that are there.
func (p *Pipeline) checkPost() error {
	for _, s := range p.post {
		t, ok := s.(template)
		if !ok {
			continue
		}
		for _, x := range slices.Concat(t.single, t.pair) {
			if x.special == nil {
				continue
			}
			for _, id := range x.special.ids {
				if id < 0 || int(id) >= len(p.tokens) {
					return fmt.Errorf("post_processor: id %d is outside 0 to %d", id, len(p.tokens)-1)
				}
			}
		}
	}
	return nil
}

// finish makes what depends on all sections.
func (p *Pipeline) finish() error {
	byteDecoded := len(p.dec) == 1 && p.dec[0] == (byteDecoder{})
	reachable := p.reachable()
	for id := range p.tokens {
		t := &p.tokens[id]
		t.text = t.piece
		if a := p.byName[t.piece]; byteDecoded && (a == nil || reachable[int32(id)]) {
			if text, ok := unspell(t.piece); ok {
				t.text = text
			}
		}
	}
	var plain, normed []*AddedToken
	ed := make([]*editor, len(p.norm))
	for _, a := range p.added {
		a.match = a.Content
		if !a.Normalized {
			plain = append(plain, a)
			continue
		}
		t := text{s: a.Content}
		limit := growth(len(t.s))
		for i, n := range p.norm {
			ed[i] = &editor{limit: limit}
			if t = n.normalize(t, ed[i]); ed[i].over || len(t.s) > limit {
				return fmt.Errorf("normalizer: step %d, %s: makes the added token %q longer than %d bytes", i+1, describe(n), a.Content, limit)
			}
		}
		a.match = strings.Clone(t.s)
		normed = append(normed, a)
	}
	p.plain, p.normed = newMatcher(plain), newMatcher(normed)
	for i, s := range p.pre {
		// Whether a word began the input is known without offsets only of the
		// input that nothing has cut yet.
		if m, ok := s.(metaspace); ok && m.Scheme == "first" && (i > 0 || len(p.norm) > 0) {
			p.placed = true
		}
	}
	p.encoders.New = func() any { return newEncoder(p) }
	return nil
}

// reachable has the tokens that a byte-level model can make of ordinary text.
func (p *Pipeline) reachable() map[int32]bool {
	m, ok := p.model.(*bpe)
	if !ok || m.bytes == nil {
		return nil
	}
	set := make(map[int32]bool, 256+len(m.merges))
	for _, id := range m.bytes {
		set[id] = true
	}
	for _, pair := range m.merges {
		set[m.pairs.get(pair[0], pair[1]).id] = true
	}
	return set
}

func parseTruncation(raw json.RawMessage) (*truncation, error) {
	if isNull(raw) {
		return nil, nil
	}
	t := new(truncation)
	if err := json.Unmarshal(raw, t); err != nil {
		return nil, fmt.Errorf("truncation: %w", explain(err))
	}
	return t, t.check()
}

func parsePadding(raw json.RawMessage) (*padding, error) {
	if isNull(raw) {
		return nil, nil
	}
	var c struct {
		Strategy  json.RawMessage
		Direction string
		Multiple  *int   `json:"pad_to_multiple_of"`
		ID        int32  `json:"pad_id"`
		Type      int32  `json:"pad_type_id"`
		Token     string `json:"pad_token"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fmt.Errorf("padding: %w", explain(err))
	}
	p := &padding{Direction: c.Direction, Multiple: deref(c.Multiple), ID: c.ID, Type: c.Type, Token: c.Token}
	var name string
	var fixed struct{ Fixed *int }
	switch {
	case json.Unmarshal(c.Strategy, &name) == nil && name == "BatchLongest":
	case json.Unmarshal(c.Strategy, &fixed) == nil && fixed.Fixed != nil:
		p.Fixed = *fixed.Fixed
	default:
		return nil, fmt.Errorf("padding: strategy: unknown %s (known: \"BatchLongest\", {\"Fixed\": n})", clip(c.Strategy))
	}
	if c.Direction != "Left" && c.Direction != "Right" {
		return nil, fmt.Errorf("padding: direction: unknown %q (known: Left, Right)", c.Direction)
	}
	if p.Fixed < 0 || p.Fixed > maxSize || p.Multiple < 0 || p.Multiple > maxSize {
		return nil, fmt.Errorf("padding: a length is negative or more than %d", maxSize)
	}
	return p, nil
}

// JSON gives the tokenizer as the content of a tokenizer.json for Hugging Face's tokenizers
// and transformers. The same tokenizer always gives the same bytes. Merges are written as
// "a b", which every version of those libraries reads, unless a piece contains a blank.
func (p *Pipeline) JSON() []byte { return p.json(p.file.PostProcessor) }

// Framed is JSON with another post-processor, which adds the tokens before and after to a
// text instead of those that the present one adds; "": none. Where joined is set, the second
// of two texts gets no token before it, as for BERT; else both get the same.
func (p *Pipeline) Framed(before, after string, joined bool) ([]byte, error) {
	post := p.file.PostProcessor
	first, last := p.Frame()
	if len(first)+len(last) > 0 {
		post = nil
	}
	id := func(name string) (int32, bool) { return p.Special(name) }
	var around json.RawMessage
	var err error
	if joined && before != "" && after != "" {
		around, err = bertTemplate(before, after, id)
	} else {
		around, err = surround(before, after, id)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("tokenizer: %w", err)
	case around == nil:
	case isNull(post):
		post = around
	default: // it trims offsets
		post = sequence("processors", []string{string(post), string(around)})
	}
	return p.json(post), nil
}

func (p *Pipeline) json(post json.RawMessage) []byte {
	var b bytes.Buffer
	b.WriteString("{\n  \"version\": \"1.0\"")
	section := func(name string, raw json.RawMessage) {
		fmt.Fprintf(&b, ",\n  %q: ", name)
		if isNull(raw) {
			b.WriteString("null")
			return
		}
		if err := json.Indent(&b, bytes.TrimSpace(raw), "  ", "  "); err != nil {
			panic(err) // it was read, or written here
		}
	}
	section("truncation", p.file.Truncation)
	section("padding", p.file.Padding)
	b.WriteString(",\n  \"added_tokens\": [")
	for i, a := range p.added {
		comma(&b, i)
		fmt.Fprintf(&b, "\n    {\n      \"id\": %d,\n      \"content\": %s,\n      \"single_word\": %t,\n"+
			"      \"lstrip\": %t,\n      \"rstrip\": %t,\n      \"normalized\": %t,\n      \"special\": %t\n    }",
			a.ID, quote(a.Content), a.SingleWord, a.LStrip, a.RStrip, a.Normalized, a.Special)
	}
	b.WriteString("\n  ]")
	section("normalizer", p.file.Normalizer)
	section("pre_tokenizer", p.file.PreTokenizer)
	section("post_processor", post)
	section("decoder", p.file.Decoder)
	b.WriteString(",\n  \"model\": {\n    \"type\": ")
	switch m := p.model.(type) {
	case *bpe:
		p.writeBPE(&b, m)
	case *unigram:
		fmt.Fprintf(&b, "\"Unigram\",\n    \"unk_id\": %d,\n    \"vocab\": [", m.unk)
		for id, piece := range m.pieces {
			comma(&b, id)
			fmt.Fprintf(&b, "\n      [%s, %s]", quote(piece), writeScore(m.scores[id]))
		}
		fmt.Fprintf(&b, "\n    ],\n    \"byte_fallback\": %t", m.fallback)
	case *wordPiece:
		fmt.Fprintf(&b, "\"WordPiece\",\n    \"unk_token\": %s,\n    \"continuing_subword_prefix\": %s,\n    \"max_input_chars_per_word\": %d",
			quote(m.unkToken), quote(m.prefix), m.maxRune)
		p.writeVocab(&b)
	case *wordLevel:
		fmt.Fprintf(&b, "\"WordLevel\",\n    \"unk_token\": %s", quote(m.unkToken))
		p.writeVocab(&b)
	}
	b.WriteString("\n  }\n}\n")
	return b.Bytes()
}

func (p *Pipeline) writeBPE(b *bytes.Buffer, m *bpe) {
	optional := func(s string) string {
		if s == "" {
			return "null"
		}
		return quote(s)
	}
	fmt.Fprintf(b, "\"BPE\",\n    \"dropout\": null,\n    \"unk_token\": %s,\n    \"continuing_subword_prefix\": %s,\n    \"end_of_word_suffix\": %s,\n"+
		"    \"fuse_unk\": %t,\n    \"byte_fallback\": %t,\n    \"ignore_merges\": %t",
		optional(deref(m.unkToken)), optional(m.prefix), optional(m.suffix), m.fuse, m.fallbackAsked, m.ignoreMerges)
	p.writeVocab(b)
	b.WriteString(",\n    \"merges\": [")
	spaced := slices.ContainsFunc(m.merges, func(m [2]int32) bool {
		return strings.Contains(p.tokens[m[0]].piece+p.tokens[m[1]].piece, " ")
	})
	for i, pair := range m.merges {
		comma(b, i)
		left, right := p.tokens[pair[0]].piece, p.tokens[pair[1]].piece
		if spaced {
			fmt.Fprintf(b, "\n      [%s, %s]", quote(left), quote(right))
		} else {
			fmt.Fprintf(b, "\n      %s", quote(left+" "+right))
		}
	}
	b.WriteString("\n    ]")
}

// writeVocab writes the model's tokens: all but those that were only added.
func (p *Pipeline) writeVocab(b *bytes.Buffer) {
	b.WriteString(",\n    \"vocab\": {")
	n := 0
	for id, t := range p.tokens {
		if a := p.byName[t.piece]; t.present && (a == nil || a.inVocab) {
			comma(b, n)
			fmt.Fprintf(b, "\n      %s: %d", quote(t.piece), id)
			n++
		}
	}
	b.WriteString("\n    }")
}

func comma(b *bytes.Buffer, i int) {
	if i > 0 {
		b.WriteByte(',')
	}
}

func quote(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(err) // strings always encode
	}
	return strings.TrimSuffix(b.String(), "\n")
}
