package tokenizer

import (
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf8"
)

// charsmap is SentencePiece's compiled normalization: a double-array trie from
// strings to replacements. The data is:
//
//	uint32 size of the trie in bytes, the trie's units, NUL-terminated replacements
type charsmap struct {
	units        []uint32
	replacements string
}

func newCharsmap(data []byte) (*charsmap, error) {
	if len(data) < 4 {
		return nil, errors.New("precompiled_charsmap: shorter than its header")
	}
	size := binary.LittleEndian.Uint32(data)
	if size%4 != 0 || uint64(size) > uint64(len(data)-4) || size == 0 {
		return nil, errors.New("precompiled_charsmap: its trie is longer than the data")
	}
	m := &charsmap{units: make([]uint32, size/4), replacements: string(data[4+size:])}
	for i := range m.units {
		m.units[i] = binary.LittleEndian.Uint32(data[4+4*i:])
	}
	if !utf8.ValidString(m.replacements) {
		return nil, errors.New("precompiled_charsmap: replacements are not valid UTF-8")
	}
	return m, nil
}

// unit is zero outside the array, where no label matches and a search ends.
func (m *charsmap) unit(i uint32) uint32 {
	if int(i) < len(m.units) {
		return m.units[i]
	}
	return 0
}

func unitOffset(u uint32) uint32 { return u >> 10 << (u & (1 << 9) >> 6) }

// lookup gives the replacement of the shortest key that s begins with. As the tokenizers
// library does, the caller puts it in place of all of s.
func (m *charsmap) lookup(s string) (string, bool) {
	at := unitOffset(m.unit(0))
	for i := range len(s) {
		c := uint32(s[i])
		if c == 0 {
			return "", false
		}
		at ^= c
		u := m.unit(at)
		if u&(1<<31|0xff) != c {
			return "", false
		}
		at ^= unitOffset(u)
		if u>>8&1 == 1 {
			from := m.unit(at) & (1<<31 - 1)
			if int(from) > len(m.replacements) {
				return "", false
			}
			r := m.replacements[from:]
			if end := strings.IndexByte(r, 0); end >= 0 {
				r = r[:end]
			}
			return r, true
		}
	}
	return "", false
}

// writeAfter bounds the number of changes that are held in memory.
const writeAfter = 1 << 12

func (m *charsmap) normalize(t text, e *editor) text {
	e.begin(t)
	modified := false
	swap := func(i int, old, new string) {
		if !modified {
			modified = true
			if i > 0 { // the character before is held back: a removed old widens its place
				r, size := lastRune(t.s[:i])
				e.copyTo(i - size)
				e.changes = append(e.changes, change{r: r})
			}
		}
		n := len(e.changes)
		for j := 0; j < len(new); {
			r, size := decodeRune(new, j)
			e.changes = append(e.changes, change{r: r})
			j += size
		}
		more := len(e.changes) - n - runeCount(old)
		for j := range max(0, more) {
			e.changes[len(e.changes)-1-j].by = 1
		}
		if more < 0 && len(e.changes) > 0 {
			e.changes[len(e.changes)-1].by += more
		}
	}
	for i := 0; i < len(t.s); {
		if n := len(e.changes); n >= writeAfter {
			e.apply(e.changes[:n-1])
			e.changes = append(e.changes[:0], e.changes[n-1])
		}
		end := i + graphemeLen(t.s[i:])
		cluster := t.s[i:end]
		if len(cluster) < 6 {
			if r, ok := m.lookup(cluster); ok {
				swap(i, cluster, r)
				i = end
				continue
			}
		}
		for i < end {
			r, n := decodeRune(t.s, i)
			if by, ok := m.lookup(t.s[i : i+n]); ok {
				swap(i, t.s[i:i+n], by)
			} else if modified {
				e.changes = append(e.changes, change{r: r})
			}
			i += n
		}
	}
	if !modified {
		return t
	}
	e.apply(e.changes)
	return e.done()
}

func runeCount(s string) int { return utf8.RuneCountInString(s) }
