// Package cpu runs programs on the processor's cores.
//
// Every op has a portable kernel, generic over float32 and float64, which is the
// reference. Matrix products, exp and GELU have float32 assembly for AVX2 and
// AVX-512 beside it, chosen by what the processor has; the float64 kernels are
// always the portable ones.
//
// For a given kernel set, results are the same bits for any number of threads:
// work is cut over rows and columns of the output, never over a sum, or into
// chunks that depend on shapes alone. An element of a matrix product is one chain
// over k in order,
//
//	c = 0; for k: c = fma(a[k], b[k], c)
//
// (generic: the product is rounded, then added), whatever the block sizes, the
// number of rows, or its place in the matrix. So a row computed alone equals the
// same row computed among others.
package cpu
