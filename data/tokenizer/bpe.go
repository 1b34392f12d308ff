package tokenizer

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// BPE is a byte-level byte-pair encoding: text is cut by GPT-2's pattern, each
// piece begins as bytes, and pairs are merged in the order they were learned.
// Any string of bytes is encoded, valid UTF-8 or not, and Decode gives it back.
//
// A BPE is immutable and safe for concurrent use. It keeps a cache of frequent
// pieces for each goroutine that is encoding at the same time, of fixed size
// (1 MiB).
type BPE struct {
	split        splitter
	tokens       []token // by id; the zero value is a hole in the ids
	bytes        [256]int32
	pairs        pairTable
	whole        map[string]int32 // with ignore_merges: pieces that are tokens as they stand
	merges       [][2]int32       // by rank
	added        []*added         // by id
	byName       map[string]*added
	plain, norm  *matcher // added tokens that are not normalized, and that are
	encoders     sync.Pool
	ignoreMerges bool
}

type token struct {
	text    string // the bytes it stands for
	piece   string // its spelling in the vocabulary
	present bool
}

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

// spell writes bytes in the printable alphabet.
func spell(text string) string {
	var b strings.Builder
	for i := range len(text) {
		b.WriteRune(byteRune[text[i]])
	}
	return b.String()
}

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

// build fills what encoding needs from tokens, bytes, merges and added. The
// merges' results are given by merged, in the same order.
func (t *BPE) build(merged []int32) {
	t.split = splitter{runeClass()}
	t.pairs = newPairTable(len(t.merges))
	for rank, m := range t.merges {
		t.pairs.set(m[0], m[1], int32(rank), merged[rank]) // of two equal pairs the later counts
	}
	t.byName = make(map[string]*added, len(t.added))
	var plain, norm []*added
	for _, a := range t.added {
		t.byName[a.content] = a
		if a.normalized {
			norm = append(norm, a)
		} else {
			plain = append(plain, a)
		}
	}
	t.plain, t.norm = newMatcher(plain), newMatcher(norm)
	if t.ignoreMerges {
		t.whole = make(map[string]int32, len(t.tokens))
		for id, tok := range t.tokens {
			if tok.present && spell(tok.text) == tok.piece {
				t.whole[tok.text] = int32(id)
			}
		}
	}
	t.encoders.New = func() any { return &encoder{bpe: t, cache: new([cacheSlots]slot)} }
}

// Size is one more than the greatest id.
func (t *BPE) Size() int { return len(t.tokens) }

// Special gives the id of an added token.
func (t *BPE) Special(name string) (int32, bool) {
	if a := t.byName[name]; a != nil {
		return a.id, true
	}
	return 0, false
}

// Token gives the printable spelling of id in the vocabulary, "Ġthe" for " the";
// "" if id is no token's.
func (t *BPE) Token(id int32) string {
	if id < 0 || int(id) >= len(t.tokens) {
		return ""
	}
	return t.tokens[id].piece
}

// Decode joins the bytes of ids. Ids that are no token's are skipped, as Hugging
// Face does; unlike there, bytes that are not valid UTF-8 are kept as they are.
func (t *BPE) Decode(ids []int32) string {
	n := 0
	for _, id := range ids {
		if id >= 0 && int(id) < len(t.tokens) {
			n += len(t.tokens[id].text)
		}
	}
	var b strings.Builder
	b.Grow(n)
	for _, id := range ids {
		if id >= 0 && int(id) < len(t.tokens) {
			b.WriteString(t.tokens[id].text)
		}
	}
	return b.String()
}

// Encode appends the ids of text to dst. As in Hugging Face, added tokens are
// found in the text: "<|endoftext|>" written there becomes that token. Text
// that others wrote, above all training text, belongs to EncodeOrdinary.
func (t *BPE) Encode(dst []int32, text string) []int32 {
	e := t.encoders.Get().(*encoder)
	dst = e.plain(dst, text)
	t.encoders.Put(e)
	return dst
}

// EncodeOrdinary appends the ids of text to dst and takes every character as
// text: no content can bring in an added token, unless the vocabulary that was
// read has merges that spell one (Train never makes such).
func (t *BPE) EncodeOrdinary(dst []int32, text string) []int32 {
	e := t.encoders.Get().(*encoder)
	dst = e.ordinary(dst, text)
	t.encoders.Put(e)
	return dst
}

// Ordinary is the same tokenizer, whose Encode is EncodeOrdinary.
func (t *BPE) Ordinary() Tokenizer { return ordinary{t} }

type ordinary struct{ *BPE }

func (o ordinary) Encode(dst []int32, text string) []int32 { return o.EncodeOrdinary(dst, text) }

// encoder is the working memory of one goroutine that encodes.
type encoder struct {
	bpe   *BPE
	cache *[cacheSlots]slot
	nodes []node
	heap  []rankAt
}

const (
	cacheSlots = 1 << 14
	cacheText  = 23 // bytes of a piece that a slot holds
	cacheIDs   = 9
	shortWord  = 48 // bytes up to which scanning for the least rank beats a heap
)

// slot is a cache line: a piece and its ids.
type slot struct {
	key [cacheText + 1]byte // zero-padded, the length in the last byte
	n   int32
	ids [cacheIDs]int32
}

// plain takes out the added tokens that are matched first.
func (e *encoder) plain(dst []int32, text string) []int32 {
	return e.cut(dst, text, e.bpe.plain, (*encoder).normalized)
}

