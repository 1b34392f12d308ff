//go:build !noasm

package cpu

import "golang.org/x/sys/cpu"

// available lists the sets that this processor and system run, best first.
func available() []*kernels {
	var have []*kernels
	x := &cpu.X86
	if x.HasAVX512F && x.HasAVX512VL && x.HasAVX512DQ && x.HasAVX512BW && x.HasFMA {
		have = append(have, &avx512Kernels)
	}
	if x.HasAVX2 && x.HasFMA {
		have = append(have, &avx2Kernels)
	}
	return append(have, &genericKernels)
}

// bf16Sets lists the bf16 sets that this processor and system can run beside a kernel set, best first.
func bf16Sets(k *kernels) []*bf16Set {
	var have []*bf16Set
	x := &cpu.X86
	if k.bf16.rowTiles == nil || !x.HasAVX512BF16 {
		return nil
	}
	if x.HasAMXTile && x.HasAMXBF16 && tilesGranted() {
		have = append(have, &amxSet)
	}
	return append(have, &vdpSet)
}
