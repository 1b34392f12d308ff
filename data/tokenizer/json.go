package tokenizer

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// maxSize bounds ids. Those of a file may have holes, but not so many that a
// damaged one asks for all memory.
const maxSize = 1 << 22

// file is tokenizer.json, as Hugging Face's tokenizers 0.23 writes it and older
// versions did. Components that are kept raw differ by their "type".
type file struct {
	AddedTokens   []fileToken     `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         json.RawMessage `json:"model"`
}

type fileToken struct {
	ID         int64  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

type fileBPE struct {
	Dropout                 *float64          `json:"dropout"`
	ContinuingSubwordPrefix string            `json:"continuing_subword_prefix"`
	EndOfWordSuffix         string            `json:"end_of_word_suffix"`
	IgnoreMerges            bool              `json:"ignore_merges"`
	Vocab                   map[string]int64  `json:"vocab"`
	Merges                  []json.RawMessage `json:"merges"`
}

// Read reads a Hugging Face tokenizer.json of GPT-2's kind: model BPE with all
// 256 bytes in its vocabulary, pre_tokenizer and decoder ByteLevel, no
// normalizer. What would give other ids than Hugging Face is refused by name.
// The sections truncation and padding do not concern a tokenizer here and are
// ignored.
func Read(path string) (*BPE, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	t, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", path, err)
	}
	return t, nil
}

func parse(data []byte) (*BPE, error) {
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, explain(err)
	}
	if _, err := component("normalizer", f.Normalizer, "null"); err != nil {
		return nil, err
	}
	if _, err := component("pre_tokenizer", f.PreTokenizer, "ByteLevel"); err != nil {
		return nil, err
	}
	level := struct {
		AddPrefixSpace bool `json:"add_prefix_space"`
		UseRegex       bool `json:"use_regex"`
	}{true, true}
	if err := json.Unmarshal(f.PreTokenizer, &level); err != nil {
		return nil, fmt.Errorf("pre_tokenizer: %w", explain(err))
	}
	if level.AddPrefixSpace || !level.UseRegex {
		return nil, errors.New("pre_tokenizer: ByteLevel needs add_prefix_space false and use_regex true")
	}
	if _, err := component("post_processor", f.PostProcessor, "null", "ByteLevel"); err != nil {
		return nil, err
	}
	if _, err := component("decoder", f.Decoder, "ByteLevel"); err != nil {
		return nil, err
	}
	kind, err := component("model", f.Model, "BPE", "")
	if err != nil {
		return nil, err
	}
	var m fileBPE
	if err := json.Unmarshal(f.Model, &m); err != nil {
		return nil, fmt.Errorf("model: %w", explain(err))
	}
	if kind == "" && (m.Vocab == nil || m.Merges == nil) {
		return nil, errors.New("model: no type, and not the vocab and merges of BPE")
	}
	t, err := newBPE(&m, f.AddedTokens)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// component checks the type of a section against those known: "null" is a
// missing section, "" one without a type.
func component(name string, raw json.RawMessage, known ...string) (string, error) {
	kind := "null"
	if s := string(raw); s != "" && s != "null" {
		var c struct{ Type string }
		if err := json.Unmarshal(raw, &c); err != nil {
			return "", fmt.Errorf("%s: %w", name, explain(err))
		}
		kind = c.Type
	}
	if slices.Contains(known, kind) {
		return kind, nil
	}
	list := strings.Join(slices.DeleteFunc(slices.Clone(known), func(s string) bool { return s == "" }), ", ")
	if kind == "null" {
		return "", fmt.Errorf("%s: missing (known: %s)", name, list)
	}
	return "", fmt.Errorf("%s: unknown type %q (known: %s)", name, kind, list)
}

// explain rewords errors of encoding/json: with the position, without our types.
func explain(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("byte %d: %w", syntax.Offset, err)
	}
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return fmt.Errorf("%s: a JSON %s cannot be read as %s", cmp.Or(kind.Field, "value"), kind.Value, kind.Type)
	}
	return err
}

func newBPE(m *fileBPE, addedTokens []fileToken) (*BPE, error) {
	switch {
	case m.Dropout != nil && *m.Dropout != 0:
		return nil, fmt.Errorf("model: dropout %g is not supported (known: null)", *m.Dropout)
	case m.ContinuingSubwordPrefix != "":
		return nil, fmt.Errorf("model: continuing_subword_prefix %q is not supported", m.ContinuingSubwordPrefix)
	case m.EndOfWordSuffix != "":
		return nil, fmt.Errorf("model: end_of_word_suffix %q is not supported", m.EndOfWordSuffix)
	}
	t := &BPE{ignoreMerges: m.IgnoreMerges}

	// Sorted, so that of several faults always the same one is reported.
	pieces := make([]string, 0, len(m.Vocab))
	for piece := range m.Vocab {
		pieces = append(pieces, piece)
	}
	slices.SortFunc(pieces, func(a, b string) int {
		return cmp.Or(cmp.Compare(m.Vocab[a], m.Vocab[b]), cmp.Compare(a, b))
	})
	limit := min(maxSize, 1024+4*int64(len(m.Vocab)+len(addedTokens)))
	place := func(piece string, id int64) error {
		if id < 0 || id >= limit {
			return fmt.Errorf("id %d of %q is outside 0 to %d", id, piece, limit-1)
		}
		for int64(len(t.tokens)) <= id {
			t.tokens = append(t.tokens, token{})
		}
		if t.tokens[id].present {
			return fmt.Errorf("id %d is given to %q and %q", id, t.tokens[id].piece, piece)
		}
		text, ok := unspell(piece)
		if !ok {
			text = piece
		}
		t.tokens[id] = token{text, piece, true}
		return nil
	}
	for _, piece := range pieces {
		if err := place(piece, m.Vocab[piece]); err != nil {
			return nil, fmt.Errorf("model: vocab: %w", err)
		}
	}
	for b, r := range byteRune {
		id, ok := m.Vocab[string(r)]
		if !ok {
			return nil, fmt.Errorf("model: vocab: no token %q for byte 0x%02x: not byte-level, or trained without the whole alphabet", string(r), b)
		}
		t.bytes[b] = int32(id)
	}

	merged := make([]int32, 0, len(m.Merges))
	for i, raw := range m.Merges {
		pair, err := mergePair(raw)
		if err != nil {
			return nil, fmt.Errorf("model: merges: entry %d: %w", i, err)
		}
		var ids [3]int32
		for k, piece := range [3]string{pair[0], pair[1], pair[0] + pair[1]} {
			id, ok := m.Vocab[piece]
			if !ok {
				return nil, fmt.Errorf("model: merges: entry %d: %q is not in the vocabulary", i, piece)
			}
			ids[k] = int32(id)
		}
		t.merges = append(t.merges, [2]int32(ids[:2]))
		merged = append(merged, ids[2])
	}
	t.merges, merged = lastMerges(t.merges, merged)
	spelled := make(map[int32]bool, 256+len(merged)) // tokens that ordinary text can give
	for _, id := range slices.Concat(t.bytes[:], merged) {
		spelled[id] = true
	}

	names := make(map[string]bool, len(addedTokens))
	for i, a := range addedTokens {
		switch id, inVocab := m.Vocab[a.Content]; {
		case a.Content == "":
			return nil, fmt.Errorf("added_tokens: entry %d: empty content", i)
		case names[a.Content]:
			return nil, fmt.Errorf("added_tokens: entry %d: %q is given twice", i, a.Content)
		case a.SingleWord:
			return nil, fmt.Errorf("added_tokens: entry %d: %q: single_word is not supported", i, a.Content)
		case inVocab && id != a.ID:
			return nil, fmt.Errorf("added_tokens: entry %d: %q has id %d, but %d in the vocabulary", i, a.Content, a.ID, id)
		case !inVocab:
			if err := place(a.Content, a.ID); err != nil {
				return nil, fmt.Errorf("added_tokens: entry %d: %w", i, err)
			}
			fallthrough
		default:
			names[a.Content] = true
			if !spelled[int32(a.ID)] {
				t.tokens[a.ID].text = a.Content // it stands for itself, in no alphabet
			}
			t.added = append(t.added, &added{a.Content, int32(a.ID), a.LStrip, a.RStrip, a.Normalized, a.Special, inVocab})
		}
	}
	slices.SortFunc(t.added, func(a, b *added) int { return cmp.Compare(a.id, b.id) })
	t.build(merged)
	return t, nil
}

// mergePair reads "a b", the older form, or ["a", "b"].
func mergePair(raw json.RawMessage) (pair [2]string, err error) {
	if raw[0] == '"' {
		var line string
		if err := json.Unmarshal(raw, &line); err != nil {
			return pair, err
		}
		left, right, ok := strings.Cut(line, " ")
		if !ok || left == "" || right == "" || strings.Contains(right, " ") {
			return pair, fmt.Errorf("%q is not two pieces with a space between", line)
		}
		return [2]string{left, right}, nil
	}
	var list []string
	if json.Unmarshal(raw, &list) != nil || len(list) != 2 {
		return pair, fmt.Errorf("%s is neither \"a b\" nor [\"a\", \"b\"]", clip(raw))
	}
	return [2]string(list), nil
}

func clip(raw []byte) []byte {
	if len(raw) > 40 {
		return append(raw[:40:40], "..."...)
	}
	return raw
}

// JSON gives the tokenizer as tokenizer.json, for Hugging Face's tokenizers and
// transformers; the same tokenizer gives the same bytes. Merges are written
// "a b", which every version of those libraries reads, where that is possible.
func (t *BPE) JSON() []byte {
	var b bytes.Buffer
	b.WriteString("{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": [")
	for i, a := range t.added {
		comma(&b, i)
		fmt.Fprintf(&b, "\n    {\n      \"id\": %d,\n      \"content\": %s,\n      \"single_word\": false,\n"+
			"      \"lstrip\": %t,\n      \"rstrip\": %t,\n      \"normalized\": %t,\n      \"special\": %t\n    }",
			a.id, quote(a.content), a.lstrip, a.rstrip, a.normalized, a.special)
	}
	b.WriteString(`
  ],
  "normalizer": null,
  "pre_tokenizer": {
    "type": "ByteLevel",
    "add_prefix_space": false,
    "trim_offsets": true,
    "use_regex": true
  },
  "post_processor": null,
  "decoder": {
    "type": "ByteLevel",
    "add_prefix_space": true,
    "trim_offsets": true,
    "use_regex": true
  },
  "model": {
    "type": "BPE",
    "dropout": null,
    "unk_token": null,
    "continuing_subword_prefix": null,
    "end_of_word_suffix": null,
    "fuse_unk": false,
    "byte_fallback": false,
    "ignore_merges": ` + strconv.FormatBool(t.ignoreMerges) + `,
    "vocab": {`)
	outside := make(map[int32]bool)
	for _, a := range t.added {
		outside[a.id] = !a.inVocab
	}
	n := 0
	for id, tok := range t.tokens {
		if tok.present && !outside[int32(id)] {
			comma(&b, n)
			fmt.Fprintf(&b, "\n      %s: %d", quote(tok.piece), id)
			n++
		}
	}
	b.WriteString("\n    },\n    \"merges\": [")
	spaced := slices.ContainsFunc(t.merges, func(m [2]int32) bool {
		return strings.Contains(t.tokens[m[0]].piece+t.tokens[m[1]].piece, " ")
	})
	for i, m := range t.merges {
		comma(&b, i)
		left, right := t.tokens[m[0]].piece, t.tokens[m[1]].piece
		if spaced {
			fmt.Fprintf(&b, "\n      [%s, %s]", quote(left), quote(right))
		} else {
			fmt.Fprintf(&b, "\n      %s", quote(left+" "+right))
		}
	}
	b.WriteString("\n    ]\n  }\n}\n")
	return b.Bytes()
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
