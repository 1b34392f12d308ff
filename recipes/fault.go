package recipes

import (
	"fmt"
	"strings"
)

// A Fault is one thing wrong with a recipe.
type Fault struct {
	Line    int    // 0: from the command line, or of the recipe as a whole
	Key     string // dotted, stages by name
	Message string
}

// Faults is every fault of a recipe, in the order of the file.
type Faults struct {
	File string
	List []Fault
}

func (f *Faults) Error() string {
	var b strings.Builder
	for i, x := range f.List {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(f.File)
		if x.Line > 0 {
			fmt.Fprintf(&b, ":%d", x.Line)
		}
		b.WriteString(": ")
		if x.Key != "" {
			b.WriteString(x.Key + ": ")
		}
		b.WriteString(x.Message)
	}
	return b.String()
}
