package model

import "hone/trainer/graph"

// activations are the names that activation knows.
var activations = []string{"gelu", "gelu_new", "gelu_pytorch_tanh", "relu"}

// activation is a function by its name in a config.json.
func activation(b *graph.Builder, name string, x *graph.Node) *graph.Node {
	switch name {
	case "relu":
		return b.ReLU(x)
	case "gelu":
		return b.GELUErf(x)
	}
	return b.GELU(x)
}
