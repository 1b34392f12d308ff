package recipes

import (
	"embed"
	"strings"
)

//go:embed *.toml
var files embed.FS

// Builtin lists the names of the recipes inside the program.
func Builtin() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // the embedded tree always has its root
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".toml"))
	}
	return names
}

func builtin(name string) (string, bool) {
	b, err := files.ReadFile(name + ".toml")
	return string(b), err == nil
}