// normalized takes out those that are matched in the normalized text.
func (e *encoder) normalized(dst []int32, text string) []int32 {
	return e.cut(dst, text, e.bpe.norm, (*encoder).ordinary)
}

func (e *encoder) cut(dst []int32, text string, m *matcher, rest func(*encoder, []int32, string) []int32) []int32 {
	if m == nil {
		return rest(e, dst, text)
	}
	done := 0
	for from := 0; ; {
		start, tok := m.find(text, from)
		if tok == nil {
			return rest(e, dst, text[done:])
		}
		stop := start + len(tok.content)
		from = stop
		if tok.lstrip {
			for start > done {
				r, n := utf8.DecodeLastRuneInString(text[:start])
				if int(r) >= len(e.bpe.split.runeClass) || e.bpe.split.runeClass[r] != space {
					break
				}
				start = max(start-n, done)
			}
		}
		if tok.rstrip {
			for stop < len(text) {
				kind, n := e.bpe.split.class(text, stop)
				if kind != space {
					break
				}
				stop += n
			}
		}
		if start > done {
			dst = rest(e, dst, text[done:start])
		}
		dst = append(dst, tok.id)
		done = stop
	}
}

func (e *encoder) ordinary(dst []int32, text string) []int32 {
	for i := 0; i < len(text); {
		j := e.bpe.split.end(text, i)
		dst = e.word(dst, text[i:j])
		i = j
	}
	return dst
}

// word appends the ids of one piece.
func (e *encoder) word(dst []int32, w string) []int32 {
	if len(w) > cacheText {
		return e.merge(dst, w)
	}
	var key [cacheText + 1]byte
	copy(key[:], w)
	key[cacheText] = byte(len(w))
	h := binary.LittleEndian.Uint64(key[0:])*0x9e3779b97f4a7c15 ^
		binary.LittleEndian.Uint64(key[8:])*0xc2b2ae3d27d4eb4f ^
		binary.LittleEndian.Uint64(key[16:])*0x165667b19e3779f9
	h ^= h >> 29
	h *= 0x9e3779b97f4a7c15
	s := &e.cache[h>>(64-14)]
	if s.key == key {
		return append(dst, s.ids[:s.n]...)
	}
	start := len(dst)
	dst = e.merge(dst, w)
	if ids := dst[start:]; len(ids) <= cacheIDs {
		s.key = key
		s.n = int32(copy(s.ids[:], ids))
	}
	return dst
}

// merge appends the ids of a piece that is not in the cache: the pair with the
// least rank is merged, the leftmost of equals, until no pair has one.
func (e *encoder) merge(dst []int32, w string) []int32 {
	t := e.bpe
	if t.whole != nil {
		if id, ok := t.whole[w]; ok {
			return append(dst, id)
		}
	}
	if len(w) > shortWord {
		return e.mergeLong(dst, w)
	}
	start := len(dst)
	var found [shortWord]pairValue // found[i] is the pair (ids[i], ids[i+1])
	for i := range len(w) {
		id := t.bytes[w[i]]
		dst = append(dst, id)
		if i > 0 {
			found[i-1] = t.pairs.get(dst[start+i-1], id)
		}
	}
	ids := dst[start:]
	for {
		n := len(ids) - 1
		best, at := int32(noRank), 0
		for i := range found[:n] {
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
			found[at-1] = t.pairs.get(ids[at-1], ids[at])
		}
		if at+1 < n {
			found[at] = t.pairs.get(ids[at], ids[at+1])
		}
	}
}

// node is a symbol of a long word, in a list by position.
type node struct {
	id         int32 // -1: merged into the one before
	prev, next int32 // -1: none
}

// rankAt is a possible merge: its rank above, the position of its left side below.
type rankAt uint64

func (a rankAt) less(b rankAt) bool { return a < b }

// mergeLong is merge in n·log n, for a megabyte without a space.
func (e *encoder) mergeLong(dst []int32, w string) []int32 {
	// Positions are int32: parts beyond 1 GiB are merged on their own.
	for len(w) > 1<<30 {
		dst = e.mergeLong(dst, w[:1<<30])
		w = w[1<<30:]
	}
	t := e.bpe
	nodes, heap := slices.Grow(e.nodes[:0], len(w)), slices.Grow(e.heap[:0], len(w))
	for i := range len(w) {
		nodes = append(nodes, node{t.bytes[w[i]], int32(i) - 1, int32(i) + 1})
	}
	nodes[len(nodes)-1].next = -1
	for i := range nodes[1:] {
		if p := t.pairs.get(nodes[i].id, nodes[i+1].id); p.rank != noRank {
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
		p := t.pairs.get(left.id, right.id)
		if rankAt(p.rank) != top>>32 {
			continue // this place has changed since
		}
		left.id, right.id = p.id, -1
		left.next = right.next
		if left.next >= 0 {
			nodes[left.next].prev = i
			if p := t.pairs.get(left.id, nodes[left.next].id); p.rank != noRank {
				heap = heapPush(heap, rankAt(p.rank)<<32|rankAt(i))
			}
		}
		if left.prev >= 0 {
			if p := t.pairs.get(nodes[left.prev].id, left.id); p.rank != noRank {
				heap = heapPush(heap, rankAt(p.rank)<<32|rankAt(left.prev))
			}
		}
	}
	for i := int32(0); i >= 0; i = nodes[i].next {
		dst = append(dst, nodes[i].id)
	}
	e.nodes, e.heap = nodes, heap
	if cap(nodes) > 1<<16 { // do not keep what one monstrous word needed
		e.nodes, e.heap = nil, nil
	}
	return dst
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
