//go:build !noasm && !linux

package cpu

// tilesGranted is false: it is not known that other systems save AMX's tiles without being asked.
func tilesGranted() bool { return false }
