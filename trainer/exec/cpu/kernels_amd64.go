//go:build !noasm

package cpu

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
	quantKernels:       quant_avx512,
	rowsKernels:        rows_avx512,
}
