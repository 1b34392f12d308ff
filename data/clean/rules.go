package clean

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Rules say how texts are normalised and which of them are kept. The zero value keeps all
// texts as they are.
type Rules struct {
	Normalize string // Unicode normal form: NFC, NFD, NFKC or NFKD; "": none
	// Least and greatest length of a text in characters (code points), after
	// normalisation; 0: no limit.
	MinLength, MaxLength int
	// Scripts are names of Unicode scripts, such as Latin or Hangul. At least the share
	// ScriptShare of a text's letters must belong to them. A text without letters is kept.
	Scripts     []string
	ScriptShare float64 // 0: 0.5
	Dedup       string  // exact: keep one of the texts with the same words; near: one of the near duplicates; "": keep all
	Threshold   float64 // least Jaccard similarity of near duplicates, of the sets of their word 3-grams; 0: 0.8
}

// Forms and Dedups are the known values of Normalize and Dedup.
var (
	Forms  = []string{"NFC", "NFD", "NFKC", "NFKD"}
	Dedups = []string{"exact", "near"}
)

// DedupNGram is the number of words of an n-gram in the similarity of near duplicates.
const DedupNGram = 3

// IsZero reports whether the rules leave everything as it is.
func (r Rules) IsZero() bool {
	return r.Normalize == "" && r.MinLength == 0 && r.MaxLength == 0 && len(r.Scripts) == 0 && r.Dedup == ""
}

// WithDefaults fills in the zero fields that have a default.
func (r Rules) WithDefaults() Rules {
	if r.ScriptShare == 0 {
		r.ScriptShare = 0.5
	}
	if r.Threshold == 0 {
		r.Threshold = 0.8
	}
	return r
}

// Check returns the first fault of the rules, which is one of the user's input (exit code 2).
func (r Rules) Check() error {
	switch {
	case r.Normalize != "" && !slices.Contains(Forms, r.Normalize):
		return fmt.Errorf("clean: unknown form %q (known: %s)", r.Normalize, strings.Join(Forms, ", "))
	case r.Dedup != "" && !slices.Contains(Dedups, r.Dedup):
		return fmt.Errorf("clean: unknown kind of duplicates %q (known: %s)", r.Dedup, strings.Join(Dedups, ", "))
	case r.MinLength < 0 || r.MaxLength < 0 || r.MaxLength > 0 && r.MaxLength < r.MinLength:
		return fmt.Errorf("clean: minimum length %d and maximum length %d: want both ≥ 0, and the minimum not above the maximum", r.MinLength, r.MaxLength)
	case !(r.ScriptShare >= 0 && r.ScriptShare <= 1) || !(r.Threshold >= 0 && r.Threshold <= 1):
		return fmt.Errorf("clean: script share %g and threshold %g: want both between 0 and 1", r.ScriptShare, r.Threshold)
	}
	for _, s := range r.Scripts {
		if unicode.Scripts[s] == nil {
			return fmt.Errorf("clean: unknown script %q (known: Unicode's names, such as Latin, Hangul, Cyrillic)", s)
		}
	}
	return nil
}

// A Filter applies rules to one text at a time. It is safe for concurrent use.
type Filter struct {
	r      Rules
	form   norm.Form
	change bool
	tables []*unicode.RangeTable
}

// NewFilter makes the filter of rules, which Check must accept.
func NewFilter(r Rules) *Filter {
	f := &Filter{r: r.WithDefaults(), change: r.Normalize != ""}
	f.form = map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}[r.Normalize]
	for _, s := range r.Scripts {
		f.tables = append(f.tables, unicode.Scripts[s])
	}
	return f
}

// Apply returns the normalised text, and the reason why it is dropped: "too short",
// "too long" or "script"; "" where it is kept.
func (f *Filter) Apply(text string) (clean, reason string) {
	if f.change {
		text = f.form.String(text)
	}
	if f.r.MinLength > 0 || f.r.MaxLength > 0 {
		switch n := utf8.RuneCountInString(text); {
		case n < f.r.MinLength:
			return text, "too short"
		case f.r.MaxLength > 0 && n > f.r.MaxLength:
			return text, "too long"
		}
	}
	if len(f.tables) > 0 {
		letters, in := 0, 0
		for _, c := range text {
			if unicode.IsLetter(c) {
				letters++
				if unicode.In(c, f.tables...) {
					in++
				}
			}
		}
		if float64(in) < f.r.ScriptShare*float64(letters) {
			return text, "script"
		}
	}
	return text, ""
}
