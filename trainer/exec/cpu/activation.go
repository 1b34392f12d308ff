package cpu

import "math"

// tanhTo sets dst to the hyperbolic tangent of x. dst may be x.
func tanhTo[T float](k *kernels, dst, x []T) {
	x = x[:len(dst)]
	if isF32[T]() && k.tanh != nil && len(dst) > 0 {
		k.tanh(len(dst), f32(dst), f32(x))
		return
	}
	for i, v := range x {
		dst[i] = T(math.Tanh(float64(v)))
	}
}

// sigmoidTo sets dst to 1/(1+exp(-x)). dst may be x.
func sigmoidTo[T float](k *kernels, dst, x []T) {
	x = x[:len(dst)]
	if isF32[T]() && k.sigmoid != nil && len(dst) > 0 {
		k.sigmoid(len(dst), f32(dst), f32(x))
		return
	}
	for i, v := range x {
		dst[i] = T(1 / (1 + math.Exp(-float64(v))))
	}
}

// reluTo sets dst to max(x, 0), of a NaN to NaN. dst may be x.
func reluTo[T float](k *kernels, dst, x []T) {
	x = x[:len(dst)]
	if isF32[T]() && k.relu != nil && len(dst) > 0 {
		k.relu(len(dst), f32(dst), f32(x))
		return
	}
	for i, v := range x {
		if v <= 0 {
			v = 0
		}
		dst[i] = v
	}
}

// tanhGradTo sets dst = dy·(1-y²). dst may be y or dy.
func tanhGradTo[T float](k *kernels, dst, y, dy []T) {
	y, dy = y[:len(dst)], dy[:len(dst)]
	if isF32[T]() && k.tanhGrad != nil && len(dst) > 0 {
		k.tanhGrad(len(dst), f32(dst), f32(y), f32(dy))
		return
	}
	for i, v := range y {
		dst[i] = dy[i] * (1 - T(v*v))
	}
}

// sigmoidGradTo sets dst = dy·y·(1-y). dst may be y or dy.
func sigmoidGradTo[T float](k *kernels, dst, y, dy []T) {
	y, dy = y[:len(dst)], dy[:len(dst)]
	if isF32[T]() && k.sigmoidGrad != nil && len(dst) > 0 {
		k.sigmoidGrad(len(dst), f32(dst), f32(y), f32(dy))
		return
	}
	for i, v := range y {
		dst[i] = dy[i] * (v * (1 - v))
	}
}

// reluGradTo sets dst to dy where y is above 0, else to 0. dst may be y or dy.
func reluGradTo[T float](k *kernels, dst, y, dy []T) {
	y, dy = y[:len(dst)], dy[:len(dst)]
	if isF32[T]() && k.reluGrad != nil && len(dst) > 0 {
		k.reluGrad(len(dst), f32(dst), f32(y), f32(dy))
		return
	}
	for i, v := range y {
		var g T
		if v > 0 {
			g = dy[i]
		}
		dst[i] = g
	}
}
