package tokenizer

import (
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// bpe is byte-pair encoding: a word begins as characters (or bytes, where the
// vocabulary is of bytes), and pairs are merged in the order they were learned.
type bpe struct {
	pairs  pairTable
	ids    map[string]int32
	merges [][2]int32  // by rank
	bytes  *[256]int32 // byte-level: the token of each byte, or -1
	holes  bool        // some bytes have no token: they are dropped, and places are counted as they are spelled
	runes  map[rune]int32
	latin  [128]int32 // runes, for ASCII

	prefix, suffix string
	unk            int32 // -1: none; then what is unknown is dropped
	fuse           bool
	fallback       *[256]int32      // byte_fallback
	whole          map[string]int32 // ignore_merges: words that are tokens as they stand
	ignoreMerges   bool
	unkToken       *string
	fallbackAsked  bool
	cutMeta        bool // no merge spans the place before "▁": a text can be cut there
}

// shortWord is the symbols up to which looking for the least rank beats a heap.
const shortWord = 48

// byteRune spells each byte as a printable character, as GPT-2 does: those of
// Latin-1 that print stand for themselves, the others follow from U+0100.
var byteRune, runeByte = func() (to [256]rune, from map[rune]byte) {
	from = make(map[rune]byte, 256)
	next := rune(256)
	for b := range 256 {
		r := rune(b)
		if r <= ' ' || 0x7f <= r && r <= 0xa0 || r == 0xad {
			r = next
			next++
		}
		to[b], from[r] = r, byte(b)
	}
	return to, from
}()

// unspell gives the bytes of a piece; false if it is not in the alphabet.
func unspell(piece string) (string, bool) {
	b := make([]byte, 0, len(piece))
	for _, r := range piece {
		c, ok := runeByte[r]
		if !ok {
			return "", false
		}
		b = append(b, c)
	}
	return string(b), true
}

// build makes the tables from the vocabulary, merges and their results.
func (m *bpe) build(merged []int32) {
	m.pairs = newPairTable(len(m.merges))
	for rank, p := range m.merges {
		m.pairs.set(p[0], p[1], int32(rank), merged[rank]) // of two equal pairs the later counts
	}
	if m.bytes != nil {
		return
	}
	m.runes = make(map[rune]int32)
	for i := range m.latin {
		m.latin[i] = -1
	}
	for piece, id := range m.ids {
		r, n := utf8.DecodeRuneInString(piece)
		if n == 0 || n != len(piece) || r == utf8.RuneError && n == 1 {
			continue
		}
		if r < utf8.RuneSelf {
			m.latin[r] = id
		} else {
			m.runes[r] = id
		}
	}
}

// symbol gives the token that a character begins as.
func (m *bpe) symbol(e *encoder, r rune, s string, first, last bool) (int32, bool) {
	if !first && m.prefix != "" || last && m.suffix != "" {
		e.key = e.key[:0]
		if !first {
			e.key = append(e.key, m.prefix...)
		}
		e.key = append(e.key, s...)
		if last {
			e.key = append(e.key, m.suffix...)
		}
		id, ok := m.ids[string(e.key)]
		return id, ok
	}
	if 0 <= r && r < utf8.RuneSelf {
		return m.latin[r], m.latin[r] >= 0
	}
	id, ok := m.runes[r]
	return id, ok
}

// symbols puts what a word begins as into e.nodes.
func (m *bpe) symbols(e *encoder, w string) {
	nodes := slices.Grow(e.nodes[:0], len(w))
	if m.bytes != nil {
		for i := range len(w) {
			if id := m.bytes[w[i]]; id >= 0 {
				nodes = append(nodes, node{id: id, size: m.byteSize(w[i])})
			}
		}
		e.nodes = nodes
		return
	}
	unk := 0 // bytes of what is unknown and not yet a symbol
	has := false
	flush := func() {
		if has {
			nodes = append(nodes, node{id: m.unk, size: int32(unk)})
			has, unk = false, 0
		}
	}
	for i := 0; i < len(w); {
		r, n := decodeRune(w, i)
		c := w[i : i+n]
		id, ok := m.symbol(e, r, c, i == 0, i+n == len(w))
		i += n
		switch {
		case ok:
			flush()
			nodes = append(nodes, node{id: id, size: int32(n)})
		case m.fallback != nil && covers(m.fallback, c):
			for j := range len(c) {
				nodes = append(nodes, node{id: m.fallback[c[j]], size: 1})
			}
		case m.unk >= 0:
			if has && !m.fuse {
				flush()
			}
			has = true
			unk += n
		}
	}
	flush()
	e.nodes = nodes
}

// byteSize is 1, or with holes what the library counts for a byte.
func (m *bpe) byteSize(b byte) int32 {
	if m.holes {
		return int32(utf8.RuneLen(byteRune[b]))
	}
	return 1
}

// covers tells whether every byte of s has a token.
func covers(bytes *[256]int32, s string) bool {
	for i := range len(s) {
		if bytes[s[i]] < 0 {
			return false
		}
	}
	return true
}

// metaSpan gives the end of the part of w, from start on, that can be merged on its own.
func (m *bpe) metaSpan(w string, start int) int {
	i := start
	for strings.HasPrefix(w[i:], meta) {
		i += len(meta)
	}
	if n := strings.Index(w[i:], meta); n >= 0 {
		return i + n
	}
	return len(w)
}

func (m *bpe) encode(e *encoder, dst []int32, w string) []int32 {
	if m.whole != nil {
		if id, ok := m.whole[w]; ok {
			return append(dst, id)
		}
	}
	if m.bytes != nil && len(w) <= shortWord {
		start := len(dst)
		for i := range len(w) {
			if id := m.bytes[w[i]]; id >= 0 {
				dst = append(dst, id)
			} else {
				return m.encodeNodes(e, dst[:start], w)
			}
		}
		return m.mergeShort(dst, len(w))
	}
	return m.encodeNodes(e, dst, w)
}

func (m *bpe) encodeNodes(e *encoder, dst []int32, w string) []int32 {
	m.symbols(e, w)
	if len(e.nodes) <= shortWord {
		for _, n := range e.nodes {
			dst = append(dst, n.id)
		}
		return m.mergeShort(dst, len(e.nodes))
	}
	m.mergeLong(e)
	for i := int32(0); i >= 0; i = e.nodes[i].next {
		dst = append(dst, e.nodes[i].id)
	}
	return dst
}

func (m *bpe) tokens(e *encoder, dst []part, w string) []part {
	if m.whole != nil {
		if id, ok := m.whole[w]; ok {
			size := 0
			for i := range len(w) {
				size += int(m.byteSize(w[i]))
			}
			return append(dst, part{id: id, size: size})
		}
	}
	m.symbols(e, w)
	if len(e.nodes) == 0 {
		return dst
	}
	m.mergeLong(e)
	for i := int32(0); i >= 0; i = e.nodes[i].next {
		dst = append(dst, part{id: e.nodes[i].id, size: int(e.nodes[i].size)})
	}
	return dst
}

// mergeShort merges the last n of dst: the pair with the least rank, the leftmost
// of equals, until no pair has one.
func (m *bpe) mergeShort(dst []int32, n int) []int32 {
	start := len(dst) - n
	ids := dst[start:]
	var found [shortWord]pairValue // found[i] is the pair (ids[i], ids[i+1])
	for i := 1; i < n; i++ {
		found[i-1] = m.pairs.get(ids[i-1], ids[i])
	}
	for {
		n := len(ids) - 1
		best, at := int32(noRank), 0
		for i := range max(n, 0) {
			if found[i].rank < best {
				best, at = found[i].rank, i
			}
		}
		if best == noRank {
			return dst[:start+len(ids)]
		}
		ids[at] = found[at].id
		copy(ids[at+1:], ids[at+2:])
		copy(found[at:n], found[at+1:n])
		ids = ids[:n]
		if at > 0 {
			found[at-1] = m.pairs.get(ids[at-1], ids[at])
		}
		if at+1 < n {
			found[at] = m.pairs.get(ids[at], ids[at+1])
		}
	}
}

// node is a symbol of a word, in a list by position.
type node struct {
	id         int32 // -1: merged into the one before
	size       int32 // bytes
	prev, next int32 // -1: none
}

// rankAt is a possible merge: its rank above, the position of its left side below.
type rankAt uint64

func (a rankAt) less(b rankAt) bool { return a < b }

// mergeLong merges e.nodes in n·log n, for a megabyte without a space. The list
// begins with the first.
func (m *bpe) mergeLong(e *encoder) {
	nodes, heap := e.nodes, slices.Grow(e.heap[:0], len(e.nodes))
	for i := range nodes {
		nodes[i].prev, nodes[i].next = int32(i)-1, int32(i)+1
	}
	nodes[len(nodes)-1].next = -1
	for i := range nodes[1:] {
		if p := m.pairs.get(nodes[i].id, nodes[i+1].id); p.rank != noRank {
			heap = append(heap, rankAt(p.rank)<<32|rankAt(i))
		}
	}
	for i := len(heap)/2 - 1; i >= 0; i-- {
		heapFix(heap, i)
	}
	for len(heap) > 0 {
		var top rankAt
		top, heap = heapPop(heap)
		i := int32(uint32(top))
		left := &nodes[i]
		if left.id < 0 || left.next < 0 {
			continue
		}
		right := &nodes[left.next]
		p := m.pairs.get(left.id, right.id)
		if rankAt(p.rank) != top>>32 {
			continue // this place has changed since
		}
		left.id, right.id = p.id, -1
		left.size += right.size
		left.next = right.next
		if left.next >= 0 {
			nodes[left.next].prev = i
			if p := m.pairs.get(left.id, nodes[left.next].id); p.rank != noRank {
				heap = heapPush(heap, rankAt(p.rank)<<32|rankAt(i))
			}
		}
		if left.prev >= 0 {
			if p := m.pairs.get(nodes[left.prev].id, left.id); p.rank != noRank {
				heap = heapPush(heap, rankAt(p.rank)<<32|rankAt(left.prev))
			}
		}
	}
	e.heap = heap
}

// pairTable maps a pair of ids to its rank and result: open addressing, at most
// half full.
type pairTable struct {
	slots []pairSlot
	shift uint
}

type pairSlot struct {
	key uint64
	pairValue
}

type pairValue struct{ rank, id int32 }

const (
	noRank  = math.MaxInt32
	noPair  = math.MaxUint64
	fibHash = 0x9e3779b97f4a7c15 // 2^64 / golden ratio
)

func pairKey(a, b int32) uint64 { return uint64(uint32(a))<<32 | uint64(uint32(b)) }

func newPairTable(n int) pairTable {
	bits := uint(4)
	for 1<<bits < 2*n {
		bits++
	}
	p := pairTable{make([]pairSlot, 1<<bits), 64 - bits}
	for i := range p.slots {
		p.slots[i] = pairSlot{noPair, pairValue{noRank, 0}}
	}
	return p
}

func (p *pairTable) set(a, b, rank, id int32) {
	key := pairKey(a, b)
	i := int(key * fibHash >> p.shift)
	for p.slots[i].key != noPair && p.slots[i].key != key {
		i = (i + 1) & (len(p.slots) - 1)
	}
	p.slots[i] = pairSlot{key, pairValue{rank, id}}
}

func (p *pairTable) get(a, b int32) pairValue {
	key := pairKey(a, b)
	i := int(key * fibHash >> p.shift)
	for {
		s := &p.slots[i&(len(p.slots)-1)]
		if s.key == key || s.key == noPair {
			return s.pairValue
		}
		i++
	}
}
