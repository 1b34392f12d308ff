package tokenizer

import "strings"

// AddedToken is matched in the text as it stands, before it is cut into words.
type AddedToken struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"` // not beside word characters
	LStrip     bool   `json:"lstrip"`      // takes the white space before it too
	RStrip     bool   `json:"rstrip"`      // and after it
	Normalized bool   `json:"normalized"`  // matched after normalization, and after those that are not
	Special    bool   `json:"special"`     // left out by Text if asked

	match   string // what stands in the text: Content, or that normalized
	inVocab bool   // listed in the model's vocabulary too
}

// matcher finds the leftmost and there the longest of a set of added tokens.
type matcher struct {
	trie   *trie
	tokens []*AddedToken
	first  [256]bool
	only   int // the one first byte, or -1: then IndexByte skips fast
}

// newMatcher returns nil for no tokens.
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

// find gives the next token in s at or after from; it is s[start:start+len(match)].
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
