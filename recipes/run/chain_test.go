package run

import (
	"strings"
	"testing"

	"hone/checkpoint"
)

// A chain that begins with an import says that it does not know what came before.
func TestTreeOfImported(t *testing.T) {
	var tree strings.Builder
	p := Provenance{Stage: "import", Chain: []checkpoint.Origin{{Stage: "import", Imported: &checkpoint.Import{Name: "someone/model"}}}}
	if err := p.Tree(&tree); err != nil || !strings.Contains(tree.String(), "imported: someone/model; what it was trained on is not known") {
		t.Errorf("%v: %s", err, &tree)
	}
}
