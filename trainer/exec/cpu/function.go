package cpu

import (
	"math"

	"hone/trainer/exec"
)

// functionOf gives an activation and its derivative, in float64, for functions that have no op or assembly of their own.
// At a corner of a function the derivative is torch's.
func functionOf(f exec.Activation, x float64) (y, dy float64) {
	switch f {
	case exec.SiLU, exec.GELUTanh:
		x, s, df := gateOf(f, x)
		return x * s, df
	case exec.GELUErf:
		return gelu64Of(x)
	case exec.GELUClipped:
		if y, dy = gelu64Of(x); y > 10 {
			y, dy = 10, 0
		}
		return y, dy
	case exec.GELUQuick:
		const a = 1.702
		x = max(x, -400)
		s := sigmoidOf(a * x)
		return x * s, s + float64(a*float64(min(x, 400)*float64(s*float64(1-s))))
	case exec.ReLU:
		if x <= 0 {
			return 0, 0
		}
		return x, 1
	case exec.ReLUSquared:
		if x <= 0 {
			return 0, 0
		}
		return x * x, 2 * x
	case exec.ReLU6:
		switch {
		case x <= 0:
			return 0, 0
		case x >= 6:
			return 6, 0
		}
		return x, 1
	case exec.ReLULeaky:
		if x <= 0 {
			return 0.01 * x, 0.01
		}
		return x, 1
	case exec.HardSwish:
		switch {
		case x < -3:
			return 0, 0
		case x > 3:
			return x, 1
		}
		return float64(x*float64(x+3)) / 6, x/3 + 0.5
	case exec.Mish:
		x = max(x, -700)
		t := math.Tanh(softplusOf(x))
		return x * t, t + float64(min(x, 700)*float64(float64(1-float64(t*t))*sigmoidOf(x)))
	case exec.Laplace:
		const mean, deviation = 0.707107, 0.282095
		z := (x - mean) / deviation
		return 0.5 * math.Erfc(-z/math.Sqrt2), math.Exp(-0.5*float64(z*z)) / (deviation * math.Sqrt2 * math.SqrtPi)
	case exec.SqrtSoftplus:
		x = max(x, -700)
		y = math.Sqrt(softplusOf(x))
		return y, sigmoidOf(x) / (2 * y)
	case exec.Tanh:
		y = math.Tanh(x)
		return y, 1 - float64(y*y)
	case exec.Sigmoid:
		y = sigmoidOf(x)
		return y, y * (1 - y)
	}
	return x, 1 // exec.Linear
}

// gelu64Of is x·Φ(x) and its derivative. x is bounded, so that infinity is not multiplied by zero.
func gelu64Of(x float64) (y, dy float64) {
	x = max(x, -40)
	half := 0.5 * math.Erfc(-x/math.Sqrt2) // Φ(x)
	held := min(x, 40)
	const density = 0.5 * math.Sqrt2 / math.SqrtPi // φ(0)
	return x * half, half + float64(float64(held*density)*math.Exp(-0.5*float64(held*held)))
}

func sigmoidOf(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// softplusOf is log(1+exp(x)).
func softplusOf(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
