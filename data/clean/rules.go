package clean

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Rules say which texts of a corpus stay, and in what form. The zero value leaves all
// as they are.
type Rules struct {
	Normalize string // Unicode form: NFC, NFD, NFKC or NFKD; "": as it is
	// Characters (code points) that a text must have at least and may have at most,
	// after normalisation; 0: any number.
	MinLength, MaxLength int
	// Scripts are Unicode script names, as Latin, Hangul; of a text's letters the share
	// ScriptShare must be of them. A text without letters stays.
	Scripts     []string
	ScriptShare float64 // 0: 0.5
	Dedup       string  // exact: one of the texts with the same words stays; near: one of those alike; "": all
	Threshold   float64 // of near: the Jaccard similarity of the sets of word 3-grams; 0: 0.8
}

// Forms and Dedups are the names that Rules know.
var (
	Forms  = []string{"NFC", "NFD", "NFKC", "NFKD"}
	Dedups = []string{"exact", "near"}
)

// DedupNGram is the words of an n-gram in the similarity of near duplicates.
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

// Check returns the first fault.
func (r Rules) Check() error {
	switch {
	case r.Normalize != "" && !slices.Contains(Forms, r.Normalize):
		return fmt.Errorf("clean: unknown form %q (known: %s)", r.Normalize, strings.Join(Forms, ", "))
	case r.Dedup != "" && !slices.Contains(Dedups, r.Dedup):
		return fmt.Errorf("clean: unknown kind of duplicates %q (known: %s)", r.Dedup, strings.Join(Dedups, ", "))
	case r.MinLength < 0 || r.MaxLength < 0 || r.MaxLength > 0 && r.MaxLength < r.MinLength:
		return fmt.Errorf("clean: lengths of %d to %d characters", r.MinLength, r.MaxLength)
	case !(r.ScriptShare >= 0 && r.ScriptShare <= 1) || !(r.Threshold >= 0 && r.Threshold <= 1):
		return fmt.Errorf("clean: shares of %g and %g: want them between 0 and 1", r.ScriptShare, r.Threshold)
	}
	for _, s := range r.Scripts {
		if unicode.Scripts[s] == nil {
			return fmt.Errorf("clean: unknown script %q (Unicode's names, as Latin, Hangul, Cyrillic)", s)
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

// NewFilter wants rules that Check passes.
func NewFilter(r Rules) *Filter {
	f := &Filter{r: r.WithDefaults(), change: r.Normalize != ""}
	f.form = map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}[r.Normalize]
	for _, s := range r.Scripts {
		f.tables = append(f.tables, unicode.Scripts[s])
	}
	return f
}

// Apply returns the text in its new form, and why it must go: "too short", "too long",
// "script", or "" where it stays.
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
