package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// processor finishes encodings of one or two texts.
type processor interface {
	process(list []Encoding, special bool) []Encoding
	// added is the number of tokens that it adds.
	added(pair bool) int
}

var processorNames = []string{"BertProcessing", "ByteLevel", "RobertaProcessing", "Sequence", "TemplateProcessing"}

func addedBy(list []processor, pair bool) int {
	n := 0
	for _, p := range list {
		n += p.added(pair)
	}
	return n
}

// parseProcessor appends the steps of a section to list.
func parseProcessor(list []processor, raw json.RawMessage, depth int) ([]processor, error) {
	if isNull(raw) {
		return list, nil
	}
	kind, err := component("post_processor", raw, processorNames)
	if err != nil {
		return nil, err
	}
	type pair struct {
		token string
		id    int32
	}
	c := struct {
		Processors  []json.RawMessage
		Sep, Cls    []json.RawMessage
		Trim        *bool `json:"trim_offsets"`
		PrefixSpace *bool `json:"add_prefix_space"`
		Single      []json.RawMessage
		Pair        []json.RawMessage
		Special     map[string]struct {
			IDs    []int32
			Tokens []string
		} `json:"special_tokens"`
	}{}
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fmt.Errorf("post_processor: %s: %w", kind, explain(err))
	}
	if (kind == "ByteLevel" || kind == "RobertaProcessing") && (c.Trim == nil || c.PrefixSpace == nil) {
		return nil, fmt.Errorf("post_processor: %s: no trim_offsets or add_prefix_space", kind)
	}
	token := func(name string, raw []json.RawMessage) (p pair, err error) {
		if len(raw) != 2 || json.Unmarshal(raw[0], &p.token) != nil || json.Unmarshal(raw[1], &p.id) != nil || p.id < 0 {
			return p, fmt.Errorf("post_processor: %s: %s is not [token, id]", kind, name)
		}
		return p, nil
	}
	switch kind {
	case "ByteLevel":
		if *c.Trim {
			list = append(list, trim{*c.PrefixSpace})
		}
	case "BertProcessing", "RobertaProcessing":
		cls, err := token("cls", c.Cls)
		if err != nil {
			return nil, err
		}
		sep, err := token("sep", c.Sep)
		if err != nil {
			return nil, err
		}
		begin, end := specialPiece{[]int32{cls.id}, []string{cls.token}}, specialPiece{[]int32{sep.id}, []string{sep.token}}
		t := template{
			single: []templatePiece{{special: &begin}, {}, {special: &end}},
			pair:   []templatePiece{{special: &begin}, {}, {special: &end}, {second: true, kind: 1}, {special: &end, kind: 1}},
			keep:   true,
		}
		if kind == "RobertaProcessing" {
			if *c.Trim {
				list = append(list, trim{*c.PrefixSpace})
			}
			list = append(list, typeZero{})
			t.pair = []templatePiece{{special: &begin}, {}, {special: &end}, {special: &end}, {second: true}, {special: &end}}
		}
		list = append(list, t)
	case "TemplateProcessing":
		var t template
		specials := make(map[string]*specialPiece)
		for name, s := range c.Special {
			if len(s.IDs) != len(s.Tokens) {
				return nil, fmt.Errorf("post_processor: TemplateProcessing: special token %q has %d ids and %d tokens", name, len(s.IDs), len(s.Tokens))
			}
			specials[name] = &specialPiece{s.IDs, s.Tokens}
		}
		if t.single, err = parseTemplate(c.Single, specials); err != nil {
			return nil, fmt.Errorf("post_processor: TemplateProcessing: single: %w", err)
		}
		if t.pair, err = parseTemplate(c.Pair, specials); err != nil {
			return nil, fmt.Errorf("post_processor: TemplateProcessing: pair: %w", err)
		}
		for _, x := range t.single {
			if x.second {
				return nil, errors.New("post_processor: TemplateProcessing: single: has no second sequence B")
			}
		}
		list = append(list, t)
	case "Sequence":
		if depth > maxDepth {
			return nil, errors.New("post_processor: sequences nested too deeply")
		}
		for _, r := range c.Processors {
			if list, err = parseProcessor(list, r, depth+1); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

// trim removes the white space of byte-level tokens from their offsets.
type trim struct{ prefixSpace bool }

func (trim) added(bool) int { return 0 }

func (p trim) process(list []Encoding, _ bool) []Encoding {
	for i := range list {
		p.trim(&list[i])
	}
	return list
}

func (p trim) trim(e *Encoding) {
	blank := func(r rune) bool { return r == byteRune[' '] || properties(r)&charSpace != 0 }
	for i, s := range e.Tokens {
		lead := strings.IndexFunc(s, func(r rune) bool { return !blank(r) })
		trail := 0
		if lead < 0 {
			lead = runeCount(s)
			trail = lead
		} else {
			trail = runeCount(s[lead:]) - runeCount(strings.TrimRightFunc(s[lead:], blank))
			lead = runeCount(s[:lead])
		}
		for _, o := range []*Offset{&e.Chars[i], &e.Bytes[i]} {
			n := lead
			if (i == 0 || o.Start == 0) && p.prefixSpace && n == 1 {
				n = 0 // the blank that the pre-tokenizer added
			}
			if n > 0 {
				o.Start = min(o.Start+n, o.End)
			}
			if trail > 0 && o.End >= trail {
				o.End = max(o.End-trail, o.Start)
			}
		}
	}
	for i := range e.Overflow {
		p.trim(&e.Overflow[i])
	}
}

// typeZero gives every token type 0.
type typeZero struct{}

func (typeZero) added(bool) int { return 0 }

func (typeZero) process(list []Encoding, _ bool) []Encoding {
	for i := range list {
		list[i].setTypes(0)
	}
	return list
}

// template adds special tokens around the texts.
type template struct {
	single, pair []templatePiece
	keep         bool // without special tokens, types do not change
}

type templatePiece struct {
	special *specialPiece // nil: a text
	second  bool          // which
	kind    int32
}

type specialPiece struct {
	ids    []int32
	tokens []string
}

func parseTemplate(raw []json.RawMessage, specials map[string]*specialPiece) ([]templatePiece, error) {
	var list []templatePiece
	for i, r := range raw {
		var x struct {
			Sequence, SpecialToken *struct {
				ID   string
				Type int32 `json:"type_id"`
			}
		}
		if err := json.Unmarshal(r, &x); err != nil {
			return nil, fmt.Errorf("entry %d: %w", i, explain(err))
		}
		switch {
		case x.Sequence != nil && (x.Sequence.ID == "A" || x.Sequence.ID == "B"):
			list = append(list, templatePiece{second: x.Sequence.ID == "B", kind: x.Sequence.Type})
		case x.SpecialToken != nil && specials[x.SpecialToken.ID] != nil:
			list = append(list, templatePiece{special: specials[x.SpecialToken.ID], kind: x.SpecialToken.Type})
		case x.SpecialToken != nil:
			return nil, fmt.Errorf("entry %d: %q is not among special_tokens", i, x.SpecialToken.ID)
		default:
			return nil, fmt.Errorf("entry %d: neither sequence A or B nor a special token", i)
		}
	}
	return list, nil
}

func (t template) added(pair bool) int {
	list := t.single
	if pair {
		list = t.pair
	}
	n := 0
	for _, x := range list {
		if x.special != nil {
			n += len(x.special.ids)
		}
	}
	return n
}

func (t template) process(list []Encoding, special bool) []Encoding {
	if !special && t.keep {
		return list
	}
	pieces := t.single
	if len(list) == 2 {
		pieces = t.pair
	}
	var out []Encoding
	for _, x := range pieces {
		switch {
		case x.special == nil:
			e := list[0]
			if x.second {
				e = list[1]
			}
			e.setTypes(x.kind)
			out = append(out, e)
		case special:
			var e Encoding
			for i, id := range x.special.ids {
				e.append(specialToken(id, x.kind, x.special.tokens[i], false))
			}
			out = append(out, e)
		}
	}
	if len(out) == 0 {
		out = append(out, Encoding{})
	}
	// Later steps get the parts as separate encodings; all are joined at the end.
	return out
}

// part of a template that is written: a special token, or one of the texts.
type templatePart struct {
	token string
	text  string // "A" or "B"
	kind  int
}

// surround gives the post-processor that adds a token before and after every text; "": none. It
// is nil if there is nothing to add.
func surround(before, after string, id func(string) (int32, bool)) (json.RawMessage, error) {
	if before == "" && after == "" {
		return nil, nil
	}
	var list []templatePart
	for kind, text := range []string{"A", "B"} {
		if before != "" {
			list = append(list, templatePart{token: before, kind: kind})
		}
		list = append(list, templatePart{text: text, kind: kind})
		if after != "" {
			list = append(list, templatePart{token: after, kind: kind})
		}
	}
	return writeTemplate(list[:len(list)/2], list, id)
}

// writeTemplate writes a TemplateProcessing.
func writeTemplate(single, pair []templatePart, id func(string) (int32, bool)) (json.RawMessage, error) {
	var specials []string
	for i, p := range pair {
		if p.token == "" || slices.ContainsFunc(pair[:i], func(q templatePart) bool { return q.token == p.token }) {
			continue
		}
		n, ok := id(p.token)
		if !ok {
			return nil, fmt.Errorf("the token %q that is to be added to texts is not in the vocabulary", p.token)
		}
		specials = append(specials, fmt.Sprintf(`%s: {"id": %[1]s, "ids": [%d], "tokens": [%[1]s]}`, quote(p.token), n))
	}
	write := func(list []templatePart) string {
		var parts []string
		for _, p := range list {
			if p.token != "" {
				parts = append(parts, fmt.Sprintf(`{"SpecialToken": {"id": %s, "type_id": %d}}`, quote(p.token), p.kind))
			} else {
				parts = append(parts, fmt.Sprintf(`{"Sequence": {"id": %q, "type_id": %d}}`, p.text, p.kind))
			}
		}
		return strings.Join(parts, ", ")
	}
	return json.RawMessage(fmt.Sprintf(`{"type": "TemplateProcessing", "single": [%s], "pair": [%s], "special_tokens": {%s}}`,
		write(single), write(pair), strings.Join(specials, ", "))), nil
}
