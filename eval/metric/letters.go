package metric

import (
	"strings"
	"unicode"
)

// The references are Python programs: what they call lower case, white space and words is
// Python's.

// lower gives the lower case of a text as Python's str.lower has it, with two cases that Go's
// mapping of single characters has not: a sigma at the end of a word, and a capital I with a dot.
func lower(text string) string {
	if !strings.ContainsAny(text, "Σİ") {
		return strings.ToLower(text)
	}
	runes := []rune(text)
	var b strings.Builder
	for i, r := range runes {
		switch {
		case r == 'İ':
			b.WriteString("i̇")
		case r == 'Σ' && cased(runes[:i], -1) && !cased(runes[i+1:], 1):
			b.WriteRune('ς')
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// cased reports whether the nearest rune, of those that are not passed over, has a case. step is 1
// from the first one on and -1 from the last one backwards.
func cased(runes []rune, step int) bool {
	i := 0
	if step < 0 {
		i = len(runes) - 1
	}
	for ; i >= 0 && i < len(runes); i += step {
		r := runes[i]
		if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) || strings.ContainsRune("'.:·’․‧", r) {
			continue
		}
		return unicode.IsUpper(r) || unicode.IsLower(r) || unicode.IsTitle(r)
	}
	return false
}

// blank reports whether Python's str.split splits at a rune.
func blank(r rune) bool { return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f }

// split gives the words of a text between white space.
func split(text string) []string { return strings.FieldsFunc(text, blank) }

// wordRune reports whether a rune is \w in Python's regular expressions.
func wordRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }

// punctuation is Python's string.punctuation.
const punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
