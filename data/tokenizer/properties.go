package tokenizer

import (
	"sync"
	"unicode/utf8"
)

// pages holds a byte for every code point, by blocks of 256 that may be shared.
type pages [(utf8.MaxRune + 1) / 256]*[256]uint8

// fill calls each with set, which gives a run of code points a value.
func fillPages(each func(set func(first, end rune, value uint8))) *pages {
	p := new(pages)
	empty := new([256]uint8)
	for i := range p {
		p[i] = empty
	}
	each(func(first, end rune, value uint8) {
		for r := first; r < end; r++ {
			if p[r>>8] == empty {
				p[r>>8] = new([256]uint8)
			}
			p[r>>8][r&255] |= value
		}
	})
	return p
}

var propertyPages = sync.OnceValue(func() *pages {
	return fillPages(func(set func(first, end rune, value uint8)) {
		for _, t := range []struct {
			runs     []uint32
			property uint8
		}{
			{runsSpace[:], charSpace}, {runsNumber[:], charNumber}, {runsPunct[:], charPunct}, {runsWord[:], charWord},
			{runsNonspacing[:], charNonspacing}, {runsMark[:], charMark}, {runsOther[:], charOther}, {runsNormal[:], charNormal},
		} {
			for i := 0; i < len(t.runs); i += 2 {
				end := rune(utf8.MaxRune + 1)
				if i+1 < len(t.runs) {
					end = rune(t.runs[i+1])
				}
				set(rune(t.runs[i]), end, t.property)
			}
		}
	})
})

// properties gives the properties of a character; none for a byte that is none.
func properties(r rune) uint8 {
	if r < 0 {
		return 0
	}
	return propertyPages()[r>>8][r&255]
}

// valuePages unrolls runs that carry a value in their low bits.
func valuePages(runs []uint32, bits int) *pages {
	return fillPages(func(set func(first, end rune, value uint8)) {
		for i, run := range runs {
			end := rune(utf8.MaxRune + 1)
			if i+1 < len(runs) {
				end = rune(runs[i+1] >> bits)
			}
			if v := uint8(run & (1<<bits - 1)); v != 0 {
				set(rune(run>>bits), end, v)
			}
		}
	})
}

var breakPages = sync.OnceValue(func() *pages { return valuePages(runsBreak[:], 5) })

func breakClass(r rune) uint8 {
	switch {
	case r < 0:
		return breakOther
	case hangulFirst <= r && r < hangulEnd:
		if (r-hangulFirst)%jamoTs == 0 {
			return breakLV
		}
		return breakLVT
	}
	return breakPages()[r>>8][r&255]
}

var scriptPages = sync.OnceValue(func() *pages { return valuePages(runsScript[:], 8) })

// script gives a number for the script of a character; 0 goes with any.
func script(r rune) uint8 {
	if r < 0 {
		return 0
	}
	return scriptPages()[r>>8][r&255]
}

var lowerCase = sync.OnceValue(func() map[rune]rune {
	m := make(map[rune]rune, 1500)
	for _, run := range runsLower {
		for r := run[0]; r <= run[1]; r += run[2] {
			m[r] = r + run[3]
		}
	}
	return m
})

func lower(r rune) rune {
	if r < 0x80 {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	if l, ok := lowerCase()[r]; ok {
		return l
	}
	return r
}

func lastRune(s string) (rune, int) {
	r, n := utf8.DecodeLastRuneInString(s)
	if r == utf8.RuneError && n == 1 {
		return ^rune(s[len(s)-1]), 1
	}
	return r, n
}
