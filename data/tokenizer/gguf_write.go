package tokenizer

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"hone/checkpoint/gguf"
)

// GGUF is what a GGUF file says about a tokenizer in addition to its rules.
type GGUF struct {
	Rows         int               // of the model's embedding, at least Size; 0: Size
	Roles        map[string]string // tokens by transformers' names of roles: "eos_token": "</s>"
	ChatTemplate string            // "": none
}

// GGUF gives the keys tokenizer.* of a GGUF file, with which llama.cpp and FromGGUF give the
// same ids as this tokenizer. It supports byte-level BPE, and SentencePiece's BPE with byte
// fallback. What the keys cannot express is refused by name; such an error means that the
// tokenizer cannot be exported (exit code 2).
func (p *Pipeline) GGUF(g GGUF) ([]gguf.Key, error) {
	keys, err := p.gguf(g)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: gguf: %w", err)
	}
	return keys, nil
}

func (p *Pipeline) gguf(g GGUF) ([]gguf.Key, error) {
	m, ok := p.model.(*bpe)
	switch {
	case !ok || m.bytes == nil && m.fallback == nil:
		return nil, fmt.Errorf("a tokenizer of kind %s cannot be written (known: byte_bpe, and bpe with byte_fallback)", p.Info().Kind)
	case p.truncation != nil:
		return nil, errors.New("there is no key for truncation")
	case p.padding != nil:
		return nil, errors.New("there is no key for padding")
	case g.Rows != 0 && g.Rows < p.Size():
		return nil, fmt.Errorf("%d rows are too few for %d tokens", g.Rows, p.Size())
	}
	tokens, types := make([]string, max(g.Rows, p.Size())), make([]int32, max(g.Rows, p.Size()))
	for id := range tokens {
		tokens[id], types[id] = p.Token(int32(id)), pieceNormal
		if tokens[id] == "" {
			tokens[id], types[id] = fmt.Sprintf("[PAD%d]", id), pieceUnused
		}
	}
	for _, a := range p.added {
		switch {
		case a.LStrip || a.RStrip || a.SingleWord:
			return nil, fmt.Errorf("the added token %q has lstrip, rstrip or single_word, for which there is no key", a.Content)
		case a.match != a.Content:
			return nil, fmt.Errorf("the added token %q is matched as %q in normalized text, for which there is no key", a.Content, a.match)
		}
		if types[a.ID] = pieceUser; a.Special {
			types[a.ID] = pieceControl
		}
	}
	write := p.writeByteLevel
	if m.bytes == nil {
		write = p.writeSentencePiece
	}
	keys, err := write(m, tokens, types)
	if err != nil {
		return nil, err
	}
	more, err := p.ggufFrame(g)
	if err != nil {
		return nil, err
	}
	keys = append(keys, more...)
	if g.ChatTemplate != "" {
		keys = append(keys, gguf.Key{Name: "tokenizer.chat_template", Value: g.ChatTemplate})
	}
	return keys, nil
}

// ggufFrame gives the keys of roles, and of the tokens that are added to every text.
func (p *Pipeline) ggufFrame(g GGUF) (keys []gguf.Key, err error) {
	ids := map[string]int32{}
	for _, role := range sortedKeys(g.Roles) {
		i := slices.IndexFunc(ggufRoles, func(r ggufRole) bool { return r.role == role })
		if i < 0 {
			return nil, fmt.Errorf("there is no key for the role %s", role)
		}
		id := int32(slices.IndexFunc(p.tokens, func(t token) bool { return t.present && t.piece == g.Roles[role] }))
		if id < 0 {
			return nil, fmt.Errorf("%s %q is not in the vocabulary", role, g.Roles[role])
		}
		ids[role] = id
	}
	before, after := p.Frame()
	for _, side := range []struct {
		role, key string
		ids       []int32
	}{{"bos_token", "add_bos_token", before}, {"eos_token", "add_eos_token", after}} {
		id, named := ids[side.role]
		switch {
		case len(side.ids) > 1:
			return nil, fmt.Errorf("the post-processor adds %d tokens, but %s stands for one", len(side.ids), side.key)
		case len(side.ids) == 1 && named && side.ids[0] != id:
			return nil, fmt.Errorf("the post-processor adds %q, but %s is %q", p.Token(side.ids[0]), side.role, p.Token(id))
		case len(side.ids) == 1:
			ids[side.role] = side.ids[0]
		}
		keys = append(keys, gguf.Key{Name: ggufPrefix + side.key, Value: len(side.ids) == 1})
	}
	for _, r := range ggufRoles {
		if id, ok := ids[r.role]; ok {
			keys = append(keys, gguf.Key{Name: ggufPrefix + r.key + "_token_id", Value: uint32(id)})
		}
	}
	return keys, nil
}

func (p *Pipeline) writeByteLevel(m *bpe, tokens []string, types []int32) ([]gguf.Key, error) {
	name := ""
	for i := range ggufPres {
		pre := &ggufPres[i]
		if name == "" && pre.ignoreMerges == m.ignoreMerges && p.cutsAs(pre) {
			name, _, _ = strings.Cut(pre.names, " ")
		}
	}
	if name == "" {
		info := p.Info()
		return nil, fmt.Errorf("no value of tokenizer.ggml.pre stands for the normalizer %q with the pre-tokenizer %q and ignore_merges %t", info.Normalizer, info.PreTokenizer, m.ignoreMerges)
	}
	merges := make([]string, len(m.merges))
	for i, pair := range m.merges {
		left, right := p.tokens[pair[0]].piece, p.tokens[pair[1]].piece
		if strings.Contains(left+right, " ") {
			return nil, fmt.Errorf("merges: entry %d: %q contains a blank, which cannot be written", i, left+right)
		}
		merges[i] = left + " " + right
	}
	return []gguf.Key{
		{Name: ggufPrefix + "model", Value: "gpt2"},
		{Name: ggufPrefix + "pre", Value: name},
		{Name: ggufPrefix + "tokens", Value: tokens},
		{Name: ggufPrefix + "token_type", Value: types},
		{Name: ggufPrefix + "merges", Value: merges},
	}, nil
}

