package metric

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// CHRF is chrF of a corpus, from 0 to 100, or with n-grams of words too chrF++, as sacrebleu computes them.
// references[i] has the references of text i, of which the one that gives the text the highest chrF
// counts; each text has the same number.
func CHRF(texts []string, references [][]string, words bool, groups Groups) (Figure, error) {
	refs, err := sameReferences(texts, references, groups)
	if err != nil {
		return Figure{}, err
	}
	order, name := 0, "chrf"
	if words {
		order, name = chrfWords, "chrf++"
	}
	rows := make([][]float64, len(texts))
	for i, text := range texts {
		mine := chrfCounts(text, order)
		best := -1.0
		for _, r := range references[i] {
			row := make([]float64, 0, 3*(chrfCharacters+order))
			for k, theirs := range chrfCounts(r, order) {
				own := total(mine[k])
				if len(theirs) == 0 {
					own = 0 // of an order that the reference has not, none counts
				}
				row = append(row, float64(own), float64(total(theirs)), float64(shared(mine[k], theirs)))
			}
			if score := chrf(row); score > best {
				best, rows[i] = score, row
			}
		}
	}
	f := Figure{Name: name, Definition: fmt.Sprintf("sacrebleu's, from 0 to 100: nrefs:%d|case:mixed|eff:yes|nc:%d|nw:%d|space:no|version:2.6.0", refs, chrfCharacters, order)}
	f.estimate(len(rows), groups, summed(rows, chrf))
	return f, nil
}

const (
	chrfCharacters = 6 // longest n-gram of characters
	chrfWords      = 2 // of words, in chrF++
	chrfBeta       = 2 // recall counts twice as much as precision
)

// chrfCounts counts the n-grams of characters, without white space, and those of words.
func chrfCounts(text string, words int) []map[string]int {
	var out []map[string]int
	tight := strings.Join(split(text), "")
	starts := make([]int, 0, len(tight)+1)
	for i := range tight {
		starts = append(starts, i)
	}
	starts = append(starts, len(tight))
	for n := 1; n <= chrfCharacters; n++ {
		counts := map[string]int{}
		for i := 0; i+n < len(starts); i++ {
			counts[tight[starts[i]:starts[i+n]]]++
		}
		out = append(out, counts)
	}
	var list []string
	if words > 0 {
		list = apart(text)
	}
	for n := 1; n <= words; n++ {
		out = append(out, ngrams(list, n))
	}
	return out
}

// apart gives the words of a text. A punctuation mark at the end of a word is a word of its own, or
// else one at its beginning.
func apart(text string) (list []string) {
	for _, w := range split(text) {
		first, last := w[:1], w[len(w)-1:] // ASCII characters if they are marks
		switch {
		case utf8.RuneCountInString(w) == 1:
			list = append(list, w)
		case strings.Contains(punctuation, last):
			list = append(list, w[:len(w)-1], last)
		case strings.Contains(punctuation, first):
			list = append(list, first, w[1:])
		default:
			list = append(list, w)
		}
	}
	return list
}

// chrf computes chrF from n-grams of the text, of the reference and of both, for each order. Orders
// that one of them has not are left out.
func chrf(sums []float64) float64 {
	var precision, recall, orders float64
	for k := 0; k < len(sums); k += 3 {
		if mine, theirs := sums[k], sums[k+1]; mine > 0 && theirs > 0 {
			precision += sums[k+2] / mine
			recall += sums[k+2] / theirs
			orders++
		}
	}
	if precision+recall == 0 {
		return 0
	}
	precision, recall = precision/orders, recall/orders
	const square = chrfBeta * chrfBeta
	return 100 * (1 + square) * precision * recall / (square*precision + recall)
}
