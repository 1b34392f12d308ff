package tokenizer

import (
	"slices"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// normalForm is a Unicode normal form: NFD, NFKD, NFC or NFKC. It knows the
// characters of Unicode 9 alone, as the tokenizers library does; for them later
// versions changed nothing.
type normalForm struct{ compatible, compose bool }

func (n normalForm) form() norm.Form {
	switch {
	case n.compatible && n.compose:
		return norm.NFKC
	case n.compatible:
		return norm.NFKD
	case n.compose:
		return norm.NFC
	}
	return norm.NFD
}

func (n normalForm) normalize(t text, e *editor) text {
	// A text that is normal when more characters count is normal here too.
	if n.form().IsNormalString(t.s) {
		return t
	}
	e.begin(t)
	ready := 0 // the changes before it are in order
	order := func() {
		slices.SortStableFunc(e.changes[ready:], func(a, b change) int { return int(a.class) - int(b.class) })
		ready = len(e.changes)
	}
	push := func(r rune, by int) {
		class := combining(r)
		if class == 0 {
			order()
		}
		e.changes = append(e.changes, change{r, by, class})
	}
	kind := norm.NFD
	if n.compatible {
		kind = norm.NFKD
	}
	for i := 0; i < len(t.s); {
		r, size := decodeRune(t.s, i)
		switch {
		case hangulFirst <= r && r < hangulEnd:
			k := r - hangulFirst
			push(jamoL+k/hangulN, 0)
			push(jamoV+k%hangulN/jamoTs, 1)
			if k%jamoTs > 0 {
				push(jamoT+k%jamoTs, 1)
			}
		case properties(r)&charNormal != 0:
			parts := kind.PropertiesString(t.s[i:]).Decomposition()
			if parts == nil {
				push(r, 0)
				break
			}
			for j, by := 0, 0; j < len(parts); by = 1 {
				d, m := utf8.DecodeRune(parts[j:])
				push(d, by)
				j += m
			}
		default:
			push(r, 0)
		}
		i += size
	}
	order()
	if n.compose {
		composeChanges(e)
	} else {
		e.apply(e.changes)
	}
	return e.done()
}

// composeChanges writes the changes with composed characters.
func composeChanges(e *editor) {
	var starter change
	has := false
	var waiting []change // what follows the starter and did not go into it
	flush := func() {
		if has {
			e.put(starter.r, starter.by)
		}
		e.apply(waiting)
		waiting = waiting[:0]
	}
	for _, c := range e.changes {
		if !has {
			if c.class != 0 {
				e.put(c.r, c.by)
				continue
			}
			starter, has = c, true
			continue
		}
		blocked := len(waiting) > 0 && waiting[len(waiting)-1].class >= c.class
		if !blocked {
			if r, ok := composePair(starter.r, c.r); ok {
				starter.r, starter.by = r, starter.by+c.by-1
				continue
			}
		}
		if c.class == 0 {
			flush()
			starter = c
			continue
		}
		waiting = append(waiting, c)
	}
	flush()
}

const (
	hangulFirst = 0xac00
	hangulEnd   = hangulFirst + 11172
	hangulN     = 588
	jamoL       = 0x1100
	jamoV       = 0x1161
	jamoT       = 0x11a7 // one before the first
	jamoTs      = 28
)

// combining gives the canonical combining class.
func combining(r rune) uint8 {
	if r < 0x300 || properties(r)&charNormal == 0 {
		return 0
	}
	var b [utf8.UTFMax]byte
	return norm.NFD.Properties(b[:utf8.EncodeRune(b[:], r)]).CCC()
}

func composePair(a, b rune) (rune, bool) {
	switch {
	case jamoL <= a && a < jamoL+19 && jamoV <= b && b < jamoV+21:
		return hangulFirst + (a-jamoL)*hangulN + (b-jamoV)*jamoTs, true
	case hangulFirst <= a && a < hangulEnd && (a-hangulFirst)%jamoTs == 0 && jamoT < b && b < jamoT+jamoTs:
		return a + b - jamoT, true
	}
	r, ok := compositions()[[2]rune{a, b}]
	return r, ok
}

// compositions has the pairs that the primary composites decompose to.
var compositions = sync.OnceValue(func() map[[2]rune]rune {
	pairs := make(map[[2]rune]rune, 1000)
	for i := 0; i+1 < len(runsNormal); i += 2 {
		for r := rune(runsNormal[i]); r < rune(runsNormal[i+1]); r++ {
			s := string(r)
			parts := norm.NFD.PropertiesString(s).Decomposition()
			if parts == nil || !norm.NFC.IsNormalString(s) {
				continue // does not decompose, or is excluded from composition
			}
			last, n := utf8.DecodeLastRune(parts)
			first := norm.NFC.Bytes(parts[:len(parts)-n])
			if a, m := utf8.DecodeRune(first); m == len(first) && m > 0 {
				pairs[[2]rune{a, last}] = r
			}
		}
	}
	return pairs
})
