//go:build !noasm

package cpu

import (
	"sync"

	"golang.org/x/sys/unix"
)

// tilesGranted asks the kernel, once, to keep AMX's tiles for this process's threads: 8 KB each,
// which Go's signal stacks have room for.
var tilesGranted = sync.OnceValue(func() bool {
	const (
		archReqXCompPerm = 0x1023
		xtileData        = 18
	)
	_, _, errno := unix.RawSyscall(unix.SYS_ARCH_PRCTL, archReqXCompPerm, xtileData, 0)
	return errno == 0
})
