//go:build !linux

package cpu

import "math"

// PeakMemory is not known here: 0.
func PeakMemory() int64 { return 0 }

// Memory is not known here: as much as there can be, and 0 that is free.
func Memory() (total, free int64) { return math.MaxInt64, 0 }
