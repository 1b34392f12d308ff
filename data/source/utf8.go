package source

import "unicode/utf8"

// validUTF8 reports whether b is UTF-8, as utf8.Valid does.
func validUTF8(b []byte) bool {
	n := len(b) &^ 31
	if !hasUTF8Blocks || n == 0 {
		return utf8.Valid(b)
	}
	if !utf8Blocks(&b[0], n) {
		return false
	}
	// A character that the last block cuts is verified with the rest.
	from := n
	for i := n - 1; i >= n-3; i-- {
		if b[i] >= 0xc0 {
			from = i
			break
		}
		if b[i] < 0x80 {
			break
		}
	}
	return utf8.Valid(b[from:])
}
