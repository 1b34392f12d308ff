package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decoder turns the spellings of tokens into texts, token by token. Bytes that are
// not valid UTF-8 are kept if raw is set; else they become U+FFFD.
type decoder interface {
	decode(list []string, raw bool) []string
}

var decoderNames = []string{"BPEDecoder", "ByteFallback", "ByteLevel", "CTC", "Fuse", "Metaspace", "Replace", "Sequence", "Strip", "WordPiece"}

// parseDecoder appends the steps of a section to list.
func parseDecoder(list []decoder, raw json.RawMessage, depth int) ([]decoder, error) {
	if isNull(raw) {
		return list, nil
	}
	kind, err := component("decoder", raw, decoderNames)
	if err != nil {
		return nil, err
	}
	var c struct {
		Decoders  []json.RawMessage
		Suffix    *string
		Prefix    *string
		Cleanup   bool
		Pad       *string `json:"pad_token"`
		Delimiter *string `json:"word_delimiter_token"`
		Pattern   json.RawMessage
		Content   *string
		Start     int
		Stop      int
		metaspace
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fmt.Errorf("decoder: %s: %w", kind, explain(err))
	}
	missing := func(key string) error { return fmt.Errorf("decoder: %s: no %s", kind, key) }
	switch kind {
	case "BPEDecoder":
		if c.Suffix == nil {
			return nil, missing("suffix")
		}
		list = append(list, suffixDecoder(*c.Suffix))
	case "ByteFallback":
		list = append(list, fallbackDecoder{})
	case "ByteLevel":
		list = append(list, byteDecoder{})
	case "CTC":
		if c.Pad == nil || c.Delimiter == nil {
			return nil, missing("pad_token or word_delimiter_token")
		}
		list = append(list, ctcDecoder{*c.Pad, *c.Delimiter, c.Cleanup})
	case "Fuse":
		list = append(list, fuseDecoder{})
	case "Metaspace":
		if err := c.check(); err != nil {
			return nil, fmt.Errorf("decoder: Metaspace: %w", err)
		}
		list = append(list, metaDecoder{c.Replacement, c.Scheme != "never"})
	case "Replace":
		if c.Content == nil {
			return nil, missing("content")
		}
		p, err := parsePattern(c.Pattern)
		if err != nil {
			return nil, fmt.Errorf("decoder: Replace: %w", err)
		}
		list = append(list, replaceDecoder{p, *c.Content})
	case "Strip":
		if c.Content == nil || runeCount(*c.Content) != 1 || c.Start < 0 || c.Stop < 0 {
			return nil, errors.New("decoder: Strip: content is not one character, or start or stop is negative")
		}
		list = append(list, stripDecoder{*c.Content, c.Start, c.Stop})
	case "WordPiece":
		if c.Prefix == nil {
			return nil, missing("prefix")
		}
		list = append(list, pieceDecoder{*c.Prefix, c.Cleanup})
	case "Sequence":
		if depth > maxDepth {
			return nil, errors.New("decoder: sequences nested too deeply")
		}
		for _, r := range c.Decoders {
			if list, err = parseDecoder(list, r, depth+1); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

// byteDecoder reads the printable alphabet of bytes.
type byteDecoder struct{}

func (byteDecoder) decode(list []string, raw bool) []string {
	var b strings.Builder
	for _, s := range list {
		if bytes, ok := unspell(s); ok {
			s = bytes
		}
		b.WriteString(s)
	}
	if raw {
		return []string{b.String()}
	}
	return []string{lossy(b.String())}
}

// lossy replaces every maximal incomplete character of s by U+FFFD.
func lossy(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r != utf8.RuneError || n != 1 {
			b.WriteString(s[i : i+n])
			i += n
			continue
		}
		b.WriteRune(utf8.RuneError)
		i += brokenLen(s[i:])
	}
	return b.String()
}

// brokenLen gives the length of the incomplete character that s begins with.
func brokenLen(s string) int {
	low, high, more := byte(0x80), byte(0xbf), 0
	switch c := s[0]; {
	case 0xc2 <= c && c <= 0xdf:
		more = 1
	case 0xe0 <= c && c <= 0xef:
		more = 2
		if c == 0xe0 {
			low = 0xa0
		} else if c == 0xed {
			high = 0x9f
		}
	case 0xf0 <= c && c <= 0xf4:
		more = 3
		if c == 0xf0 {
			low = 0x90
		} else if c == 0xf4 {
			high = 0x8f
		}
	}
	n := 1
	for ; n <= more && n < len(s) && low <= s[n] && s[n] <= high; n++ {
		low, high = 0x80, 0xbf
	}
	return n
}

// fallbackDecoder turns runs of tokens such as <0x0A> into their bytes.
type fallbackDecoder struct{}

func (fallbackDecoder) decode(list []string, raw bool) []string {
	var out []string
	var bytes []byte
	flush := func() {
		switch {
		case len(bytes) == 0:
		case raw || utf8.Valid(bytes):
			out = append(out, string(bytes))
		default:
			for range bytes {
				out = append(out, "\ufffd")
			}
		}
		bytes = bytes[:0]
	}
	for _, s := range list {
		if b, ok := byteToken(s); ok {
			bytes = append(bytes, b)
			continue
		}
		flush()
		out = append(out, s)
	}
	flush()
	return out
}

// byteToken reads <0x0A>.
func byteToken(s string) (byte, bool) {
	if len(s) != 6 || s[:3] != "<0x" || s[5] != '>' {
		return 0, false
	}
	b, err := strconv.ParseUint(s[3:5], 16, 8)
	return byte(b), err == nil
}

type fuseDecoder struct{}

func (fuseDecoder) decode(list []string, _ bool) []string { return []string{strings.Join(list, "")} }

type metaDecoder struct {
	replacement string
	prepended   bool
}

func (d metaDecoder) decode(list []string, _ bool) []string {
	for i, s := range list {
		if i == 0 && d.prepended {
			list[i] = strings.ReplaceAll(s, d.replacement, "")
		} else {
			list[i] = strings.ReplaceAll(s, d.replacement, " ")
		}
	}
	return list
}

type suffixDecoder string

func (d suffixDecoder) decode(list []string, _ bool) []string {
	for i, s := range list {
		by := " "
		if i == len(list)-1 {
			by = ""
		}
		list[i] = strings.ReplaceAll(s, string(d), by)
	}
	return list
}

// replaceDecoder replaces a pattern. It gives nil if the text grows beyond its limit.
type replaceDecoder struct {
	pattern pattern
	content string
}

func (d replaceDecoder) decode(list []string, _ bool) []string {
	left := growth(length(list))
	for i, s := range list {
		var b strings.Builder
		done := 0
		each(d.pattern, s, func(start, end int) {
			if left -= start - done + len(d.content); left < 0 {
				return
			}
			b.WriteString(s[done:start])
			b.WriteString(d.content)
			done = end
		})
		if left < 0 {
			return nil
		}
		if done > 0 || b.Len() > 0 {
			list[i] = b.String() + s[done:]
		}
	}
	return list
}

type stripDecoder struct {
	content     string
	start, stop int
}

func (d stripDecoder) decode(list []string, _ bool) []string {
	for i, s := range list {
		for n := 0; n < d.start && strings.HasPrefix(s, d.content); n++ {
			s = s[len(d.content):]
		}
		for n := 0; n < d.stop && strings.HasSuffix(s, d.content); n++ {
			s = s[:len(s)-len(d.content)]
		}
		list[i] = s
	}
	return list
}

// pieceDecoder appends tokens with the prefix to the token before, and puts blanks before
// the others.
type pieceDecoder struct {
	prefix  string
	cleanup bool
}

func (d pieceDecoder) decode(list []string, _ bool) []string {
	for i, s := range list {
		if i > 0 {
			if rest, ok := strings.CutPrefix(s, d.prefix); ok {
				s = rest
			} else {
				s = " " + s
			}
		}
		if d.cleanup {
			s = cleanUp(s)
		}
		list[i] = s
	}
	return list
}

// cleanUp removes the blanks before English punctuation and contractions.
func cleanUp(s string) string {
	if strings.IndexByte(s, ' ') < 0 {
		return s
	}
	for _, r := range [...][2]string{{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"},
		{" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}} {
		s = strings.ReplaceAll(s, r[0], r[1])
	}
	return s
}

// ctcDecoder drops repetitions and padding, for speech recognition.
type ctcDecoder struct {
	pad, delimiter string
	cleanup        bool
}

func (d ctcDecoder) decode(list []string, _ bool) []string {
	var out []string
	for i, s := range list {
		if i > 0 && s == list[i-1] {
			continue
		}
		s = strings.ReplaceAll(s, d.pad, "")
		if d.cleanup {
			s = strings.ReplaceAll(cleanUp(s), d.delimiter, " ")
		}
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}
