package exec

import (
	"encoding/binary"
	"fmt"

	"hone/checkpoint/float"
)

// blockLen is the elements of a block of a quantised type.
const blockLen = 32

// Dequantize gives the elements of a stored type, whole blocks of them, with the bits of llama.cpp's gguf package: the
// definition that all instructions follow. A product of scale and number is exact in float32; of Q4_1 the sum is rounded.
func Dequantize(d DType, dst []float32, blocks []byte) error {
	if !d.Stored() || len(dst)%d.Block() != 0 || len(blocks) != d.Bytes(len(dst)) {
		return fmt.Errorf("exec: %d bytes are not %d elements of %v", len(blocks), len(dst), d)
	}
	value := float.FromF16
	switch d {
	case BF16:
		value = float.FromBF16
		fallthrough
	case F16:
		for i := range dst {
			dst[i] = value(binary.LittleEndian.Uint16(blocks[2*i:]))
		}
		return nil
	}
	dequantize(d, dst, blocks)
	return nil
}

func dequantize(d DType, dst []float32, blocks []byte) {
	for ; len(dst) > 0; dst, blocks = dst[blockLen:], blocks[dtypes[d].bytes:] {
		scale := float.FromF16(binary.LittleEndian.Uint16(blocks))
		switch d {
		case Q8_0:
			for k, q := range blocks[2:34] {
				dst[k] = scale * float32(int8(q))
			}
		case Q4_0:
			for k, b := range blocks[2:18] {
				dst[k], dst[k+16] = scale*(float32(b&15)-8), scale*(float32(b>>4)-8)
			}
		case Q4_1:
			m := float.FromF16(binary.LittleEndian.Uint16(blocks[2:]))
			for k, b := range blocks[4:20] {
				dst[k], dst[k+16] = float32(scale*float32(b&15))+m, float32(scale*float32(b>>4))+m
			}
		}
	}
}

// The blocks of 32 rows of a quantised matrix, at the same k, lie in its panels as one: the 32 scales; of Q4_1 the 32
// minima; and lines of 64 bytes, each a word for 16 rows. Words of Q8_0 hold 4 k, as numbers without a sign: 128 is added.
// Those of the others hold 8 k, the first 4 in the lower halves of their bytes, and the next 4 in the upper. The first 16
// rows' line comes before the other 16 rows', then those of the next k. Products take such words as they are. Blocks in
// panels take the bytes of those in rows.

// PackBlocks lays out the blocks of an (N,K) matrix, given row by row, in panels. K is whole blocks; dst has the bytes of
// ⌈N/32⌉·32 rows.
func PackBlocks(d DType, n, k int, dst, rows []byte) {
	clear(dst)
	eachBlock(d, n, k, dst, rows, func(panel, row []byte, lane int) {
		le := binary.LittleEndian
		head := d.head()
		for at := 0; at < head; at += 2 {
			copy(panel[32*at+2*lane:][:2], row[at:at+2])
		}
		words := panel[32*head+4*(lane%16)+64*(lane/16):]
		q := row[head:]
		if d == Q8_0 {
			for g := range 8 {
				le.PutUint32(words[128*g:], le.Uint32(q[4*g:])^0x80808080)
			}
			return
		}
		for g := range 2 {
			a, b := le.Uint32(q[8*g:]), le.Uint32(q[8*g+4:])
			le.PutUint32(words[128*g:], a&lower|b&lower<<4)
			le.PutUint32(words[128*(g+2):], a>>4&lower|b&^lower)
		}
	})
}

// UnpackBlocks is the reverse of PackBlocks.
func UnpackBlocks(d DType, n, k int, rows, src []byte) {
	eachBlock(d, n, k, src, rows, func(panel, row []byte, lane int) { UnpackBlock(d, row, panel, lane) })
}

// DequantizeRow gives the elements of one row of a matrix in panels: len(dst) is K.
func DequantizeRow(d DType, dst []float32, src []byte, row int) {
	var b [34]byte // the largest block
	size := d.Bytes(blockLen)
	panel := src[row/PanelWidth*PanelWidth*d.Bytes(len(dst)):]
	for ; len(dst) > 0; dst, panel = dst[blockLen:], panel[PanelWidth*size:] {
		UnpackBlock(d, b[:size], panel, row%PanelWidth)
		dequantize(d, dst[:blockLen], b[:size])
	}
}

// UnpackBlock is the block of one of 32 rows, of those of a panel at the same k.
func UnpackBlock(d DType, row, panel []byte, lane int) {
	le := binary.LittleEndian
	head := d.head()
	for at := 0; at < head; at += 2 {
		copy(row[at:at+2], panel[32*at+2*lane:])
	}
	words := panel[32*head+4*(lane%16)+64*(lane/16):]
	q := row[head:]
	if d == Q8_0 {
		for g := range 8 {
			le.PutUint32(q[4*g:], le.Uint32(words[128*g:])^0x80808080)
		}
		return
	}
	for g := range 2 {
		a, b := le.Uint32(words[128*g:]), le.Uint32(words[128*(g+2):])
		le.PutUint32(q[8*g:], a&lower|b&lower<<4)
		le.PutUint32(q[8*g+4:], a>>4&lower|b&^lower)
	}
}

// lower are the lower halves of bytes.
const lower = 0x0f0f0f0f

// head is the bytes of a block before its numbers.
func (d DType) head() int {
	if d == Q4_1 {
		return 4
	}
	return 2
}

// eachBlock goes over the blocks of an (N,K) matrix, with the block of the panel that has it, and its place there.
func eachBlock(d DType, n, k int, panels, rows []byte, do func(panel, row []byte, lane int)) {
	size, blocks := d.Bytes(blockLen), k/blockLen
	for r := range n {
		for b := range blocks {
			do(panels[(r/PanelWidth*blocks+b)*PanelWidth*size:], rows[(r*blocks+b)*size:][:size], r%PanelWidth)
		}
	}
}
