package metric

import "fmt"

// KLUE scores tags of characters as the benchmark KLUE does: entityF1 is the mean of the types' F1
// of entities, and charF1 the mean of the tags' F1 of characters. labels are all tags, O included.
// Sequences are read as one, as its script does, so that an I- continues the entity at the end of
// the sequence before.
func KLUE(truth, predicted [][]string, labels []string, groups Groups) (entityF1, charF1 Figure, err error) {
	if err := sameTags(truth, predicted, groups); err != nil {
		return entityF1, charF1, err
	}
	index := map[string]int{}
	for k, l := range labels {
		index[l] = k
	}
	rows := make([][]float64, len(truth))
	var item []int // of each character
	var all [2][]string
	for i := range truth {
		rows[i] = make([]float64, 3*len(labels))
		for j := range truth[i] {
			t, ok := index[truth[i][j]]
			p, known := index[predicted[i][j]]
			if !ok || !known {
				return entityF1, charF1, fmt.Errorf("metric: item %d: tags %q and %q are not both among the %d labels", i, truth[i][j], predicted[i][j], len(labels))
			}
			if t == p {
				rows[i][3*t]++
			}
			rows[i][3*p+1]++
			rows[i][3*t+2]++
			item = append(item, i)
		}
		all[0], all[1] = append(all[0], truth[i]...), append(all[1], predicted[i]...)
	}
	var of [2][][]Entity
	for s, tags := range all {
		list, err := IOB2.Entities(tags)
		if err != nil {
			return entityF1, charF1, fmt.Errorf("metric: %w", err)
		}
		of[s] = make([][]Entity, len(truth))
		for _, e := range list { // an entity belongs to the item in which it begins
			of[s][item[e.First]] = append(of[s][item[e.First]], e)
		}
	}
	const klue = "KLUE-NER's script, by character"
	entityF1 = scoreEntities(of[0], of[1], "", "", groups).MacroF1
	entityF1.Name, entityF1.Definition = "klue_entity_macro_f1", "mean of the F1 of the types of entity that are true or predicted, "+klue+": seqeval's strict mode with the scheme IOB2, all sentences read as one sequence"
	charF1 = Figure{part: true, Name: "klue_char_macro_f1", Definition: "mean of the F1 of all tags, O among them, " + klue + ": a tag that is neither true nor predicted counts 1"}
	charF1.estimate(len(rows), groups, summed(rows, func(sums []float64) float64 {
		total := 0.0
		for k := 0; k < len(sums); k += 3 {
			if sums[k+1]+sums[k+2] == 0 {
				total++
			}
			total += f1(sums[k], sums[k+1], sums[k+2])
		}
		return total / float64(len(labels))
	}))
	return entityF1, charF1, nil
}
