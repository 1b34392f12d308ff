//go:build !noasm

package cpu

func available() []*kernels { return []*kernels{&genericKernels} }
