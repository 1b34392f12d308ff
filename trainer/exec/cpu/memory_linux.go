package cpu

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// PeakMemory is the most memory that the process has held at once, in bytes.
func PeakMemory() int64 {
	return kilobytes("/proc/self/status", "VmHWM:")
}

// Memory is what there is for this process: the machine's memory, or what its
// control groups leave of it, and what of the machine's is free now; 0: not known.
func Memory() (total, free int64) {
	total = math.MaxInt64
	if n := kilobytes("/proc/meminfo", "MemTotal:"); n > 0 {
		total = n
	}
	limits := []string{"memory.max", "memory/memory.limit_in_bytes"}
	groups, _ := os.ReadFile("/proc/self/cgroup") // without it there are the two above
	for line := range strings.Lines(string(groups)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(f) < 3:
		case f[1] == "": // version 2: a group is bound by those above it
			for dir := f[2]; dir != "/" && dir != "."; dir = filepath.Dir(dir) {
				limits = append(limits, filepath.Join(dir, "memory.max"))
			}
		case f[1] == "memory":
			limits = append(limits, filepath.Join("memory", f[2], "memory.limit_in_bytes"))
		}
	}
	for _, path := range limits {
		text, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", path))
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 { // else "max"
			total = min(total, n)
		}
	}
	return total, min(total, kilobytes("/proc/meminfo", "MemAvailable:"))
}

// kilobytes is a line of one of the kernel's tables, in bytes; 0: it is not there.
func kilobytes(file, name string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, name); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "kB")), 10, 64)
			if err == nil {
				return n << 10
			}
		}
	}
	return 0
}
