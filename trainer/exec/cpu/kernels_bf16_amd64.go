//go:build !noasm

package cpu

var (
	amxSet = bf16Set{name: "amx", product: bf16_avx512.amx, loop: bf16_avx512.amxLoop, loopFLOPs: 4 * 2 * 16 * 16 * 32}
	vdpSet = bf16Set{name: "vdpbf16ps", product: bf16_avx512.vdp, loop: bf16_avx512.vdpLoop, loopFLOPs: 16 * 2 * 32}
)
