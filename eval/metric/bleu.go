package metric

import (
	"fmt"
	"math"
	"regexp"
	"strings"
)

// A BLEUTokenizer says how BLEU splits a text into words.
type BLEUTokenizer int

const (
	Tok13a  BLEUTokenizer = iota // mteval-v13a's, for languages that put blanks between words
	TokChar                      // each character is a word: for languages that do not, and for Korean
)

var bleuTokenizers = [...]string{Tok13a: "13a", TokChar: "char"}

// BLEU is the BLEU of a corpus, from 0 to 100, as sacrebleu computes it by default. references[i] has the
// references of text i, of which each text has the same number.
func BLEU(texts []string, references [][]string, tok BLEUTokenizer, groups Groups) (Figure, error) {
	refs, err := sameReferences(texts, references, groups)
	if err != nil {
		return Figure{}, err
	}
	// Words of the text and of its closest reference; then hits and n-grams for each n.
	rows := make([][]float64, len(texts))
	for i, text := range texts {
		words := tok.split(text)
		row := make([]float64, 2+2*bleuOrder)
		row[0], row[1] = float64(len(words)), -1
		var theirs [bleuOrder]map[string]int
		for k, r := range references[i] {
			r := tok.split(r)
			if n, d := float64(len(r)), math.Abs(float64(len(r)-len(words))); k == 0 || d < math.Abs(row[1]-row[0]) || d == math.Abs(row[1]-row[0]) && n < row[1] {
				row[1] = n
			}
			for n := range theirs {
				counts := ngrams(r, n+1)
				if theirs[n] == nil {
					theirs[n] = counts
				}
				for gram, c := range counts {
					theirs[n][gram] = max(theirs[n][gram], c)
				}
			}
		}
		for n := range theirs {
			mine := ngrams(words, n+1)
			row[2+n], row[2+bleuOrder+n] = float64(shared(mine, theirs[n])), float64(total(mine))
		}
		rows[i] = row
	}
	name := "bleu"
	if tok != Tok13a {
		name += "_" + bleuTokenizers[tok]
	}
	f := Figure{Name: name, Definition: fmt.Sprintf("sacrebleu's, from 0 to 100: nrefs:%d|case:mixed|eff:no|tok:%s|smooth:exp|version:2.6.0", refs, bleuTokenizers[tok])}
	f.estimate(len(rows), groups, summed(rows, bleu))
	return f, nil
}

const bleuOrder = 4

// bleu computes BLEU from sums of rows. Where no n-gram of an order is a hit, its precision is
// halved for each such order so far (smooth:exp).
func bleu(sums []float64) float64 {
	words, reference := sums[0], sums[1]
	hit, all := sums[2:2+bleuOrder], sums[2+bleuOrder:]
	some := false
	for _, n := range hit {
		some = some || n > 0
	}
	if !some {
		return 0
	}
	logs, smooth := 0.0, 1.0
	for n := range bleuOrder {
		switch {
		case all[n] == 0:
			return 0 // as with a precision of 0
		case hit[n] == 0:
			smooth *= 2
			logs += math.Log(100 / (smooth * all[n]))
		default:
			logs += math.Log(100 * hit[n] / all[n])
		}
	}
	brevity := 1.0
	if words < reference {
		brevity = math.Exp(1 - reference/words)
	}
	return brevity * math.Exp(logs/bleuOrder)
}

// sameReferences gives the number of references of each text, and fails where texts differ in it.
func sameReferences(texts []string, references [][]string, groups Groups) (int, error) {
	if len(texts) != len(references) {
		return 0, fmt.Errorf("metric: references of %d items, predictions of %d", len(references), len(texts))
	}
	if err := groups.check(len(texts)); err != nil {
		return 0, err
	}
	for i, r := range references {
		if len(r) == 0 || len(r) != len(references[0]) {
			return 0, fmt.Errorf("metric: item %d: %d references; item 0 has %d, and each needs as many, at least one", i, len(r), len(references[0]))
		}
	}
	return len(references[0]), nil
}

var (
	symbols13a     = regexp.MustCompile("([{-~\\[-` -&(-+:-@/])")
	pointAfter     = regexp.MustCompile(`([^0-9])([.,])`)
	pointBefore    = regexp.MustCompile(`([.,])([^0-9])`)
	dashAfterDigit = regexp.MustCompile(`([0-9])(-)`)
)

func (t BLEUTokenizer) split(text string) []string {
	text = strings.TrimRightFunc(text, blank)
	if t == TokChar {
		return strings.Split(strings.Join(split(text), ""), "")
	}
	// One after the other, not in one pass: "&amp;lt;" becomes "<".
	for _, e := range [][2]string{{"<skipped>", ""}, {"-\n", ""}, {"\n", " "}, {"&quot;", `"`}, {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}} {
		text = strings.ReplaceAll(text, e[0], e[1])
	}
	text = symbols13a.ReplaceAllString(" "+text+" ", " $1 ")
	text = pointAfter.ReplaceAllString(text, "$1 $2 ")
	text = pointBefore.ReplaceAllString(text, " $1 $2")
	return split(dashAfterDigit.ReplaceAllString(text, "$1 $2 "))
}
