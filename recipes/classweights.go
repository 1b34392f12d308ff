package recipes

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// ClassWeights are the weights of labels in the loss: those given, others being 1, or such that all labels count alike.
type ClassWeights struct {
	Balanced bool
	Of       map[string]float64 // by label
}

const balanced = "balanced"

// MarshalTOML writes "balanced" or a table.
func (c ClassWeights) MarshalTOML() ([]byte, error) {
	if c.Balanced {
		return fmt.Appendf(nil, "%q", balanced), nil
	}
	var list []string
	for _, label := range slices.Sorted(maps.Keys(c.Of)) {
		key, err := json.Marshal(label) // whose escapes are TOML's
		if err != nil {
			return nil, err
		}
		list = append(list, fmt.Sprintf("%s = %g", key, c.Of[label]))
	}
	return []byte("{" + strings.Join(list, ", ") + "}"), nil
}

// classWeights are those that a value of a recipe says; nil: it is a fault.
func (d *decoder) classWeights(x any, path string) *ClassWeights {
	const want = `want "balanced", or a table of weights by label, such as {spam = 5, ham = 1}`
	if x == balanced {
		return &ClassWeights{Balanced: true}
	}
	table, ok := x.(map[string]any)
	if !ok || len(table) == 0 {
		d.fault(path, "%s, not %s", want, describe(x))
		return nil
	}
	c := &ClassWeights{Of: map[string]float64{}}
	for _, label := range slices.Sorted(maps.Keys(table)) {
		v, ok := number(table[label])
		if !ok || !(v > 0) || v > math.MaxFloat32 {
			d.fault(path, "the weight of %q is %s: want a number above 0", label, describe(table[label]))
			return nil
		}
		c.Of[label] = v
	}
	return c
}
