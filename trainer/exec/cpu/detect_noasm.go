//go:build !amd64 || noasm

package cpu

func bf16Sets(*kernels) []*bf16Set { return nil }

func available() []*kernels { return []*kernels{&genericKernels} }
