//go:build !amd64 || noasm

package cpu

func available() []*kernels { return []*kernels{&genericKernels} }
