package corpus

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"hone/data/clean"
	"hone/data/source"
)

// labelAt gives the label of a row. There is none where the value is null or blank, which is
// how CSV writes a missing value.
func labelAt(b *source.Batch, col, row int) (label string, ok bool) {
	label, ok = b.Text(col, row)
	return label, ok && strings.TrimSpace(label) != ""
}

// labelCounts counts the rows of each label.
type labelCounts map[string]*LabelCount

func (c labelCounts) add(label string, side clean.Split) {
	l := c[label]
	if l == nil {
		// Clone it: its text is part of a record batch, which would stay in memory.
		l = &LabelCount{Name: strings.Clone(label)}
		c[l.Name] = l
	}
	*l.of(side)++
}

// of gives the count of a label in a split.
func (l *LabelCount) of(side clean.Split) *int64 {
	return [3]*int64{clean.Train: &l.Train, clean.Validation: &l.Validation, clean.Test: &l.Test}[side]
}

// list returns the counts, sorted by name.
func (c labelCounts) list() []LabelCount {
	list := []LabelCount{}
	for _, l := range c {
		list = append(list, *l)
	}
	slices.SortFunc(list, func(a, b LabelCount) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// minusOne marks rows without a label where datasets numbers the classes.
const minusOne = "-1"

// fewest is the number of rows of a split from which on it is no coincidence that all have label
// -1.
const fewest = 10

// marksNone reports whether -1 is among the labels and all others are 0, 1, … (numbers), and
// whether -1 then marks rows without a label: if it is the only label of a split, as in the test
// splits of GLUE, or if there are three or more other classes. With only 0 and 1 it may be a
// class, as in negative, neutral, positive.
func marksNone(labels []LabelCount) (none, numbers bool) {
	at := slices.IndexFunc(labels, func(l LabelCount) bool { return l.Name == minusOne })
	if at < 0 {
		return false, false
	}
	known := map[string]bool{}
	for _, l := range labels {
		known[l.Name] = true
	}
	for i := range len(labels) - 1 {
		if !known[strconv.Itoa(i)] {
			return false, false
		}
	}
	if len(labels)-1 >= 3 {
		return true, true
	}
	for side := range splitNames {
		only := *labels[at].of(clean.Split(side)) >= fewest
		for i := range labels {
			only = only && (i == at || *labels[i].of(clean.Split(side)) == 0)
		}
		none = none || only && len(labels) > 1
	}
	return none, true
}

// setLabels sets the labels of a corpus, and the one that marks rows without a label, which is
// earlier where that is known.
func (c *Corpus) setLabels(labels []LabelCount, earlier string, say func(notice string)) {
	name := c.Provenance.Name
	none, numbers := marksNone(labels)
	if c.none = earlier; none {
		c.none = minusOne
	}
	switch {
	case say == nil:
	case c.none != "":
		say(fmt.Sprintf("corpus %s: label %s marks documents without a label, as datasets writes it", name, c.none))
	case numbers:
		say(fmt.Sprintf("corpus %s: label -1 is taken for a class like the others (hint: where it marks documents without a label, leave their label empty)", name))
	}
	for side, s := range []*Split{c.Train, c.Validation, c.Test} {
		if s == nil {
			continue
		}
		s.labelled = 0
		for i := range labels {
			if l := &labels[i]; l.Name != c.none {
				s.labelled += *l.of(clean.Split(side))
			}
		}
		for i := range s.files {
			s.files[i].none = c.none
		}
	}
	for _, l := range labels {
		if l.Name != c.none && strings.TrimSpace(l.Name) != "" {
			c.Labels = append(c.Labels, l.Name)
		}
	}
	slices.Sort(c.Labels)
}
