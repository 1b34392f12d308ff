package cpu

import "math"

// The GELU itself, x·Φ(x) with the normal distribution Φ: BERT's "gelu". As Φ(x) = 1 - Φ(-x),
// y = max(x,0) - |x|·Φ(-|x|), which loses nothing by cancellation.

// erfGELUTo sets dst to x·Φ(x). dst may be x.
func erfGELUTo[T float](k *kernels, dst, x []T) {
	x = x[:len(dst)]
	if isF32[T]() && k.erfGELU != nil && len(dst) > 0 {
		k.erfGELU(len(dst), f32(dst), f32(x))
		return
	}
	for i, v := range x {
		x := max(float64(v), -40) // -∞ would meet a zero
		dst[i] = T(x * float64(0.5*math.Erfc(-x/math.Sqrt2)))
	}
}

// erfGELUGradTo sets dst to dy·(Φ(x) + x·φ(x)), with the normal density φ. dst may be x or dy.
func erfGELUGradTo[T float](k *kernels, dst, x, dy []T) {
	x, dy = x[:len(dst)], dy[:len(dst)]
	if isF32[T]() && k.erfGELUGrad != nil && len(dst) > 0 {
		k.erfGELUGrad(len(dst), f32(dst), f32(x), f32(dy))
		return
	}
	const density = 0.5 * math.Sqrt2 / math.SqrtPi // φ(0)
	for i, v := range x {
		x := min(max(float64(v), -40), 40)
		phi := float64(x*density) * math.Exp(-0.5*float64(x*x))
		dst[i] = T(float64(dy[i]) * (float64(0.5*math.Erfc(-x/math.Sqrt2)) + phi))
	}
}
