package corpus

import (
	"cmp"
	"maps"
	"slices"
	"unicode"
)

// scriptCounts counts characters by script. The script of each is looked up once.
type scriptCounts struct {
	ascii [128]int64
	runes int64
	other map[string]int64
	known map[rune]string
}

func (s *scriptCounts) add(text string) {
	i := 0
	for ; i < len(text) && text[i] < 0x80; i++ {
		s.ascii[text[i]]++
	}
	s.runes += int64(i)
	for _, r := range text[i:] {
		s.runes++
		if r < 0x80 {
			s.ascii[r]++
			continue
		}
		name, ok := s.known[r]
		if !ok {
			if s.known == nil {
				s.known, s.other = map[rune]string{}, map[string]int64{}
			}
			name = scriptOf(r)
			s.known[r] = name
		}
		s.other[name]++
	}
}

// totals returns the number of characters, and those of each script, the largest
// first.
func (s *scriptCounts) totals() (characters int64, list []ScriptTotal) {
	totals := maps.Clone(s.other)
	if totals == nil {
		totals = map[string]int64{}
	}
	for r, n := range s.ascii {
		totals[scriptOf(rune(r))] += n
	}
	delete(totals, "")
	list = []ScriptTotal{}
	for name, n := range totals {
		if n > 0 {
			list = append(list, ScriptTotal{name, n})
		}
	}
	slices.SortFunc(list, func(a, b ScriptTotal) int {
		return cmp.Or(cmp.Compare(b.Characters, a.Characters), cmp.Compare(a.Name, b.Name))
	})
	return s.runes, list
}

// scriptOf gives the Unicode name of a character's script; "" for characters that scripts
// share.
func scriptOf(r rune) string {
	if unicode.Is(unicode.Common, r) || unicode.Is(unicode.Inherited, r) {
		return ""
	}
	for name, table := range unicode.Scripts { // at most one has it: the order does not matter
		if unicode.Is(table, r) {
			return name
		}
	}
	return "Unknown"
}
