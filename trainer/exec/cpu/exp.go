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

const expBlock = 4096 // exponentials that are held at once; a multiple of 16

// expSum is the sum of exp(src[i]-shift).
func expSum[T float](k *kernels, w *scratch, src []T, shift T) T {
	if isF32[T]() && k.expSum != nil && len(src) > 0 {
		k.expSum(len(src), &w.cell[0], f32(src), float32(shift))
		return T(w.cell[0])
	}
	block := lend[T](w, slotA, min(expBlock, len(src)))
	var l lanes[T]
	for len(src) > 0 {
		n := min(len(src), expBlock)
		expSub(k, block[:n], src[:n], shift)
		l.sum(block[:n])
		src = src[n:]
	}
	return l.tree()
}

// expScale sets dst[i] = exp(src[i]-shift)·scale. dst may be src.
func expScale[T float](k *kernels, dst, src []T, shift, scale T) {
	src = src[:len(dst)]
	if isF32[T]() && k.expScale != nil && len(dst) > 0 {
		k.expScale(len(dst), f32(dst), f32(src), float32(shift), float32(scale))
		return
	}
	for i, x := range src {
		dst[i] = T(math.Exp(float64(x-shift))) * scale
	}
}
