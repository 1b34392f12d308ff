//go:build !noasm

package cpu

import (
	"sync"

	"golang.org/x/sys/unix"
)

// tilesGranted asks the kernel, once, for permission to use AMX's tiles. It then saves them with each thread's
// registers, 8 KB more, for which Go's signal stacks have room.
var tilesGranted = sync.OnceValue(func() bool {
	const (
		archReqXCompPerm = 0x1023
		xtileData        = 18
	)
	_, _, errno := unix.RawSyscall(unix.SYS_ARCH_PRCTL, archReqXCompPerm, xtileData, 0)
	return errno == 0
})
