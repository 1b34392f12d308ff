//go:build !linux

package run

import "math"

// peakMemory is not known here: 0.
func peakMemory() int64 { return 0 }

// machineMemory is not known here: as much as there can be, and 0 that is free.
func machineMemory() (total, free int64) { return math.MaxInt64, 0 }
