package recipes

import (
	"maps"
	"slices"
	"sort"

	"hone/checkpoint/provenance"
)

// ProvenanceLacks refuses corpora that do not say where they come from, where the recipe
// asks for it: all of them at once, each with the keys that it lacks.
func (r *Recipe) ProvenanceLacks(corpora map[string]provenance.Corpus) error {
	if !r.RequireProvenance {
		return nil
	}
	faults := &Faults{File: r.origin.file}
	d := decoder{faults: faults, lines: r.origin.lines}
	for _, name := range slices.Sorted(maps.Keys(corpora)) {
		p := corpora[name]
		for _, f := range []struct{ key, value string }{
			{"origin", p.Source}, {"licence", p.Licence}, {"consent", p.Consent}, {"collected", p.Collected},
		} {
			if f.value == "" {
				d.fault("corpus."+name+"."+f.key, "missing, and the recipe has require_provenance = true")
			}
		}
	}
	if len(faults.List) == 0 {
		return nil
	}
	sort.SliceStable(faults.List, func(a, b int) bool { return faults.List[a].Line < faults.List[b].Line })
	return faults
}
