package source

import (
	"encoding/binary"
	"errors"
)

var errLZ4 = errors.New("damaged data: an LZ4 frame")

// lz4Decode decodes LZ4 frames
// (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md) into dst, which is
// empty, to exactly its capacity. Checksums are ignored: Arrow's writers have none.
func lz4Decode(dst, src []byte) ([]byte, error) {
	for len(src) > 0 {
		if len(src) < 7 || binary.LittleEndian.Uint32(src) != lz4Magic {
			return nil, errLZ4
		}
		flags := src[4]
		if flags>>6 != 1 || flags&1 != 0 { // version; a preset dictionary
			return nil, errLZ4
		}
		header := 7
		if flags&8 != 0 {
			header += 8 // size of the content
		}
		if len(src) < header {
			return nil, errLZ4
		}
		src = src[header:]
		for {
			if len(src) < 4 {
				return nil, errLZ4
			}
			size := binary.LittleEndian.Uint32(src)
			src = src[4:]
			if size == 0 {
				break
			}
			stored := size>>31 != 0
			size &= 1<<31 - 1
			if uint64(size) > uint64(len(src)) {
				return nil, errLZ4
			}
			block := src[:size]
			src = src[size:]
			if stored {
				if len(block) > cap(dst)-len(dst) {
					return nil, errLZ4
				}
				dst = append(dst, block...)
			} else {
				var ok bool
				if dst, ok = lz4Block(dst, block, hasLZ4Fast); !ok {
					return nil, errLZ4
				}
			}
			if flags&16 != 0 { // checksum of the block
				if len(src) < 4 {
					return nil, errLZ4
				}
				src = src[4:]
			}
		}
		if flags&4 != 0 { // checksum of the content
			if len(src) < 4 {
				return nil, errLZ4
			}
			src = src[4:]
		}
	}
	if len(dst) != cap(dst) {
		return nil, errLZ4
	}
	return dst, nil
}

// lz4Block appends a decoded block to dst, whose capacity is the limit. Matches
// may reach back into earlier blocks. fast allows assembly.
func lz4Block(dst, src []byte, fast bool) ([]byte, bool) {
	out, d, s := dst[:cap(dst)], len(dst), 0
	for {
		if fast && len(src)-s >= lz4FastSource && len(out)-d >= lz4FastRoom {
			var n int
			d, n = lz4Fast(&out[0], d, len(out), &src[s], len(src)-s)
			s += n
		}
		if s >= len(src) {
			return nil, false
		}
		token := src[s]
		s++
		n := int(token >> 4)
		if n == 15 {
			if n, s = lz4Length(src, s, n, len(out)); n < 0 {
				return nil, false
			}
		}
		if n > len(src)-s || n > len(out)-d {
			return nil, false
		}
		// Most pieces are short: a fixed number of bytes is copied, and what is too much
		// overwritten next.
		if n <= 16 && len(src)-s >= 16 && len(out)-d >= 16 {
			*(*[16]byte)(out[d:]) = *(*[16]byte)(src[s:])
		} else {
			copy(out[d:], src[s:s+n])
		}
		d, s = d+n, s+n
		if s == len(src) {
			return out[:d], true // the last sequence has no match
		}
		if len(src)-s < 2 {
			return nil, false
		}
		back := int(binary.LittleEndian.Uint16(src[s:]))
		s += 2
		if n = int(token & 15); n == 15 {
			if n, s = lz4Length(src, s, n, len(out)); n < 0 {
				return nil, false
			}
		}
		n += 4
		if back == 0 || back > d || n > len(out)-d {
			return nil, false
		}
		at, end := d-back, d+n
		if back >= 16 && n <= 32 && len(out)-d >= 32 {
			*(*[16]byte)(out[d:]) = *(*[16]byte)(out[at:])
			*(*[16]byte)(out[d+16:]) = *(*[16]byte)(out[at+16:])
			d = end
		}
		for d < end { // a match may overlap what it makes, which repeats then
			d += copy(out[d:end], out[at:d])
		}
	}
}

// lz4Length adds the bytes that follow to a length of 15; -1: it is damaged, or more
// than limit.
func lz4Length(src []byte, s, n, limit int) (length, next int) {
	for s < len(src) && n <= limit {
		b := src[s]
		s++
		n += int(b)
		if b != 255 {
			return n, s
		}
	}
	return -1, s
}
