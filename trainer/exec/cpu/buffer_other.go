//go:build !linux

package cpu

// adviseHuge does nothing: these systems choose by themselves.
func adviseHuge([]byte) {}
