package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// pretokenizer cuts a text and passes each part to the next stage with e.stage.
type pretokenizer interface {
	cut(e *encoder, t text, stage int)
}

var pretokenizerNames = []string{"BertPreTokenizer", "ByteLevel", "CharDelimiterSplit", "Digits", "FixedLength", "Metaspace", "Punctuation", "Sequence", "Split", "UnicodeScripts", "Whitespace", "WhitespaceSplit"}

// parsePretokenizer appends the stages of a section to list.
func parsePretokenizer(list []pretokenizer, raw json.RawMessage, depth int) ([]pretokenizer, error) {
	if isNull(raw) {
		return list, nil
	}
	kind, err := component("pre_tokenizer", raw, pretokenizerNames)
	if err != nil {
		return nil, err
	}
	c := struct {
		Pretokenizers []json.RawMessage
		PrefixSpace   *bool `json:"add_prefix_space"`
		UseRegex      bool  `json:"use_regex"`
		Delimiter     *string
		Individual    bool `json:"individual_digits"`
		Length        int
		Behavior      string
		Pattern       json.RawMessage
		Invert        bool
		metaspace
	}{UseRegex: true, Length: 5, Behavior: "Isolated"}
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fmt.Errorf("pre_tokenizer: %s: %w", kind, explain(err))
	}
	switch kind {
	case "BertPreTokenizer":
		list = append(list, split{class(charSpace), removed, false}, split{class(charPunct), isolated, false})
	case "ByteLevel":
		if c.PrefixSpace == nil {
			return nil, errors.New("pre_tokenizer: ByteLevel: no add_prefix_space")
		}
		if *c.PrefixSpace {
			list = append(list, prefixSpace{})
		}
		if c.UseRegex {
			list = append(list, scanners[gpt2Pattern])
		}
		list = append(list, spellBytes{})
	case "CharDelimiterSplit":
		if c.Delimiter == nil || utf8.RuneCountInString(*c.Delimiter) != 1 {
			return nil, errors.New("pre_tokenizer: CharDelimiterSplit: delimiter is not one character")
		}
		list = append(list, split{literal(*c.Delimiter), removed, false})
	case "Digits":
		if c.Individual {
			list = append(list, split{class(charNumber), isolated, false})
		} else {
			list = append(list, split{class(charNumber), contiguous, false})
		}
	case "FixedLength":
		if c.Length < 1 {
			return nil, fmt.Errorf("pre_tokenizer: FixedLength: length %d is not positive", c.Length)
		}
		list = append(list, fixedLength(c.Length))
	case "Metaspace":
		if err := c.check(); err != nil {
			return nil, fmt.Errorf("pre_tokenizer: Metaspace: %w", err)
		}
		list = append(list, c.metaspace)
		if c.Split == nil || *c.Split {
			list = append(list, split{literal(c.Replacement), mergedWithNext, false})
		}
	case "Punctuation", "Split":
		b, err := parseBehavior(c.Behavior)
		if err != nil {
			return nil, fmt.Errorf("pre_tokenizer: %s: %w", kind, err)
		}
		if kind == "Punctuation" {
			list = append(list, split{class(charPunct), b, false})
			break
		}
		p, err := parsePattern(c.Pattern)
		if err != nil {
			return nil, fmt.Errorf("pre_tokenizer: Split: %w", err)
		}
		if s, ok := p.(scanner); ok && (b == isolated || b == removed && c.Invert) {
			list = append(list, s) // its matches cover the whole text
		} else {
			list = append(list, split{p, b, c.Invert})
		}
	case "UnicodeScripts":
		list = append(list, byScript{})
	case "Whitespace":
		list = append(list, split{words{}, removed, true})
	case "WhitespaceSplit":
		list = append(list, split{class(charSpace), removed, false})
	case "Sequence":
		if depth > maxDepth {
			return nil, errors.New("pre_tokenizer: sequences nested too deeply")
		}
		for _, r := range c.Pretokenizers {
			if list, err = parsePretokenizer(list, r, depth+1); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

// cut of a scanner gives its pieces.
func (p scanner) cut(e *encoder, t text, stage int) {
	if t.at == nil && stage+1 == len(e.p.pre) {
		for i := 0; i < len(t.s); {
			j := p.end(t.s, i)
			e.word(t.s[i:j])
			i = j
		}
		return
	}
	for i := 0; i < len(t.s); {
		j := p.end(t.s, i)
		e.stage(t.slice(i, j), stage+1)
		i = j
	}
}

// split cuts at a pattern.
type split struct {
	pattern  pattern
	behavior behavior
	invert   bool
}

func (p split) cut(e *encoder, t text, stage int) {
	list := pieces(e.pieces[stage][:0], t.s, p.pattern, p.behavior, p.invert)
	e.pieces[stage] = list
	for _, x := range list {
		e.stage(t.slice(x.start, x.end), stage+1)
	}
}

// prefixSpace puts a blank before a text that does not begin with one.
type prefixSpace struct{}

func (prefixSpace) cut(e *encoder, t text, stage int) {
	if t.s[0] != ' ' {
		ed := e.editor(stage)
		ed.begin(t)
		ed.prepend(" ")
		t = ed.done()
	}
	e.stage(t, stage+1)
}

// spellBytes writes bytes as printable characters.
type spellBytes struct{}

func (spellBytes) cut(e *encoder, t text, stage int) {
	e.stage(byteSpelling{}.normalize(t, e.editor(stage)), stage+1)
}

// metaspace replaces blanks by a visible character.
type metaspace struct {
	Replacement string
	Scheme      string `json:"prepend_scheme"`
	Split       *bool
}

func (p *metaspace) check() error {
	if utf8.RuneCountInString(p.Replacement) != 1 {
		return errors.New("replacement is not one character")
	}
	switch p.Scheme {
	case "":
		p.Scheme = "always"
	case "always", "first", "never":
	default:
		return fmt.Errorf("prepend_scheme: unknown %q (known: always, first, never)", p.Scheme)
	}
	return nil
}

func (p metaspace) cut(e *encoder, t text, stage int) {
	add := p.Scheme == "always" || p.Scheme == "first" && t.start == 0
	// A text that begins with a blank will begin with the replacement.
	add = add && t.s[0] != ' ' && !strings.HasPrefix(t.s, p.Replacement)
	if !add && strings.IndexByte(t.s, ' ') < 0 {
		e.stage(t, stage+1)
		return
	}
	ed := e.editor(stage)
	ed.begin(t)
	if add {
		ed.s = append(ed.s, p.Replacement...)
		if t.at != nil {
			for range len(p.Replacement) {
				ed.at = append(ed.at, t.at[0])
			}
		}
	}
	for {
		n := strings.IndexByte(t.s[ed.pos:], ' ')
		if n < 0 {
			break
		}
		ed.copyTo(ed.pos + n)
		ed.replaceTo(ed.pos+1, p.Replacement)
	}
	ed.copyTo(len(t.s))
	e.stage(ed.done(), stage+1)
}

// fixedLength cuts into parts of so many characters.
type fixedLength int

func (p fixedLength) cut(e *encoder, t text, stage int) {
	for i := 0; i < len(t.s); {
		j := i
		for k := 0; k < int(p) && j < len(t.s); k++ {
			_, n := decodeRune(t.s, j)
			j += n
		}
		e.stage(t.slice(i, j), stage+1)
		i = j
	}
}

// byScript cuts between scripts, where Han, Hiragana and Katakana count as one. Characters
// before the first one that has a script are lost, as in the library.
type byScript struct{}

func (byScript) cut(e *encoder, t text, stage int) {
	start, last := -1, uint8(0)
	for i := 0; i < len(t.s); {
		r, n := decodeRune(t.s, i)
		if k := script(r); k != 0 && k != last {
			if start >= 0 {
				e.stage(t.slice(start, i), stage+1)
			}
			start, last = i, k
		}
		i += n
	}
	if start >= 0 {
		e.stage(t.slice(start, len(t.s)), stage+1)
	}
}
