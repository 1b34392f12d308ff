package tokenizer

import (
	"encoding/binary"
	"unicode/utf8"
)

// encoder is the working memory of one goroutine that encodes.
type encoder struct {
	p        *Pipeline
	ordinary bool    // added tokens are text
	ids      []int32 // the result without offsets

	// The result with offsets, and the tokens of the present word.
	enc   Encoding
	parts []part
	words int32 // the number of words so far

	cache   *[cacheSlots]slot
	editors []*editor // one for each stage before the model
	pieces  [][]piece // the same
	symbols []symbol  // of a BPE: what a word begins as
	merged  []placed  // and after merging
	nodes   []node    // of a window of them
	heap    []rankAt
	hops    []hop
	cuts    []int32
	key     []byte
}

// part is a token and the bytes of its word that it covers.
type part struct {
	id   int32
	size int
	text string // its text, where that is not the token's spelling
}

const (
	cacheSlots = 1 << 14
	cacheText  = 23 // bytes of a word that a slot holds
	cacheIDs   = 9
)

// slot is a cache line: a word and its ids.
type slot struct {
	key [cacheText + 1]byte // zero-padded, the length in the last byte
	n   int32
	ids [cacheIDs]int32
}

// keptText is the longest text after which an encoder is kept. A longer text needs up to a
// hundred times its size, which is freed.
const keptText = 1 << 18

// keep returns an encoder to the pool, after a text of that length.
func (p *Pipeline) keep(e *encoder, length int) {
	if length <= keptText {
		p.encoders.Put(e)
	}
}

func newEncoder(p *Pipeline) *encoder {
	return &encoder{p: p, cache: new([cacheSlots]slot), editors: make([]*editor, len(p.norm)+len(p.pre)), pieces: make([][]piece, len(p.pre))}
}

func (e *encoder) editorAt(i int) *editor {
	if e.editors[i] == nil {
		e.editors[i] = new(editor)
	}
	return e.editors[i]
}

// editor gives the editor of a stage of the pre-tokenizer.
func (e *encoder) editor(stage int) *editor { return e.editorAt(len(e.p.norm) + stage) }

// run encodes the whole input.
func (e *encoder) run(t text) {
	if e.ordinary {
		e.normalized(t)
		return
	}
	e.cut(t, e.p.plain, (*encoder).normalized)
}

// normalized normalizes a part of the text between added tokens.
func (e *encoder) normalized(t text) {
	if t.s == "" {
		return
	}
	if e.p.fault.Load() != nil {
		return
	}
	limit := growth(len(t.s))
	for i, n := range e.p.norm {
		ed := e.editorAt(i)
		ed.limit, ed.over = limit, false
		if t = n.normalize(t, ed); ed.over || len(t.s) > limit {
			e.p.fail("normalizer: step %d, %s: makes the text longer than %d bytes", i+1, describe(n), limit)
			return
		}
	}
	if len(t.at) > 0 {
		t.start = t.at[0].start
	}
	if e.ordinary {
		e.stage(t, 0)
		return
	}
	e.cut(t, e.p.normed, (*encoder).first)
}

func (e *encoder) first(t text) { e.stage(t, 0) }

// cut emits the tokens of m in t, and passes the parts between them to rest.
func (e *encoder) cut(t text, m *matcher, rest func(*encoder, text)) {
	if m == nil {
		rest(e, t)
		return
	}
	done := 0
	for from := 0; ; {
		start, tok := m.find(t.s, from)
		if tok == nil {
			if done < len(t.s) {
				rest(e, t.slice(done, len(t.s)))
			}
			return
		}
		stop := start + len(tok.match)
		from = stop
		if tok.SingleWord && !alone(t.s, start, stop) {
			continue
		}
		if tok.LStrip {
			for start > done {
				r, n := lastRune(t.s[:start])
				if properties(r)&charSpace == 0 {
					break
				}
				start = max(start-n, done)
			}
		}
		if tok.RStrip {
			for stop < len(t.s) {
				r, n := decodeRune(t.s, stop)
				if properties(r)&charSpace == 0 {
					break
				}
				stop += n
			}
		}
		if start > done {
			rest(e, t.slice(done, start))
		}
		if t.at == nil {
			e.ids = append(e.ids, tok.ID)
		} else {
			e.emit(t.slice(start, stop), []part{{tok.ID, stop - start, t.s[start:stop]}})
		}
		done = stop
	}
}

