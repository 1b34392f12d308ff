package tokenizer

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// normalizer rewrites a text before it is cut. It returns t if nothing changes; else the
// result is in the memory of e.
type normalizer interface {
	normalize(t text, e *editor) text
}

var normalizerNames = []string{"BertNormalizer", "ByteLevel", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Precompiled", "Prepend", "Replace", "Sequence", "Strip", "StripAccents"}

// parseNormalizer appends the steps of a section to list.
func parseNormalizer(list []normalizer, raw json.RawMessage, depth int) ([]normalizer, error) {
	if isNull(raw) {
		return list, nil
	}
	kind, err := component("normalizer", raw, normalizerNames)
	if err != nil {
		return nil, err
	}
	var c struct {
		Normalizers  []json.RawMessage
		Clean        *bool `json:"clean_text"`
		Chinese      *bool `json:"handle_chinese_chars"`
		StripAccents *bool `json:"strip_accents"`
		Lowercase    *bool
		Left         *bool `json:"strip_left"`
		Right        *bool `json:"strip_right"`
		Prepend      *string
		Pattern      json.RawMessage
		Content      *string
		Charsmap     *string `json:"precompiled_charsmap"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fmt.Errorf("normalizer: %s: %w", kind, explain(err))
	}
	missing := func(key string) error { return fmt.Errorf("normalizer: %s: no %s", kind, key) }
	switch kind {
	case "BertNormalizer":
		if c.Clean == nil || c.Chinese == nil || c.Lowercase == nil {
			return nil, missing("clean_text, handle_chinese_chars or lowercase")
		}
		if *c.Clean {
			list = append(list, cleanText{})
		}
		if *c.Chinese {
			list = append(list, spaceHan{})
		}
		if c.StripAccents != nil && *c.StripAccents || c.StripAccents == nil && *c.Lowercase {
			list = append(list, normalForm{}, remove{charNonspacing})
		}
		if *c.Lowercase {
			list = append(list, lowercase{})
		}
	case "ByteLevel":
		list = append(list, byteSpelling{})
	case "Lowercase":
		list = append(list, lowercase{})
	case "NFC", "NFD", "NFKC", "NFKD":
		list = append(list, normalForm{compatible: strings.Contains(kind, "K"), compose: strings.HasSuffix(kind, "C")})
	case "Nmt":
		list = append(list, nmt{})
	case "Precompiled":
		if c.Charsmap == nil {
			return nil, missing("precompiled_charsmap")
		}
		data, err := base64.StdEncoding.DecodeString(*c.Charsmap)
		if err != nil {
			return nil, fmt.Errorf("normalizer: Precompiled: precompiled_charsmap: %w", err)
		}
		m, err := newCharsmap(data)
		if err != nil {
			return nil, fmt.Errorf("normalizer: Precompiled: %w", err)
		}
		list = append(list, m)
	case "Prepend":
		if c.Prepend == nil {
			return nil, missing("prepend")
		}
		list = append(list, prepend{*c.Prepend})
	case "Replace":
		if c.Content == nil {
			return nil, missing("content")
		}
		p, err := parsePattern(c.Pattern)
		if err != nil {
			return nil, fmt.Errorf("normalizer: Replace: %w", err)
		}
		list = append(list, replace{p, *c.Content})
	case "Strip":
		if c.Left == nil || c.Right == nil {
			return nil, missing("strip_left or strip_right")
		}
		list = append(list, strip{*c.Left, *c.Right})
	case "StripAccents":
		list = append(list, remove{charMark})
	case "Sequence":
		if depth > maxDepth {
			return nil, errors.New("normalizer: sequences nested too deeply")
		}
		for _, r := range c.Normalizers {
			if list, err = parseNormalizer(list, r, depth+1); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

// maxDepth bounds sequences within sequences.
const maxDepth = 16

// filter writes the characters of t that keep accepts, mapped by m.
func filter(t text, e *editor, keep func(rune) bool, m func(rune) rune) text {
	e.begin(t)
	removed, pending := 0, false
	var last rune
	for i := 0; i < len(t.s); {
		r, n := decodeRune(t.s, i)
		i += n
		if !keep(r) {
			removed++
			continue
		}
		if pending {
			e.put(last, -removed)
		} else {
			e.skip(removed)
		}
		last, pending, removed = m(r), true, 0
	}
	if pending {
		e.put(last, -removed)
	}
	return e.done()
}

func same(r rune) rune { return r }

// remove drops the characters that have a property.
type remove struct{ property uint8 }

func (n remove) normalize(t text, e *editor) text {
	if !hasProperty(t.s, n.property) {
		return t
	}
	return filter(t, e, func(r rune) bool { return properties(r)&n.property == 0 }, same)
}

// hasProperty tells whether some character of s has one of the properties.
func hasProperty(s string, mask uint8) bool {
	for i := 0; i < len(s); {
		r, n := decodeRune(s, i)
		if properties(r)&mask != 0 {
			return true
		}
		i += n
	}
	return false
}

// cleanText drops control characters and makes all white space blanks.
type cleanText struct{}

func (cleanText) normalize(t text, e *editor) text {
	clean := true
	for i := 0; i < len(t.s) && clean; i++ {
		clean = ' ' <= t.s[i] && t.s[i] < 0x7f
	}
	if clean {
		return t
	}
	return filter(t, e, func(r rune) bool {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return true
		case r <= 0 || r == 0xfffd:
			return false // NUL, and bytes that are no character
		}
		return properties(r)&charOther == 0
	}, func(r rune) rune {
		if properties(r)&charSpace != 0 {
			return ' '
		}
		return r
	})
}

// spaceHan puts blanks around Chinese characters.
type spaceHan struct{}

func (spaceHan) normalize(t text, e *editor) text {
	found := false
	for i := 0; i < len(t.s) && !found; {
		r, n := decodeRune(t.s, i)
		found = isHan(r)
		i += n
	}
	if !found {
		return t
	}
	e.begin(t)
	for i := 0; i < len(t.s); {
		r, n := decodeRune(t.s, i)
		if isHan(r) {
			e.put(' ', 0)
			e.put(r, 1)
			e.put(' ', 1)
		} else {
			e.put(r, 0)
		}
		i += n
	}
	return e.done()
}

// isHan has BERT's blocks, one of which begins at 0x2b920 for 0x2b820 in the
// library that all agree with.
func isHan(r rune) bool {
	return r >= 0x3400 && (r <= 0x4dbf || 0x4e00 <= r && r <= 0x9fff || 0xf900 <= r && r <= 0xfaff ||
		0x20000 <= r && r <= 0x2a6df || 0x2a700 <= r && r <= 0x2b73f || 0x2b740 <= r && r <= 0x2b81f ||
		0x2b920 <= r && r <= 0x2ceaf || 0x2f800 <= r && r <= 0x2fa1f)
}

type lowercase struct{}

func (lowercase) normalize(t text, e *editor) text {
	changed := false
	for i := 0; i < len(t.s) && !changed; i++ {
		changed = t.s[i] >= 0x80 || 'A' <= t.s[i] && t.s[i] <= 'Z'
	}
	if !changed {
		return t
	}
	e.begin(t)
	for i := 0; i < len(t.s); {
		r, n := decodeRune(t.s, i)
		if r == 0x130 {
			e.put('i', 0)
			e.put(0x307, 1)
		} else {
			e.put(lower(r), 0)
		}
		i += n
	}
	return e.done()
}

// nmt is the cleaning of Google's translation models.
type nmt struct{}

func (nmt) normalize(t text, e *editor) text {
	return filter(t, e, func(r rune) bool {
		return !(1 <= r && r <= 8 || r == 0xb || 0xe <= r && r <= 0x1f || r == 0x7f || r == 0x8f || r == 0x9f)
	}, func(r rune) rune {
		switch {
		case r == 9, r == 10, r == 12, r == 13, r == 0x1680, 0x200b <= r && r <= 0x200f, r == 0x2028, r == 0x2029, r == 0x2581, r == 0xfeff, r == 0xfffd:
			return ' '
		}
		return r
	})
}

type prepend struct{ s string }

func (n prepend) normalize(t text, e *editor) text {
	if t.s == "" {
		return t
	}
	e.begin(t)
	e.prepend(n.s)
	return e.done()
}

type replace struct {
	pattern pattern
	content string
}

func (n replace) normalize(t text, e *editor) text {
	e.begin(t)
	each(n.pattern, t.s, func(start, end int) {
		e.copyTo(start)
		e.replaceTo(end, n.content)
	})
	if e.pos == 0 && len(e.s) == 0 {
		return t
	}
	e.copyTo(len(t.s))
	return e.done()
}

type strip struct{ left, right bool }

func (n strip) normalize(t text, _ *editor) text {
	i, j := 0, len(t.s)
	for n.left && i < j {
		r, size := decodeRune(t.s, i)
		if properties(r)&charSpace == 0 {
			break
		}
		i += size
	}
	for n.right && i < j {
		r, size := lastRune(t.s[:j])
		if properties(r)&charSpace == 0 {
			break
		}
		j -= size
	}
	u := t.slice(i, j)
	u.start = t.start
	return u
}

// byteSpelling writes every byte as a printable character.
type byteSpelling struct{}

func (byteSpelling) normalize(t text, e *editor) text {
	if t.s == "" {
		return t
	}
	e.begin(t)
	for i := 0; i < len(t.s); {
		_, n := decodeRune(t.s, i)
		e.put(byteRune[t.s[i]], 0)
		for j := 1; j < n; j++ {
			e.put(byteRune[t.s[i+j]], 1)
		}
		i += n
	}
	return e.done()
}
