package metric

import (
	"fmt"
	"regexp"
	"strings"
)

// A NumberRule says where the answer stands in a text that ends in a number.
type NumberRule int

const (
	Strict   NumberRule = iota // behind the first "#### "
	Flexible                   // the last number of the text
)

// NumberRules has the names of the rules.
var NumberRules = [...]string{Strict: "strict", Flexible: "flexible"}

var (
	afterMarks = regexp.MustCompile(`#### (-?[0-9.,]+)`)
	anyNumber  = regexp.MustCompile(`(-?[$0-9.,]{2,})|(-?[0-9]+)`)
	ignored    = []*regexp.Regexp{regexp.MustCompile(`,`), regexp.MustCompile(`\$`), regexp.MustCompile(`(?s).*#### `), regexp.MustCompile(`\.$`)}
)

// NumericMatch is the share of texts whose number is that of the true answer, as
// lm-evaluation-harness scores gsm8k. A text without a number is wrong.
func NumericMatch(texts, answers []string, rule NumberRule, groups Groups) (Figure, error) {
	if len(texts) != len(answers) {
		return Figure{}, fmt.Errorf("metric: %d answers, predictions of %d", len(answers), len(texts))
	}
	right := make([]bool, len(texts))
	for i, text := range texts {
		right[i] = plain(rule.extract(text)) == plain(answers[i])
	}
	where := [...]string{Strict: "the first number behind ####", Flexible: "the last number of the text"}[rule]
	return Share("exact_match_"+NumberRules[rule],
		"share of texts with the right number, lm-evaluation-harness's gsm8k, version 3: "+where+"; commas, dollar signs and a full stop at the end are ignored, numbers are compared as text, and a text without one is wrong",
		right, groups)
}

func (r NumberRule) extract(text string) string {
	found := "[invalid]"
	if r == Strict {
		if m := afterMarks.FindStringSubmatch(text); m != nil {
			found = m[1]
		}
	} else if all := anyNumber.FindAllString(text, -1); all != nil {
		found = all[len(all)-1]
	}
	return strings.TrimFunc(found, blank)
}

// plain is a number as it is compared.
func plain(text string) string {
	for _, r := range ignored {
		text = r.ReplaceAllString(text, "")
	}
	return lower(text)
}
