package model

import "encoding/json"

// Window is how many rows a token sees up to its own; 0, in JSON null: all.
type Window int

// UnmarshalJSON reads null or a number.
func (w *Window) UnmarshalJSON(b []byte) error {
	*w = 0
	return json.Unmarshal(b, (*int)(w))
}

// MarshalJSON writes 0 as null.
func (w Window) MarshalJSON() ([]byte, error) {
	if w == 0 {
		return []byte("null"), nil
	}
	return json.Marshal(int(w))
}

// transformers' names of the types of layers, by what their tokens see.
const (
	seesAll    = "full_attention"
	seesWindow = "sliding_attention"
)

// windowsOf gives the window of each layer; nil if no layer has one.
func windowsOf(types []string, window int) []int {
	var windows []int
	for i, t := range types {
		if t == seesWindow {
			if windows == nil {
				windows = make([]int, len(types))
			}
			windows[i] = window
		}
	}
	return windows
}

// everyNth are the types of layers every nth of which has full attention.
func everyNth(n, layers int) []string {
	types := make([]string, layers)
	for i := range types {
		if types[i] = seesWindow; (i+1)%n == 0 {
			types[i] = seesAll
		}
	}
	return types
}

// layerTypes refuses a list that does not have one known type for each layer.
func (f *Faults) layerTypes(types []string, layers, window int) {
	if len(types) == 0 {
		return
	}
	if len(types) != layers {
		f.add("layer_types", "%d of them, but num_hidden_layers is %d", len(types), layers)
	}
	for _, t := range types {
		if t != seesAll && t != seesWindow {
			f.add("layer_types", "%q is not known; known are %s, %s", t, seesAll, seesWindow)
			return
		}
		if t == seesWindow && window < 1 {
			f.add("sliding_window", "missing: layers of layer_types are %s", seesWindow)
			return
		}
	}
}
