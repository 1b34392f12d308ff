package source

import "math/bits"

// CountRunes returns the number of characters of a text that is UTF-8, as
// utf8.RuneCountInString does, eight bytes at a time: all but those that continue
// a character, 10xxxxxx.
func CountRunes(s string) int {
	const low, high = 0x0101010101010101, 0x8080808080808080
	n, i := len(s), 0
	for ; i+32 <= len(s); i += 32 {
		// Bit 7 of each byte: 1 and bit 6 is 0.
		a, b := word(s[i:]), word(s[i+8:])
		c, d := word(s[i+16:]), word(s[i+24:])
		a = a &^ (a << 1) & high
		b = b &^ (b << 1) & high
		c = c &^ (c << 1) & high
		d = d &^ (d << 1) & high
		// Each byte of the sum is at most 4; its eight bytes are added by one
		// multiplication.
		n -= int((a>>7 + b>>7 + c>>7 + d>>7) * low >> 56)
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
