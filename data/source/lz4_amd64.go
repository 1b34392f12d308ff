package source

import "golang.org/x/sys/cpu"

var hasLZ4Fast = cpu.X86.HasAVX

// What lz4Fast reads and writes at most for one sequence.
const (
	lz4FastSource = 320
	lz4FastRoom   = 640
)

// lz4Fast decodes sequences of a block of n bytes to dst from byte at on, as long as
// lz4FastSource bytes are left of the block and lz4FastRoom of the room bytes of dst. It
// stops where a length takes more than one byte more, or a match is damaged, and returns
// where it is. Bytes of dst beyond that may be overwritten.
//
//go:noescape
func lz4Fast(dst *byte, at, room int, src *byte, n int) (to, used int)
