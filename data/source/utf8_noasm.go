//go:build !amd64

package source

const hasUTF8Blocks = false

func utf8Blocks(*byte, int) bool { panic("not reached") }

func markRunes(*byte, *uint64, int) { panic("not reached") }
