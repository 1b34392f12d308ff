package tokenizer

// unigram cuts a text into the tokens whose scores, logarithms of their
// probabilities, have the greatest sum.
type unigram struct {
	trie     *trie
	scores   []float64
	ids      map[string]int32
	unk      int32   // -1: none
	low      float64 // the score of an unknown character
	pieces   []string
	fallback bool
	bytes    *[256]int32 // byte_fallback: tokens for the bytes of what is unknown
}

// unknownPenalty lies between the least score and that of an unknown character.
const unknownPenalty = 10

// hop is the best way to a place: the place before it, and the token between.
type hop struct {
	score float64
	from  int32 // -1: none yet
	id    int32
}

// path fills e.hops for w and then e.cuts with the ends of w's parts, from its
// last to its first; unknown characters in a row are one part.
func (m *unigram) path(e *encoder, w string) {
	if cap(e.hops) <= len(w) {
		e.hops = make([]hop, len(w)+1, len(w)+min(len(w), keptText)+64)
	}
	hops := e.hops[:len(w)+1]
	for i := range hops {
		hops[i].from = -1
	}
	hops[0].score = 0
	for i := 0; i < len(w); {
		here := hops[i].score
		_, size := decodeRune(w, i)
		single := false
		node := int32(0)
		for j := i; j < len(w); {
			if node = m.trie.next(node, w[j]); node == 0 {
				break
			}
			j++
			if id := m.trie.value[node]; id >= 0 {
				if h := &hops[j]; h.from < 0 || here+m.scores[id] > h.score {
					*h = hop{here + m.scores[id], int32(i), id}
				}
				single = single || j-i == size
			}
		}
		if !single {
			if h := &hops[i+size]; h.from < 0 || here+m.low > h.score {
				*h = hop{here + m.low, int32(i), m.unk}
			}
		}
		i += size
	}
	e.cuts = e.cuts[:0]
	for end := len(w); end > 0; {
		h := hops[end]
		e.cuts = append(e.cuts, int32(end))
		end = int(h.from)
		if h.id == m.unk {
			for end > 0 && hops[end].id == m.unk {
				end = int(hops[end].from)
			}
		}
	}
}

func (m *unigram) encode(e *encoder, dst []int32, w string) []int32 {
	m.each(e, w, func(id int32, _ int, _ string) { dst = append(dst, id) })
	return dst
}

func (m *unigram) tokens(e *encoder, dst []part, w string) []part {
	m.each(e, w, func(id int32, size int, s string) { dst = append(dst, part{id: id, size: size, text: s}) })
	return dst
}

// each calls f for the tokens of w and the bytes that they cover. All bytes of an
// unknown part cover the whole of it: the last has its size, those before it 0.
func (m *unigram) each(e *encoder, w string, f func(id int32, size int, s string)) {
	m.path(e, w)
	start := 0
	for i := len(e.cuts) - 1; i >= 0; i-- {
		end := int(e.cuts[i])
		s := w[start:end]
		id, ok := m.ids[s]
		switch {
		case ok:
			f(id, len(s), s)
		case m.bytes != nil && covers(m.bytes, s):
			for j := range len(s) {
				size := 0
				if j == len(s)-1 {
					size = len(s)
				}
				f(m.bytes[s[j]], size, "")
			}
		default:
			f(m.unk, len(s), s)
		}
		start = end
	}
}
