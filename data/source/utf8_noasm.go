//go:build !amd64

package source

const hasUTF8Blocks = false

func utf8Blocks(*byte, int) bool { panic("not reached") }

func countBlocks(*byte, int) int { panic("not reached") }
