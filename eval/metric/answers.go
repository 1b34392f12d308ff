package metric

import (
	"fmt"
	"strings"
)

// A QAScript says which script scores answers to questions.
type QAScript int

const (
	SQuAD   QAScript = iota // of SQuAD 1.1: words without articles
	SQuAD2                  // of SQuAD 2.0: a question may have no answer
	KorQuAD                 // of KorQuAD 1.0: F1 over characters
)

// QAScripts has the names of the scripts, with which their metrics begin.
var QAScripts = [...]string{SQuAD: "squad", SQuAD2: "squad2", KorQuAD: "korquad"}

// Answers is what extracted answers to questions are judged by.
type Answers struct {
	ExactMatch, F1 Figure
	// Of SQuAD2 alone, and where there are such questions: those with an answer, and those without.
	HasExactMatch, HasF1, NoAnswer *Figure
}

// ScoreAnswers scores a predicted answer against the true ones of each question, of which the
// best counts. "" is no answer, which SQuAD2 alone knows; there, a question without answers has none.
// It fails if there are no questions, or one has no answer but under SQuAD2.
func ScoreAnswers(predicted []string, answers [][]string, script QAScript, groups Groups) (Answers, error) {
	if len(predicted) != len(answers) {
		return Answers{}, fmt.Errorf("metric: answers to %d questions, predictions of %d", len(answers), len(predicted))
	}
	if err := groups.check(len(predicted)); err != nil {
		return Answers{}, err
	}
	n := len(predicted)
	exact, overlap, has := make([]float64, n), make([]float64, n), make([]bool, n)
	for i, p := range predicted {
		mine := script.normal(p)
		texts := make([]string, 0, len(answers[i]))
		for _, a := range answers[i] {
			if a = script.normal(a); a != "" || script != SQuAD2 {
				texts = append(texts, a)
			}
		}
		has[i] = len(answers[i]) > 0
		if !has[i] && script != SQuAD2 {
			return Answers{}, fmt.Errorf("metric: item %d: the question has no answer, which only squad2 scores", i)
		}
		if len(texts) == 0 {
			texts = []string{""}
		}
		for _, a := range texts {
			if a == mine {
				exact[i] = 1
			}
			overlap[i] = max(overlap[i], script.overlap(mine, a))
		}
	}
	name := QAScripts[script] + "_"
	rule := [...]string{
		SQuAD:   "the script of SQuAD 1.1: lower case, without ASCII punctuation and the articles a, an, the; the best of the true answers counts",
		SQuAD2:  "the script of SQuAD 2.0: lower case, without ASCII punctuation and the articles a, an, the; the best of the true answers counts; no answer is right where there is none",
		KorQuAD: "the script of KorQuAD 1.0: lower case, without punctuation; the best of the true answers counts",
	}[script]
	what := "words"
	if script == KorQuAD {
		what = "characters"
	}
	var out Answers
	out.ExactMatch = Figure{Name: name + "exact_match", Definition: "share of answers that are equal to a true one, " + rule}
	out.F1 = Figure{Name: name + "f1", Definition: "mean F1 of the " + what + " of an answer, " + rule}
	out.ExactMatch.mean(exact, groups)
	out.F1.mean(overlap, groups)
	if script != SQuAD2 {
		return out, nil
	}
	part := func(part, of string, scores []float64, want bool) *Figure {
		var some []float64
		var theirs Groups
		number := map[int]int{}
		for i, s := range scores {
			if has[i] != want {
				continue
			}
			some = append(some, s)
			if groups != nil {
				if _, ok := number[groups[i]]; !ok {
					number[groups[i]] = len(number)
				}
				theirs = append(theirs, number[groups[i]])
			}
		}
		if some == nil {
			return nil
		}
		f := &Figure{Name: name + part, Definition: of + ", " + rule}
		f.mean(some, theirs)
		return f
	}
	out.HasExactMatch = part("has_answer_exact_match", "share of answers that are equal to a true one, of the questions with an answer", exact, true)
	out.HasF1 = part("has_answer_f1", "mean F1 of the words of an answer, of the questions with an answer", overlap, true)
	out.NoAnswer = part("no_answer_accuracy", "share of the questions without an answer that are given none", exact, false)
	return out, nil
}

// normal gives an answer as it is compared.
func (s QAScript) normal(text string) string {
	if s == KorQuAD {
		text = strings.Map(func(r rune) rune {
			if strings.ContainsRune("'\"《》<>〈〉()‘’", r) {
				return ' '
			}
			return r
		}, text)
	}
	text = strings.Map(func(r rune) rune {
		if strings.ContainsRune(punctuation, r) {
			return -1
		}
		return r
	}, lower(text))
	if s != KorQuAD {
		text = withoutArticles(text)
	}
	return strings.Join(split(text), " ")
}

// withoutArticles puts a blank in place of each a, an and the between characters that are none of a
// word.
func withoutArticles(text string) string {
	var b strings.Builder
	for text != "" {
		end := strings.IndexFunc(text, func(r rune) bool { return !wordRune(r) })
		if end < 0 {
			end = len(text)
		}
		if end == 0 {
			end = len(text) - len(strings.TrimLeftFunc(text, func(r rune) bool { return !wordRune(r) }))
			b.WriteString(text[:end])
		} else if word := text[:end]; word == "a" || word == "an" || word == "the" {
			b.WriteByte(' ')
		} else {
			b.WriteString(word)
		}
		text = text[end:]
	}
	return b.String()
}

// overlap is F1 of the words or characters that two normal answers share.
func (s QAScript) overlap(a, b string) float64 {
	if s == SQuAD2 && (a == "" || b == "") {
		if a == b {
			return 1
		}
		return 0
	}
	units := func(text string) []string {
		if s == KorQuAD {
			return strings.Split(strings.ReplaceAll(text, " ", ""), "")
		}
		return strings.Fields(text)
	}
	mine, theirs := units(a), units(b)
	count := map[string]int{}
	for _, u := range theirs {
		count[u]++
	}
	hit := 0
	for _, u := range mine {
		if count[u] > 0 {
			count[u]--
			hit++
		}
	}
	return f1(float64(hit), float64(len(mine)), float64(len(theirs)))
}
