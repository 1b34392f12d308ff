package metric

import (
	"fmt"
	"slices"
	"strings"
)

// A Scheme says how tags of words make entities, and when one is found.
type Scheme int

const (
	// Conlleval is seqeval's default and conlleval's: an entity begins at a B- or S-, and also at an
	// I- or E- that continues nothing.
	Conlleval Scheme = iota
	// IOB2 is seqeval's strict mode: an entity begins at B- alone, and I- continues it.
	IOB2
	// IOBES is seqeval's strict mode: B- I-… E-, or S-. A run without its E- is no entity.
	IOBES
)

// Schemes has the names of schemes.
var Schemes = [...]string{Conlleval: "conlleval", IOB2: "iob2", IOBES: "iobes"}

// An Entity is the span of words [First, Last) with its type.
type Entity struct {
	Type        string
	First, Last int
}

// Entities lists the entities of the tags of a sequence: O, or one of B, I, E and S, with a hyphen and
// a type. It fails at any other tag, and in a strict scheme at one that is not of it.
func (s Scheme) Entities(tags []string) ([]Entity, error) {
	prefix, kind := make([]byte, len(tags)+1), make([]string, len(tags)+1)
	for i, tag := range tags {
		known := "OBIES"
		if s == IOB2 {
			known = "OBI"
		}
		p, t, hyphen := strings.Cut(tag, "-")
		if len(p) != 1 || !strings.Contains(known, p) || hyphen == (p == "O") || hyphen && t == "" {
			if s == IOB2 {
				return nil, fmt.Errorf("tag %q is none of IOB2: want O, B-TYPE or I-TYPE", tag)
			}
			return nil, fmt.Errorf("tag %q: want O, or B-, I-, E- or S- with a type", tag)
		}
		prefix[i], kind[i] = p[0], t
	}
	prefix[len(tags)] = 'O'
	var list []Entity
	if s == Conlleval {
		first, before, was := 0, byte('O'), ""
		for i, p := range prefix {
			t := kind[i]
			// An entity ends before this word, and begins with it.
			ended := before == 'E' || before == 'S' || p == 'B' || p == 'S' || p == 'O' || was != t
			if before != 'O' && ended {
				list = append(list, Entity{was, first, i})
			}
			if p != 'O' && (ended || before == 'O') {
				first = i
			}
			before, was = p, t
		}
		return list, nil
	}
	for i := 0; i < len(tags); {
		first := i
		i++
		if prefix[first] != 'B' && prefix[first] != 'S' {
			continue
		}
		for prefix[i-1] != 'E' && prefix[i-1] != 'S' && (prefix[i] == 'I' || prefix[i] == 'E') && kind[i] == kind[first] {
			i++
		}
		if s == IOB2 || prefix[i-1] == 'E' || prefix[i-1] == 'S' {
			list = append(list, Entity{kind[first], first, i})
		}
	}
	return list, nil
}

// A Tagging is what tags of words are judged by: entities are right if their type and both borders
// are.
type Tagging struct {
	F1, Precision, Recall, MacroF1, WeightedF1 Figure
	Types                                      []TypeF1 // in the order of their names
}

// TypeF1 is how the entities of a type did.
type TypeF1 struct {
	Type                  string
	Precision, Recall, F1 float64
	True, Predicted       int
}

// ScoreTags scores predicted against true tags of sequences. It fails if the sequences differ in
// number or length, or a tag is none of the scheme.
func ScoreTags(truth, predicted [][]string, scheme Scheme, groups Groups) (Tagging, error) {
	if err := sameTags(truth, predicted, groups); err != nil {
		return Tagging{}, err
	}
	a, b := make([][]Entity, len(truth)), make([][]Entity, len(truth))
	var err error
	for i := range truth {
		if a[i], err = scheme.Entities(truth[i]); err == nil {
			b[i], err = scheme.Entities(predicted[i])
		}
		if err != nil {
			return Tagging{}, fmt.Errorf("metric: item %d: %w", i, err)
		}
	}
	mode := "seqeval's default mode, which is conlleval's: an I- that continues nothing begins an entity"
	suffix := ""
	if scheme != Conlleval {
		name := Schemes[scheme]
		mode = "seqeval's strict mode with the scheme " + strings.ToUpper(name) + ": an I- that continues nothing is no entity"
		suffix = "_" + name
	}
	return scoreEntities(a, b, mode, suffix, groups), nil
}

func sameTags(truth, predicted [][]string, groups Groups) error {
	if len(truth) != len(predicted) {
		return fmt.Errorf("metric: tags of %d items, predictions of %d", len(truth), len(predicted))
	}
	for i := range truth {
		if len(truth[i]) != len(predicted[i]) {
			return fmt.Errorf("metric: item %d: %d true tags, %d predicted", i, len(truth[i]), len(predicted[i]))
		}
	}
	return groups.check(len(truth))
}

func scoreEntities(truth, predicted [][]Entity, mode, suffix string, groups Groups) Tagging {
	index := map[string]int{}
	for _, lists := range [][][]Entity{truth, predicted} {
		for _, list := range lists {
			for _, e := range list {
				index[e.Type] = 0
			}
		}
	}
	var types []string
	for t := range index {
		types = append(types, t)
	}
	slices.Sort(types)
	for k, t := range types {
		index[t] = k
	}
	// For each type: hits, predicted, true.
	rows := make([][]float64, len(truth))
	total := make([]float64, 3*len(types))
	for i := range rows {
		row := make([]float64, 3*len(types))
		there := make(map[Entity]bool, len(truth[i]))
		for _, e := range truth[i] {
			there[e] = true
			row[3*index[e.Type]+2]++
		}
		for _, e := range predicted[i] {
			if there[e] {
				row[3*index[e.Type]]++
			}
			row[3*index[e.Type]+1]++
		}
		for k, v := range row {
			total[k] += v
		}
		rows[i] = row
	}
	var out Tagging
	for k, t := range types {
		hit, p, r := total[3*k], total[3*k+1], total[3*k+2]
		out.Types = append(out.Types, TypeF1{Type: t, Precision: over(hit, p), Recall: over(hit, r), F1: f1(hit, p, r), True: int(r), Predicted: int(p)})
	}
	const none = "; 0 without any entity"
	ratio := func(of int) func(sums []float64) float64 {
		return func(sums []float64) float64 {
			var hit, all float64
			for k := 0; k < len(sums); k += 3 {
				hit, all = hit+sums[k], all+sums[k+of]
			}
			return over(hit, all)
		}
	}
	for _, m := range []struct {
		figure *Figure
		f      Figure
		of     func(sums []float64) float64
	}{
		{&out.F1, Figure{Name: "entity_f1", Definition: "F1 of all entities, " + mode + none}, microF1},
		{&out.Precision, Figure{Name: "entity_precision", Definition: "share of the predicted entities that are right, " + mode + none}, ratio(1)},
		{&out.Recall, Figure{Name: "entity_recall", Definition: "share of the true entities that are found, " + mode + none}, ratio(2)},
		{&out.MacroF1, Figure{Name: "entity_macro_f1", Definition: "mean of the F1 of the types of entity that are true or predicted, " + mode}, func(sums []float64) float64 { return macroF1(sums, false) }},
		{&out.WeightedF1, Figure{Name: "entity_weighted_f1", Definition: "mean of the F1 of the types of entity, each with the weight of its true ones, " + mode + none}, weightedF1},
	} {
		*m.figure = m.f
		m.figure.part = true
		m.figure.Name += suffix
		m.figure.estimate(len(rows), groups, summed(rows, m.of))
	}
	return out
}
