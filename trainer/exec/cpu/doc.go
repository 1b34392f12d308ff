// Package cpu runs programs on the processor's cores.
//
// Every op has a portable kernel, generic over float32 and float64, which is the
// reference. The float32 kernels that take time are assembly for AVX2 and AVX-512,
// chosen by what the processor has; the float64 kernels are always the portable ones.
//
// Where a kernel only waits for memory it rounds each product, as the portable code
// does, and then all sets give the same bits: norms and their gradients, sums over
// rows, RoPE, dropout, AdamW, Muon's updates, sums of squares. Matrix products use
// fused multiply-adds, and the two vector sets agree in their chains. The vector
// exponential is within 1 unit in the last place, and so are within 3 the functions
// made of it, tanh, sigmoid and SiLU; GELU's error, in either form, is below 2e-7·max(1,|x|). AVX2 and
// AVX-512 give the same bits in these as well.
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
//
// Weights may lie in panels, as floats or in 16 bits, and are then read in place: the same
// chain, of their values (panels.go).
//
// Where an instruction asks for it, products round their operands to bf16 and add in
// float32, by AMX or by VDPBF16PS: gemm_bf16.go says in which order. These two differ;
// the name of a device says which it is. On other processors there are none.
package cpu