// alone reports whether no word character is next to s[start:stop].
func alone(s string, start, stop int) bool {
	if start > 0 {
		if r, _ := lastRune(s[:start]); properties(r)&charWord != 0 {
			return false
		}
	}
	if stop < len(s) {
		if r, _ := decodeRune(s, stop); properties(r)&charWord != 0 {
			return false
		}
	}
	return true
}

// stage passes a text through the pre-tokenizer, from a stage on, to the model.
func (e *encoder) stage(t text, stage int) {
	switch {
	case t.s == "":
	case stage < len(e.p.pre):
		e.p.pre[stage].cut(e, t, stage)
	case t.at == nil:
		e.word(t.s)
	default:
		e.parts = e.parts[:0]
		if m, ok := e.p.model.(*bpe); ok && m.cutMeta {
			for i := 0; i < len(t.s); {
				j := m.metaSpan(t.s, i)
				e.parts = m.tokens(e, e.parts, t.s[i:j])
				i = j
			}
		} else {
			e.parts = e.p.model.tokens(e, e.parts, t.s)
			if ok && m.holes {
				t = byteSpelling{}.normalize(t, new(editor))
			}
		}
		e.emit(t, e.parts)
	}
}

// emit appends the tokens of one word with their offsets.
func (e *encoder) emit(t text, parts []part) {
	at, whole := 0, 0
	for i, p := range parts {
		size := p.size
		if size == 0 { // a byte of an unknown part: its offsets are those of the part, whose size the last byte has
			for whole = max(whole, i); whole < len(parts)-1 && parts[whole].size == 0; {
				whole++
			}
			size = parts[whole].size
		}
		var o Offset
		if n := len(t.at); n > 0 && size > 0 {
			o = Offset{t.at[min(at, n-1)].start, t.at[min(at+size, n)-1].end}
		}
		at += p.size
		s := p.text
		if s == "" {
			s = e.p.tokens[p.id].piece
		} else {
			s = string(append([]byte(nil), s...)) // an editor's memory is reused
		}
		e.enc.IDs = append(e.enc.IDs, p.id)
		e.enc.Tokens = append(e.enc.Tokens, s)
		e.enc.Bytes = append(e.enc.Bytes, o)
		e.enc.Words = append(e.enc.Words, e.words)
	}
	e.words++
}

// word appends the ids of one word.
func (e *encoder) word(w string) {
	m, ok := e.p.model.(*bpe)
	if !ok || !m.cutMeta {
		e.ids = e.cached(e.ids, w)
		return
	}
	for i := 0; i < len(w); {
		j := m.metaSpan(w, i)
		e.ids = e.cached(e.ids, w[i:j])
		i = j
	}
}

// cached appends the ids of a word, from the cache if it is there.
func (e *encoder) cached(dst []int32, w string) []int32 {
	if len(w) > cacheText {
		return e.p.model.encode(e, dst, w)
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
	dst = e.p.model.encode(e, dst, w)
	if ids := dst[start:]; len(ids) <= cacheIDs {
		s.key = key
		s.n = int32(copy(s.ids[:], ids))
	}
	return dst
}

// charOffsets turns offsets in bytes of s into offsets in characters.
func charOffsets(s string, list []Offset) []Offset {
	ascii := true
	for i := 0; i < len(s) && ascii; i++ {
		ascii = s[i] < utf8.RuneSelf
	}
	out := append([]Offset(nil), list...)
	if ascii {
		return out
	}
	chars := make([]int32, len(s)+1) // by byte: the number of characters that end before it
	n := int32(0)
	for i := 0; i < len(s); {
		_, size := decodeRune(s, i)
		for j := range size {
			chars[i+j] = n
		}
		n++
		i += size
	}
	chars[len(s)] = n
	for i, o := range out {
		out[i] = Offset{int(chars[o.Start]), int(chars[o.End])}
	}
	return out
}
