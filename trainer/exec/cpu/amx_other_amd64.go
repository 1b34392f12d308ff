//go:build !noasm && !linux

package cpu

// tilesGranted: other systems are not known to keep AMX's tiles when they are not asked.
func tilesGranted() bool { return false }
