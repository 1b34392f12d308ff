package tokenizer

import "strings"

// AddedToken is a token that is found in a text as it is written, before the text is cut
// into words.
type AddedToken struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"` // not matched next to word characters
	LStrip     bool   `json:"lstrip"`      // includes the white space before it
	RStrip     bool   `json:"rstrip"`      // includes the white space after it
	Normalized bool   `json:"normalized"`  // matched in the normalized text, after the tokens that are not
	Special    bool   `json:"special"`     // omitted by Text on request

	match   string // the string to match: Content, normalized if Normalized
	inVocab bool   // also in the model's vocabulary
}

// matcher finds the leftmost added token of a set, of several at one place the longest.
type matcher struct {
	trie   *trie
	tokens []*AddedToken
	first  [256]bool
	only   int // the first byte of all tokens, if they share one, for a fast search; else -1
}

// newMatcher makes a matcher; nil if there are no tokens.
func newMatcher(tokens []*AddedToken) *matcher {
	m := &matcher{trie: newTrie(), only: -1}
	for _, t := range tokens {
		if t.match == "" {
			continue
		}
		m.first[t.match[0]] = true
		if len(m.tokens) == 0 {
			m.only = int(t.match[0])
		} else if int(t.match[0]) != m.only {
			m.only = -1
		}
		m.trie.add(t.match, int32(len(m.tokens)))
		m.tokens = append(m.tokens, t)
	}
	if len(m.tokens) == 0 {
		return nil
	}
	return m
}

// find gives the next token in s at or after from, which is s[start:start+len(match)].
func (m *matcher) find(s string, from int) (start int, token *AddedToken) {
	for i := from; i < len(s); i++ {
		if m.only >= 0 {
			n := strings.IndexByte(s[i:], byte(m.only))
			if n < 0 {
				break
			}
			i += n
		} else if !m.first[s[i]] {
			continue
		}
		node := int32(0)
		for j := i; j < len(s); j++ {
			if node = m.trie.next(node, s[j]); node == 0 {
				break
			}
			if k := m.trie.value[node]; k >= 0 {
				token = m.tokens[k]
			}
		}
		if token != nil {
			return i, token
		}
	}
	return len(s), nil
}