// cutsAs reports whether the tokenizer normalizes and cuts texts as a pre-tokenizer of GGUF.
func (p *Pipeline) cutsAs(pre *ggufPre) bool {
	norm, err1 := parseNormalizer(nil, []byte(pre.normalizer), 0)
	stages, err2 := parsePretokenizer(nil, pre.section(), 0)
	if err1 != nil || err2 != nil {
		panic(errors.Join(err1, err2)) // the table is in this package
	}
	if len(norm) != len(p.norm) || len(stages)-1 != len(p.pre) { // the last one spells bytes, which the model does
		return false
	}
	for i, n := range norm {
		if n != p.norm[i] {
			return false
		}
	}
	for i, s := range p.pre {
		if outlineOf(s) != outlineOf(stages[i]) {
			return false
		}
	}
	return true
}

// outlineOf tells stages of a pre-tokenizer apart.
func outlineOf(s pretokenizer) string {
	switch s := s.(type) {
	case scanner:
		return fmt.Sprintf("scanner %d", s.digits)
	case split:
		pattern := fmt.Sprintf("%T %v", s.pattern, s.pattern)
		if c, ok := s.pattern.(scanner); ok {
			pattern = outlineOf(c)
		}
		if e, ok := s.pattern.(expression); ok && e.source == `\p{N}` {
			pattern = fmt.Sprintf("%T %v", class(charNumber), class(charNumber))
		}
		return fmt.Sprintf("split %s %d %t", pattern, s.behavior, s.invert)
	}
	return fmt.Sprintf("%T %v", s, s)
}

func (p *Pipeline) writeSentencePiece(m *bpe, tokens []string, types []int32) ([]gguf.Key, error) {
	prefix, err := p.blankBefore()
	if err != nil {
		return nil, err
	}
	for b, id := range m.fallback {
		if id < 0 {
			return nil, fmt.Errorf("the vocabulary has no token <0x%02X>: a byte could not be encoded", b)
		}
		types[id] = pieceByte
	}
	if m.unk >= 0 {
		types[m.unk] = pieceUnknown
	}
	// SentencePiece merges every pair whose concatenation is a piece, in the order of the
	// pieces' scores. The tokenizer's merges must be the same.
	scores := make([]float32, len(tokens))
	sp := spModel{pieces: tokens, scores: make([]float64, len(tokens))}
	var last int32 = -1
	rank := map[int32]int{}
	for i, pair := range m.merges {
		id := m.pairs.get(pair[0], pair[1]).id
		if _, done := rank[id]; done && id != last {
			return nil, fmt.Errorf("merges: entry %d: %q is the result of an earlier merge of lower rank too, which scores cannot express", i, tokens[id])
		}
		if id != last {
			rank[id] = len(rank)
		}
		last = id
	}
	ids := make(map[string]int64, len(tokens))
	for id, piece := range tokens {
		r, made := rank[int32(id)]
		switch {
		case types[id] == pieceUnused:
			scores[id] = -10000
			continue
		case made:
			scores[id] = -float32(r)
		case types[id] == pieceNormal:
			scores[id] = -float32(len(rank) + id)
		}
		ids[piece] = int64(id)
	}
	all := sp.merges(ids, func(id int) bool { return types[id] == pieceNormal || types[id] == pieceUser }, nil, func(ranked, ranked) int { return 0 })
	if len(all) != len(m.merges) {
		return nil, fmt.Errorf("the vocabulary has %d pairs whose concatenation is a piece, but %d merges: llama.cpp would merge all pairs", len(all), len(m.merges))
	}
	return []gguf.Key{
		{Name: ggufPrefix + "model", Value: "llama"},
		{Name: ggufPrefix + "pre", Value: "default"},
		{Name: ggufPrefix + "tokens", Value: tokens},
		{Name: ggufPrefix + "scores", Value: scores},
		{Name: ggufPrefix + "token_type", Value: types},
		{Name: ggufPrefix + "add_space_prefix", Value: prefix},
	}, nil
}

// blankBefore reports whether a blank is added before every text. It fails unless the tokenizer
// replaces blanks by "▁" and changes nothing else.
func (p *Pipeline) blankBefore() (bool, error) {
	norm, pre := p.norm, p.pre
	prefix := false
	if len(norm) > 0 && norm[0] == (normalizer(prepend{meta})) {
		prefix, norm = true, norm[1:]
	}
	spaces := normalizer(replace{literal(" "), meta})
	replaced := len(norm) == 1 && norm[0] == spaces
	if replaced {
		norm = nil
	}
	if len(pre) == 1 && replaced {
		if pre[0] == (pretokenizer(split{literal(" "), mergedWithPrevious, false})) { // no blank is left to cut at
			pre = nil
		}
	}
	if len(pre) == 1 && !replaced {
		if s, ok := pre[0].(metaspace); ok && s.Scheme == "never" && s.Replacement == meta {
			pre, replaced = nil, true
		}
	}
	if len(norm) > 0 || len(pre) > 0 || !replaced {
		info := p.Info()
		return false, fmt.Errorf("there is no key for the normalizer %q with the pre-tokenizer %q: llama.cpp replaces blanks by \"▁\" and adds one before every text or before none", info.Normalizer, info.PreTokenizer)
	}
	return prefix, nil
}
