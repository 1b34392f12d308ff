package cpu

import "math"

// expSub sets dst[i] = exp(src[i]-shift). dst may be src.
func expSub[T float](k *kernels, dst, src []T, shift T) {
	src = src[:len(dst)]
	if isF32[T]() && k.exp != nil && len(dst) > 0 {
		k.exp(len(dst), f32(dst), f32(src), float32(shift))
		return
	}
	for i, x := range src {
		dst[i] = T(math.Exp(float64(x - shift)))
	}
}
