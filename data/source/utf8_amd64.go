package source

import "golang.org/x/sys/cpu"

var hasUTF8Blocks = cpu.X86.HasAVX2

// utf8Blocks reports whether n bytes, a multiple of 32, hold no fault of UTF-8; a
// character that the end cuts is none. It looks up in three tables what a byte
// and the one before it may not be together (Keiser and Lemire, Validating UTF-8
// in less than one instruction per byte, 2021, https://arxiv.org/abs/2010.03090).
//
//go:noescape
func utf8Blocks(p *byte, n int) bool

// markRunes sets a bit for each byte of n > 0 blocks of 64 that begins a character.
//
//go:noescape
func markRunes(p *byte, marks *uint64, n int)
