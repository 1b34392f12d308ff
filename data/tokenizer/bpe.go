package tokenizer

import (
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// bpe is byte-pair encoding: a word starts as its characters (or its bytes, for
// byte-level kinds), and pairs are merged in the order in which they were learned.
type bpe struct {
	pairs  pairTable
	ids    map[string]int32
	merges [][2]int32  // by rank
	bytes  *[256]int32 // byte-level: the token of each byte, or -1
	holes  bool        // some bytes have no token: they are dropped, and offsets count their spelling
	runes  map[rune]int32
	latin  [128]int32 // runes, for ASCII

	prefix, suffix string
	unk            int32 // -1: none, and unknown characters are dropped
	fuse           bool
	fallback       *[256]int32      // byte_fallback
	whole          map[string]int32 // ignore_merges: words that are tokens as they stand
	ignoreMerges   bool
	unkToken       *string
	fallbackAsked  bool
	cutMeta        bool // no merge spans the place before a "▁", so that a text can be cut there
}

// shortWord is the number of symbols up to which a linear search for the least rank is faster
// than a heap.
const shortWord = 48

// byteRune spells each byte as a printable character, as GPT-2 does: the printable
// characters of Latin-1 stand for themselves, the other bytes are numbered from U+0100.
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

// unspell gives the bytes of a piece; false if it has other characters than byteRune's.
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

// symbol gives the token of a single character.
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

// symbols puts the tokens of a word's characters or bytes into e.symbols.
func (m *bpe) symbols(e *encoder, w string) {
	list := slices.Grow(e.symbols[:0], len(w))
	if m.bytes != nil {
		for i := range len(w) {
			if id := m.bytes[w[i]]; id >= 0 {
				list = append(list, symbol{id, m.byteSize(w[i])})
			}
		}
		e.symbols = list
		return
	}
	unk := 0 // bytes of unknown characters that are not a symbol yet
	has := false
	flush := func() {
		if has {
			list = append(list, symbol{m.unk, int32(unk)})
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
			list = append(list, symbol{id, int32(n)})
		case m.fallback != nil && covers(m.fallback, c):
			for j := range len(c) {
				list = append(list, symbol{m.fallback[c[j]], 1})
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
	e.symbols = list
}

// byteSize is 1, or with holes the size of a byte's spelling, as the library counts it.
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

// metaSpan gives the end of the part of w from start on that can be merged on its own.
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
				return m.encodeSymbols(e, dst[:start], w)
			}
		}
		return m.mergeShort(dst, len(w))
	}
	return m.encodeSymbols(e, dst, w)
}

func (m *bpe) encodeSymbols(e *encoder, dst []int32, w string) []int32 {
	m.symbols(e, w)
	if n := len(e.symbols); n <= shortWord || len(m.merges) == 0 {
		dst = slices.Grow(dst, n)
		for _, s := range e.symbols {
			dst = append(dst, s.id)
		}
		if len(m.merges) == 0 { // characters only: a word may be a whole text
			return dst
		}
		return m.mergeShort(dst, n)
	}
	m.mergeLong(e, windowNew, windowAgain)
	dst = slices.Grow(dst, len(e.merged))
	for _, n := range e.merged {
		dst = append(dst, n.id)
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
	m.mergeLong(e, windowNew, windowAgain)
	for _, n := range e.merged {
		dst = append(dst, part{id: n.id, size: int(n.size)})
	}
	return dst
}

// mergeShort merges the last n tokens of dst: again and again the pair with the least
// rank, of equals the leftmost, until no pair has a rank.
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

// symbol is a token of a word.
type symbol struct{ id, size int32 } // size: bytes

// placed is a merged symbol with the index of the first symbol that it was merged from.
type placed struct {
	symbol
	start int32
}

// node is a symbol in a list by position.
type node struct {
	symbol           // id -1: merged into the one before
	prev, next int32 // -1: none
}

// rankAt is a possible merge: its rank above, the position of its left side below.
type rankAt uint64

func (a rankAt) less(b rankAt) bool { return a < b }

// mergeLong merges this many new symbols at a time, few enough for the cache, together with
// this many symbols before them.
const (
	windowNew   = 1 << 12
	windowAgain = 1 << 8
)

// mergeLong merges e.symbols into e.merged as mergeWindow does, in time linear in their
// number: it merges overlapping windows one after the other, and joins them at a token that
// both have.
//
// The joined result is that of merging the whole. Suppose that merging the whole had a first
// merge across a border between two of the joined tokens. All merges inside the two tokens
// before it are independent of what surrounds them, so the two tokens alone would lead to the
// same merge. But they are neighbours in one of the windows, where it did not happen.
func (m *bpe) mergeLong(e *encoder, fresh, again int) {
	e.merged = e.merged[:0]
	for done := 0; done < len(e.symbols); {
		from, start := len(e.merged), done
		for from > 0 && done-start < again {
			from--
			start = int(e.merged[from].start)
		}
		end := min(done+max(fresh, 4*again), len(e.symbols))
		m.mergeWindow(e, e.symbols[start:end])
		at := int32(0)
		if from > 0 {
			if from, at = e.common(from, start, done); at < 0 {
				again *= 2 // also for the next windows, so that the time stays linear
				continue
			}
		}
		e.merged = e.merged[:from]
		for ; at >= 0; at = e.nodes[at].next {
			e.merged = append(e.merged, placed{e.nodes[at].symbol, int32(start) + at})
		}
		done = end
	}
}

// common gives the first token that e.merged, from its token from up to the symbol done,
// shares with the window in e.nodes, which begins at the symbol start: its index in both. at
// is -1 if there is none.
func (e *encoder) common(from, start, done int) (i int, at int32) {
	for i, at = from, 0; i < len(e.merged) && at >= 0; {
		switch d := int(e.merged[i].start) - start - int(at); {
		case d < 0:
			i++
		case d > 0:
			at = e.nodes[at].next
		default:
			end := done
			if i+1 < len(e.merged) {
				end = int(e.merged[i+1].start)
			}
			next := e.nodes[at].next
			if int(next) == end-start || next < 0 && start+len(e.nodes) == end {
				return i, at
			}
			i, at = i+1, next
		}
	}
	return i, -1
}

// mergeWindow merges symbols into a linked list in e.nodes that begins with the first node:
// again and again the pair with the least rank, of equals the leftmost, until no pair has a
// rank.
func (m *bpe) mergeWindow(e *encoder, symbols []symbol) {
	nodes, heap := slices.Grow(e.nodes[:0], len(symbols)), slices.Grow(e.heap[:0], len(symbols))
	for i, s := range symbols {
		nodes = append(nodes, node{s, int32(i) - 1, int32(i) + 1})
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
			continue // outdated: one of the two has been merged since
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
	e.nodes, e.heap = nodes, heap
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
