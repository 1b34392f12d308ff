package corpus

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"hone/data/source"
)

// A LabelsError says that the labels of a corpus are not those of a model.
type LabelsError struct{ what string }

func (e *LabelsError) Error() string { return e.what }

// MatchLabels matches the labels of a corpus with those of a model by name. It returns the
// labels in the order of the model, spelled as in the corpus. Case is ignored unless two names
// differ by case alone. LABEL_0, LABEL_1…, which are transformers' names of unnamed classes,
// match 0, 1….
func (c *Corpus) MatchLabels(labels []string) ([]string, error) {
	order := slices.Clone(labels)
	var missing []string
	for _, name := range c.Labels {
		at := slices.Index(labels, name)
		if at < 0 {
			at = onlyIndex(labels, func(l string) bool { return strings.EqualFold(l, name) })
		}
		if at < 0 && unnamed(labels) {
			at = slices.Index(labels, "LABEL_"+name)
		}
		if at < 0 || order[at] != labels[at] { // or two of the corpus are one of the model
			missing = append(missing, name)
			continue
		}
		order[at] = name
	}
	if len(missing) > 0 || len(c.Labels) == 0 {
		return nil, &LabelsError{fmt.Sprintf("the labels of corpus %s (%s) are not those of the model (%s): it has no %s",
			c.Provenance.Name, source.Listed(c.Labels), source.Listed(labels), source.Listed(missing))}
	}
	return order, nil
}

// onlyIndex gives the index of the only string that is accepted; -1: there is none, or several.
func onlyIndex(list []string, meant func(string) bool) int {
	at := slices.IndexFunc(list, meant)
	if at >= 0 && slices.ContainsFunc(list[at+1:], meant) {
		return -1
	}
	return at
}

// unnamed reports whether labels are those of a model whose classes have no names.
func unnamed(labels []string) bool {
	for i, l := range labels {
		if l != "LABEL_"+strconv.Itoa(i) {
			return false
		}
	}
	return true
}

// Unlabelled gives the error for a split without labels that needs them.
func (c *Corpus) Unlabelled(split *Split, what string) error {
	if split == nil || split.Labelled() > 0 {
		return nil
	}
	return fmt.Errorf("no document of split %s of corpus %s has a label %s (hint: label names the column)", split.Name, c.Provenance.Name, what)
}
