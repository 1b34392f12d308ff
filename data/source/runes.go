package source

import (
	"math/bits"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
)

// Characters appends to dst the number of characters of each value of the selected
// column col as Text gives it, 0 where it is null. Texts are counted all at once, many
// times as fast as one by one.
func (b *Batch) Characters(dst []int64, col int) []int64 {
	if b.Rows == 0 {
		return dst
	}
	from := len(dst)
	switch c := b.columns[col].(type) {
	case *array.String:
		return clearNulls(countRunes(dst, c.ValueBytes(), c.ValueOffsets()), from, c)
	case *array.LargeString:
		return clearNulls(countRunes(dst, c.ValueBytes(), c.ValueOffsets()), from, c)
	}
	for row := range b.Rows {
		text, _ := b.Text(col, row)
		dst = append(dst, int64(utf8.RuneCountInString(text)))
	}
	return dst
}

func clearNulls(dst []int64, from int, c arrow.Array) []int64 {
	if c.NullN() > 0 {
		for i := range c.Len() {
			if c.IsNull(i) {
				dst[from+i] = 0
			}
		}
	}
	return dst
}

// countRunes appends the number of characters of each text; the offsets rise, from
// that of text's first byte. The bytes that begin a character are marked, 64 to a word,
// so that a short text costs no loop of its own.
func countRunes[T int32 | int64](dst []int64, text []byte, offsets []T) []int64 {
	var marks [512]uint64
	base, word, runes := 0, 0, 0 // marks are of text from base; characters before word
	rest := markPart(&marks, text)
	last := 0
	for i, o := range offsets {
		at := int(o-offsets[0]) - base
		for at >= 64*(word+1) {
			runes += bits.OnesCount64(marks[word])
			if word++; word == len(marks) {
				base += 64 * len(marks)
				at -= 64 * len(marks)
				word, rest = 0, markPart(&marks, rest)
			}
		}
		n := runes + bits.OnesCount64(marks[word]&(1<<(at%64)-1))
		if i > 0 {
			dst = append(dst, int64(n-last))
		}
		last = n
	}
	return dst
}

// markPart marks the first bytes of text that marks have room for, and returns the rest.
func markPart(marks *[512]uint64, text []byte) (rest []byte) {
	part := text[:min(len(text), 64*len(marks))]
	rest = text[len(part):]
	whole := len(part) / 64
	if hasUTF8Blocks && whole > 0 {
		markRunes(&part[0], &marks[0], whole)
	} else {
		whole = 0
	}
	for ; 64*whole < len(part); whole++ {
		m := uint64(0)
		for i, b := range part[64*whole : min(len(part), 64*whole+64)] {
			if b&0xc0 != 0x80 {
				m |= 1 << i
			}
		}
		marks[whole] = m
	}
	if whole < len(marks) {
		marks[whole] = 0
	}
	return rest
}
