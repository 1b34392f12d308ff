package source

import (
	"math/bits"
	"unsafe"
)

// CountRunes returns the number of characters of a text that is UTF-8, as
// utf8.RuneCountInString does: of bytes, all but those that continue a character,
// 10xxxxxx.
func CountRunes(s string) int {
	const high = 0x8080808080808080 // bit 7 of each byte
	n, i := len(s), len(s)&^31
	if hasUTF8Blocks && i > 0 {
		n = countBlocks(unsafe.StringData(s), i) + len(s) - i
	} else {
		i = 0
	}
	for ; i+8 <= len(s); i += 8 {
		a := word(s[i:])
		n -= bits.OnesCount64(a &^ (a << 1) & high)
	}
	for ; i < len(s); i++ {
		if s[i]&0xc0 == 0x80 {
			n--
		}
	}
	return n
}

func word(s string) uint64 {
	_ = s[7] // one load of eight bytes
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
