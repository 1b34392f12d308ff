package eval

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	lead1 = Baseline{Name: "lead_1"}
	lead3 = Baseline{Name: "lead_3"}
)

// Lead summarises a text by its first n sentences, each on a line of its own.
func Lead(text string, n int) string {
	list := splitSentences(text)
	return strings.Join(list[:min(n, len(list))], "\n")
}

// splitSentences splits a text at line ends, and where white space follows a full stop, an exclamation or
// question mark and what comes next does not begin in lower case.
func splitSentences(text string) (out []string) {
	cut := func(s string) {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	first, stop := 0, false
	for i, r := range text {
		switch {
		case r == '\n':
			cut(text[first:i])
			first, stop = i, false
		case strings.ContainsRune(".!?。！？…", r):
			stop = true
		case stop && strings.ContainsRune(`"'”’)]»`, r): // belongs to the sentence
		case stop && unicode.IsSpace(r):
			next, _ := utf8.DecodeRuneInString(strings.TrimLeftFunc(text[i:], unicode.IsSpace))
			if !unicode.IsLower(next) {
				cut(text[first:i])
				first, stop = i, false
			}
		default:
			stop = false
		}
	}
	cut(text[first:])
	return out
}
