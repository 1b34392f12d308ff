package model

import (
	"maps"
	"slices"

	"hone/trainer/exec"
	"hone/trainer/graph"
)

// functions are transformers' activations by their names in a config.json, ACT2FN. It has two more,
// prelu and xielu, which have parameters.
var functions = map[string]exec.Activation{
	"gelu": exec.GELUErf, "gelu_python": exec.GELUErf, "gelu_10": exec.GELUClipped, "quick_gelu": exec.GELUQuick,
	"gelu_new": exec.GELUTanh, "gelu_fast": exec.GELUTanh, "gelu_accurate": exec.GELUTanh, "gelu_pytorch_tanh": exec.GELUTanh, "gelu_python_tanh": exec.GELUTanh,
	"relu": exec.ReLU, "relu2": exec.ReLUSquared, "relu6": exec.ReLU6, "leaky_relu": exec.ReLULeaky,
	"silu": exec.SiLU, "swish": exec.SiLU, "hardswish": exec.HardSwish, "mish": exec.Mish, "laplace": exec.Laplace,
	"sqrtsoftplus": exec.SqrtSoftplus, "tanh": exec.Tanh, "sigmoid": exec.Sigmoid, "linear": exec.Linear,
}

// activations are the names of functions.
var activations = slices.Sorted(maps.Keys(functions))

// activation is a function by its name in a config.json.
func activation(b *builder, name string, x *graph.Node) *graph.Node {
	switch f := functions[name]; f {
	case exec.GELUTanh:
		return b.GELU(x)
	case exec.GELUErf:
		return b.GELUErf(x)
	case exec.ReLU:
		return b.ReLU(x)
	case exec.Tanh:
		return b.Tanh(x)
	case exec.Sigmoid:
		return b.Sigmoid(x)
	default:
		return b.Activation(f, x)
	}
}
