package source

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

var errCompressed = errors.New("damaged data: a compressed buffer")

const lz4Magic = 0x184d2204

// decompress decodes a buffer into dst, which is empty and whose capacity is the
// buffer's decodedSize.
func decompress(dst, b []byte, codec int) (out []byte, err error) {
	switch {
	case len(b) == 0:
		return dst, nil
	case codec == codecNone:
		return append(dst, b...), nil
	case int64(binary.LittleEndian.Uint64(b)) == -1:
		return append(dst, b[8:]...), nil
	case codec == codecLZ4:
		return lz4Decode(dst, b[8:])
	}
	size := cap(dst)
	if out, err = bufferZSTD().DecodeAll(b[8:], dst); err != nil {
		return nil, fmt.Errorf("damaged data: %w", err)
	}
	if len(out) != size {
		return nil, errCompressed
	}
	return out, nil
}

// bufferZSTD is the decoder of buffers, which is safe for concurrent use.
var bufferZSTD = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxMaxBatch))
	if err != nil {
		panic(err) // the options are constants
	}
	return d
})

// decodedSize returns the size of a buffer once decompressed, as its prefix
// announces it: 8 bytes, -1 for a buffer that is stored as it is. The
// caller allocates what the prefix asks for, so the compressed bytes must be able to
// hold that much.
func decodedSize(b []byte, codec int) (int64, error) {
	if codec == codecNone || len(b) == 0 {
		return int64(len(b)), nil
	}
	if len(b) < 8 {
		return 0, errCompressed
	}
	n, body := int64(binary.LittleEndian.Uint64(b)), b[8:]
	if n == -1 {
		return int64(len(body)), nil
	}
	if n < 0 {
		return 0, errCompressed
	}
	var most int64
	var err error
	if codec == codecZSTD {
		most, err = zstdBound(body, n)
	} else {
		most, err = lz4Bound(body)
	}
	if err != nil {
		return 0, err
	}
	if n > most {
		return 0, fmt.Errorf("damaged data: %d compressed bytes announce %d", len(body), n)
	}
	return n, nil
}

// lz4Bound returns the most bytes that LZ4 frames can decode to. A byte of LZ4
// gives at most 255.
func lz4Bound(b []byte) (int64, error) {
	if len(b) < 7 || binary.LittleEndian.Uint32(b) != lz4Magic {
		return 0, errCompressed
	}
	return 255 * int64(len(b)), nil
}

// zstdBound returns the most bytes that Zstandard frames can decode to, from
// the headers of their blocks (RFC 8878, section 3.1.1).
func zstdBound(b []byte, announced int64) (int64, error) {
	const maxBlock = 128 << 10
	most := int64(0)
	for len(b) > 0 {
		var h zstd.Header
		if err := h.Decode(b); err != nil {
			return 0, fmt.Errorf("damaged data: %w", err)
		}
		if h.Skippable {
			return 0, errCompressed
		}
		// The decoder allocates the window. No encoder needs one larger than its
		// input, except that streaming encoders always use 8 MiB.
		if h.WindowSize > uint64(max(8<<20, 2*announced)) {
			return 0, fmt.Errorf("damaged data: a window of %d bytes for %d", h.WindowSize, announced)
		}
		if h.HasFCS && h.FrameContentSize > uint64(announced) {
			return 0, fmt.Errorf("damaged data: a frame of %d bytes in a buffer of %d", h.FrameContentSize, announced)
		}
		b = b[h.HeaderSize:]
		for last := false; !last; {
			if len(b) < 3 {
				return 0, errCompressed
			}
			v := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
			b = b[3:]
			last = v&1 != 0
			size, taken := v>>3, v>>3
			switch v >> 1 & 3 {
			case 1: // one byte, repeated
				taken = 1
			case 2:
				size = maxBlock
			case 3:
				return 0, errCompressed
			}
			if taken > len(b) || size > maxBlock {
				return 0, errCompressed
			}
			b = b[taken:]
			most += int64(size)
		}
		if h.HasCheckSum {
			if len(b) < 4 {
				return 0, errCompressed
			}
			b = b[4:]
		}
	}
	return most, nil
}
