package metric

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// A ROUGETokenizer says how ROUGE splits a text into words.
type ROUGETokenizer int

const (
	// ROUGEScore is rouge_score's: runs of a-z and 0-9 in lower case. All other letters are lost.
	ROUGEScore ROUGETokenizer = iota
	// ROUGEUnicode has runs of the letters, marks and digits of any script in lower case. For English
	// they are nearly the same words. Its metrics are named rouge1_unicode and so on.
	ROUGEUnicode
)

// A ROUGE is what summaries are judged by: F1 of the words, of the pairs of words, of the longest
// common subsequence, and of the latter line by line, each a mean over texts.
type ROUGE struct {
	One, Two, L, Lsum Figure
	// Lost is the number of texts and references of which the tokenizer drops letters: ROUGEScore
	// finds nothing in a Korean text, and gives it 0.
	Lost int
}

// Figures lists the figures.
func (r *ROUGE) Figures() []Figure { return []Figure{r.One, r.Two, r.L, r.Lsum} }

// ScoreROUGE scores texts. references[i] has the references of text i, of which the best counts for
// each figure. It fails under ROUGEScore where letters are all that a reference has and all are lost: a
// figure of such a text would be 0 whatever the summary is.
func ScoreROUGE(texts []string, references [][]string, tok ROUGETokenizer, groups Groups) (ROUGE, error) {
	if len(texts) != len(references) {
		return ROUGE{}, fmt.Errorf("metric: references of %d items, predictions of %d", len(references), len(texts))
	}
	if err := groups.check(len(texts)); err != nil {
		return ROUGE{}, err
	}
	var out ROUGE
	scores := [4][]float64{}
	for k := range scores {
		scores[k] = make([]float64, len(texts))
	}
	for i, text := range texts {
		if len(references[i]) == 0 {
			return ROUGE{}, fmt.Errorf("metric: item %d has no reference", i)
		}
		if tok.loses(text) {
			out.Lost++
		}
		words, lines := tok.split(text), tok.lines(text)
		for _, r := range references[i] {
			theirs := tok.split(r)
			if tok.loses(r) {
				out.Lost++
				if len(theirs) == 0 {
					return ROUGE{}, fmt.Errorf("metric: item %d: rouge_score's tokenizer keeps a-z and 0-9 alone, and so nothing of %q; use rouge1_unicode, rouge2_unicode, rougel_unicode or rougelsum_unicode", i, shortened(r))
				}
			}
			for k, f := range []float64{
				ngramF1(words, theirs, 1), ngramF1(words, theirs, 2), subsequenceF1(words, theirs), linesF1(lines, tok.lines(r)),
			} {
				scores[k][i] = max(scores[k][i], f)
			}
		}
	}
	suffix, how := "", "rouge_score's, without a stemmer"
	if tok == ROUGEUnicode {
		suffix, how = "_unicode", "computed as rouge_score does, but over the letters, marks and digits of any script, without a stemmer"
	} else if out.Lost > 0 {
		how += fmt.Sprintf("; its tokenizer keeps a-z and 0-9 alone, and drops other letters of %d of the texts and references", out.Lost)
	}
	for k, f := range []*Figure{&out.One, &out.Two, &out.L, &out.Lsum} {
		f.Name = [...]string{"rouge1", "rouge2", "rougel", "rougelsum"}[k] + suffix
		f.Definition = "mean F1 of " + [...]string{"words", "pairs of words", "the longest common subsequence", "the longest common subsequences of lines"}[k] + ", " + how
		f.mean(scores[k], groups)
	}
	return out, nil
}

// split gives the words of a text.
func (t ROUGETokenizer) split(text string) []string {
	return strings.FieldsFunc(lower(text), func(r rune) bool { return !t.keeps(r) })
}

func (t ROUGETokenizer) keeps(r rune) bool {
	if t == ROUGEUnicode {
		return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r)
	}
	return 'a' <= r && r <= 'z' || '0' <= r && r <= '9'
}

// loses reports whether letters or digits of a text are in no word.
func (t ROUGETokenizer) loses(text string) bool {
	return strings.ContainsFunc(lower(text), func(r rune) bool {
		return (unicode.IsLetter(r) || unicode.IsNumber(r)) && !t.keeps(r)
	})
}

// lines gives the words of each line that is not empty.
func (t ROUGETokenizer) lines(text string) (out [][]string) {
	for line := range strings.SplitSeq(text, "\n") {
		if line != "" {
			out = append(out, t.split(line))
		}
	}
	return out
}

func ngramF1(words, reference []string, n int) float64 {
	a, b := ngrams(words, n), ngrams(reference, n)
	return f1(float64(shared(a, b)), float64(total(a)), float64(total(b)))
}

func subsequenceF1(words, reference []string) float64 {
	return f1(float64(len(subsequence(reference, words))), float64(len(words)), float64(len(reference)))
}

// linesF1 takes of each line of the reference the words that are in a longest common subsequence with
// any line of the text, each word as often as the text has it (as ROUGE 1.5.5 does).
func linesF1(lines, reference [][]string) float64 {
	words, theirs := slices.Concat(lines...), slices.Concat(reference...)
	left := ngrams(words, 1)
	hit := 0
	for _, r := range reference {
		union := make([]bool, len(r))
		for _, c := range lines {
			for _, i := range subsequence(r, c) {
				union[i] = true
			}
		}
		for i, in := range union {
			if in && left[r[i]] > 0 {
				left[r[i]]--
				hit++
			}
		}
	}
	return f1(float64(hit), float64(len(words)), float64(len(theirs)))
}

// subsequence gives the indices in a, the last one first, of a longest common subsequence of a and
// b. Of several, it is the one that rouge_score finds.
func subsequence(a, b []string) (in []int) {
	width := len(b) + 1
	table := make([]int32, (len(a)+1)*width)
	for i := range a {
		for j := range b {
			at := (i+1)*width + j + 1
			if a[i] == b[j] {
				table[at] = table[at-width-1] + 1
			} else {
				table[at] = max(table[at-width], table[at-1])
			}
		}
	}
	for i, j := len(a), len(b); i > 0 && j > 0; {
		switch {
		case a[i-1] == b[j-1]:
			i, j = i-1, j-1
			in = append(in, i)
		case table[i*width+j-1] > table[(i-1)*width+j]:
			j--
		default:
			i--
		}
	}
	return in
}

func shortened(text string) string {
	if r := []rune(text); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return text
}
