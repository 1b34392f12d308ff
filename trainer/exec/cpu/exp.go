package cpu

import "math"

// expSub sets dst[i] = exp(src[i]-shift). dst may be src.
func expSub[T float](k *kernels, dst, src []T, shift T) {
	src = src[:len(dst)]
	for i, x := range src {
		dst[i] = T(math.Exp(float64(x - shift)))
	}
}
