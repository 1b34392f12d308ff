package tokenizer

import "strings"

// added is a token that is matched in the text as it stands, before splitting.
type added struct {
	content        string
	id             int32
	lstrip, rstrip bool // take the white space beside it too
	normalized     bool // matched after those that are not
	special        bool // hidden by Hugging Face's skip_special_tokens
	inVocab        bool // listed in the model's vocabulary too
}

// matcher finds the leftmost and there the longest of a set of added tokens.
type matcher struct {
	nodes []trieNode // nodes[0] is the root
	first [256]bool
	only  int // the one first byte, or -1: then IndexByte skips fast
}

type trieNode struct {
	next  map[byte]int32
	token *added
}

// newMatcher returns nil for no tokens.
func newMatcher(tokens []*added) *matcher {
	if len(tokens) == 0 {
		return nil
	}
	m := &matcher{nodes: make([]trieNode, 1), only: int(tokens[0].content[0])}
	for _, t := range tokens {
		m.first[t.content[0]] = true
		if int(t.content[0]) != m.only {
			m.only = -1
		}
		at := int32(0)
		for i := range len(t.content) {
			c := t.content[i]
			to, ok := m.nodes[at].next[c]
			if !ok {
				to = int32(len(m.nodes))
				if m.nodes[at].next == nil {
					m.nodes[at].next = make(map[byte]int32)
				}
				m.nodes[at].next[c] = to
				m.nodes = append(m.nodes, trieNode{})
			}
			at = to
		}
		m.nodes[at].token = t
	}
	return m
}

// find gives the next token in s at or after from; its text is s[start:start+len(content)].
func (m *matcher) find(s string, from int) (start int, token *added) {
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
		at := int32(0)
		for j := i; j < len(s); j++ {
			to, ok := m.nodes[at].next[s[j]]
			if !ok {
				break
			}
			at = to
			if t := m.nodes[at].token; t != nil {
				token = t
			}
		}
		if token != nil {
			return i, token
		}
	}
	return len(s), nil
}
