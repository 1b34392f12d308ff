package recipes

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"hone/data/task"
)

// A group is the keys that some stages have: a struct within Stage.
type group struct {
	name string // of the field
	of   []string
}

// groups are those of Stage, in its order.
func groups() (list []group) {
	for f := range fields(reflect.TypeFor[Stage]()) {
		if !f.Anonymous {
			continue
		}
		g := group{name: f.Name}
		for of := range strings.FieldsSeq(f.Tag.Get("of")) {
			key, follows := strings.CutPrefix(of, "finetune+")
			if !follows {
				g.of = append(g.of, of)
				continue
			}
			for _, k := range task.Kinds {
				if k.Follows(key) {
					g.of = append(g.of, "finetune/"+k.Name)
				}
			}
		}
		list = append(list, g)
	}
	return list
}

// in is the group within a stage.
func (g *group) in(s *Stage) reflect.Value { return reflect.ValueOf(s).Elem().FieldByName(g.name) }

// has reports whether stages of a kind and an objective have the group. Where one of these
// is not known, which is a fault of its own, it says nothing against a group.
func (g *group) has(kind, objective string) bool {
	if len(g.of) == 0 || !slices.Contains(stageKinds, kind) {
		return true
	}
	known := slices.Contains(objectives(kind), objective)
	return slices.ContainsFunc(g.of, func(of string) bool {
		k, o, any := strings.Cut(of, "/")
		return k == kind && (!any || o == objective || !known)
	})
}

// stages are those that have the group, in words: of each a kind, and an objective.
func (g *group) stages() (list []string) {
	for _, of := range g.of {
		kind, objective, learns := strings.Cut(of, "/")
		if learns {
			kind += fmt.Sprintf(" with objective = %q", objective)
		}
		list = append(list, kind)
	}
	return list
}

// only says to a stage of a kind and an objective which stages have the group.
func (g *group) only(kind, objective string) string {
	var learning []string
	for _, of := range g.of {
		if k, o, learns := strings.Cut(of, "/"); learns && k == kind {
			learning = append(learning, fmt.Sprintf("%q", o))
		}
	}
	if len(learning) == len(g.of) {
		return fmt.Sprintf("only objective = %s has it, not %s", strings.Join(learning, " or "), objective)
	}
	return fmt.Sprintf("only a stage of kind %s has it", strings.Join(g.stages(), " or "))
}
