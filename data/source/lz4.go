package source

import (
	"encoding/binary"
	"errors"
)

var errLZ4 = errors.New("damaged data: an LZ4 frame")

// lz4Decode decodes LZ4 frames
// (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md) to exactly n
// bytes. Checksums are passed over: Arrow's writers put none.
func lz4Decode(src []byte, n int64) ([]byte, error) {
	dst := make([]byte, 0, n)
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
				if dst, ok = lz4Block(dst, block); !ok {
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
	if int64(len(dst)) != n {
		return nil, errLZ4
	}
	return dst, nil
}

// lz4Block appends a decoded block to dst, whose capacity is the limit. Matches
// may reach back into earlier blocks.
func lz4Block(dst, src []byte) ([]byte, bool) {
	length := func(v int) (int, bool) { // of 15 and more, in bytes that follow
		for v == 15 || v > 15 {
			if len(src) == 0 || v > cap(dst) {
				return 0, false
			}
			b := src[0]
			src = src[1:]
			v += int(b)
			if b != 255 {
				break
			}
		}
		return v, true
	}
	for {
		if len(src) == 0 {
			return dst, false
		}
		token := src[0]
		src = src[1:]
		n, ok := length(int(token >> 4))
		if !ok || n > len(src) || n > cap(dst)-len(dst) {
			return dst, false
		}
		dst = append(dst, src[:n]...)
		src = src[n:]
		if len(src) == 0 {
			return dst, true // the last sequence has no match
		}
		if len(src) < 2 {
			return dst, false
		}
		back := int(binary.LittleEndian.Uint16(src))
		src = src[2:]
		n, ok = length(int(token & 15))
		n += 4
		at := len(dst) - back
		if !ok || back == 0 || at < 0 || n > cap(dst)-len(dst) {
			return dst, false
		}
		if back >= n {
			dst = append(dst, dst[at:at+n]...)
			continue
		}
		for i := range n { // a match may overlap what it makes
			dst = append(dst, dst[at+i])
		}
	}
}
