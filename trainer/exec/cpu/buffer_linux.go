package cpu

import "golang.org/x/sys/unix"

// adviseHuge asks for large pages.
func adviseHuge(mem []byte) {
	unix.Madvise(mem, unix.MADV_HUGEPAGE) // a kernel without them says EINVAL; nothing is lost
}
