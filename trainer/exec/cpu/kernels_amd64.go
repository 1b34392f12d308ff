//go:build !noasm

package cpu

import "golang.org/x/sys/cpu"

var avx2Kernels = kernels{
	name: "avx2", lanes: 8,
	attention:          attention_avx2,
	elementwiseKernels: elementwise_avx2,
	gemmKernels:        gemm_avx2,
	panels:             panel_avx2,
	peakKernels:        peak_avx2,
	quantKernels:       quant_avx2,
	rowsKernels:        rows_avx2,
}

var avx512Kernels = kernels{
	name: "avx512", lanes: 16,
	attention:          attention_avx512,
	bf16:               bf16_avx512,
	elementwiseKernels: elementwise_avx512,
	gemmKernels:        gemm_avx512,
	panels:             panel_avx512,
	peakKernels:        peak_avx512,
	quantKernels:       quantAVX512(),
	rowsKernels:        rows_avx512,
}

// quantAVX512 takes the sums of 8 bits from AVX2 where the processor has no VPDPBUSD; they are the same bits.
func quantAVX512() quantKernels {
	k := quant_avx512
	if !cpu.X86.HasAVX512VNNI {
		k.dot8 = quant_avx2.dot8
	}
	return k
}
