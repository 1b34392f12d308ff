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

	err error // that it is of, where it need not be the recipe's: a hub that does not answer
}

// Faults is every fault of a recipe, in the order of the file. It is ErrInput.
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

// Is says that faults are the user's to mend.
func (f *Faults) Is(target error) bool { return target == ErrInput }

// Unwrap gives the errors behind the faults, which may be an interruption's or the machine's.
func (f *Faults) Unwrap() (list []error) {
	for _, x := range f.List {
		if x.err != nil {
			list = append(list, x.err)
		}
	}
	return list
}
