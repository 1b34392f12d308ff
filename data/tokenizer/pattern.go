package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/dlclark/regexp2/v2"
)

// pattern finds the matches in a text at which it is cut, or which are replaced.
type pattern interface {
	// each calls f for the matches in s, in order; they do not overlap.
	each(s string, f func(start, end int))
}

// each is p.each by static calls, so that the compiler does not allocate f.
func each(p pattern, s string, f func(start, end int)) {
	switch p := p.(type) {
	case literal:
		p.each(s, f)
	case class:
		p.each(s, f)
	case blanks:
		p.each(s, f)
	case words:
		p.each(s, f)
	case scanner:
		p.each(s, f)
	case expression:
		p.each(s, f)
	default:
		panic(fmt.Sprintf("tokenizer: pattern %T", p))
	}
}

// parsePattern reads {"String": …} or {"Regex": …}.
func parsePattern(raw json.RawMessage) (pattern, error) {
	var p struct{ String, Regex *string }
	if isNull(raw) || json.Unmarshal(raw, &p) != nil || (p.String == nil) == (p.Regex == nil) {
		return nil, errors.New("pattern: neither {\"String\": …} nor {\"Regex\": …}")
	}
	if p.String != nil {
		return literal(*p.String), nil
	}
	if s, ok := scanners[*p.Regex]; ok {
		return s, nil
	}
	if *p.Regex == blankPattern || *p.Regex == edgePattern {
		return blanks{edges: *p.Regex == edgePattern}, nil
	}
	re, err := regexp2.Compile(withSince15(*p.Regex), regexp2.OptionMaxBacktrackingStackSize(1<<24))
	if err != nil {
		return nil, fmt.Errorf("pattern: %q: %w", *p.Regex, err)
	}
	re.MatchTimeout = matchTime
	return expression{re, *p.Regex, new(atomic.Pointer[error])}, nil
}

// withSince15 adds the characters of since15 to the properties in a pattern. A negated property
// within a set of characters is left as it is.
func withSince15(s string) string {
	var b strings.Builder
	class := false // within […]
	for i := 0; i < len(s); {
		n := 1
		switch {
		case s[i] == '\\' && i+1 < len(s):
			n = 2
			property, ok := strings.CutPrefix(s[i+2:], "{")
			end := strings.IndexByte(property, '}')
			negated := s[i+1] == 'P'
			if !ok || end < 0 || s[i+1] != 'p' && !negated {
				break
			}
			name := property[:end]
			n = len(`\p{}`) + end
			if since15[name] == nil || class && negated {
				break
			}
			if !class {
				b.WriteByte('[')
				if negated {
					b.WriteByte('^')
				}
			}
			b.WriteString(`\p{` + name + `}`)
			for k := 0; k < len(since15[name]); k += 2 {
				fmt.Fprintf(&b, "%c-%c", since15[name][k], since15[name][k+1])
			}
			if !class {
				b.WriteByte(']')
			}
			i += n
			continue
		case s[i] == '[' && !class:
			class = true
			if strings.HasPrefix(s[i+1:], "^") {
				n++
			}
			if strings.HasPrefix(s[i+n:], "]") {
				n++
			}
		case s[i] == ']':
			class = false
		}
		b.WriteString(s[i : i+n])
		i += n
	}
	return b.String()
}

// literal matches a string; the empty one matches before every character.
type literal string

func (p literal) each(s string, f func(start, end int)) {
	if p == "" {
		for i := 0; i < len(s); {
			f(i, i)
			_, n := decodeRune(s, i)
			i += n
		}
		f(len(s), len(s))
		return
	}
	for i := 0; ; {
		n := strings.Index(s[i:], string(p))
		if n < 0 {
			return
		}
		f(i+n, i+n+len(p))
		i += n + len(p)
	}
}

// class matches a character with one of some properties.
type class uint8

func (p class) each(s string, f func(start, end int)) {
	for i := 0; i < len(s); {
		r, n := decodeRune(s, i)
		if properties(r)&uint8(p) != 0 {
			f(i, i+n)
		}
		i += n
	}
}

const (
	blankPattern = ` {2,}`
	edgePattern  = `\A +| +\z`
)

// blanks matches runs of two blanks and more, or those at the edges.
type blanks struct{ edges bool }

func (p blanks) each(s string, f func(start, end int)) {
	for i := 0; i < len(s); {
		n := strings.IndexByte(s[i:], ' ')
		if n < 0 {
			return
		}
		i += n
		j := i + 1
		for j < len(s) && s[j] == ' ' {
			j++
		}
		if p.edges && (i == 0 || j == len(s)) || !p.edges && j-i > 1 {
			f(i, j)
		}
		i = j
	}
}

// words matches \w+|[^\w\s]+.
type words struct{}

func (words) each(s string, f func(start, end int)) {
	start, kind := 0, charSpace
	for i := 0; i < len(s); {
		r, n := decodeRune(s, i)
		k := properties(r) & (charWord | charSpace)
		if k != kind {
			if kind != charSpace {
				f(start, i)
			}
			start, kind = i, k
		}
		i += n
	}
	if kind != charSpace {
		f(start, len(s))
	}
}

// expression is a regular expression of any other kind.
type expression struct {
	*regexp2.Regexp
	source string
	fault  *atomic.Pointer[error] // why it is not applied any more
}

func (p expression) String() string { return p.source }

func (p expression) each(s string, f func(start, end int)) {
	if p.fault.Load() != nil {
		return
	}
	found, err := p.FindAllStringIndex(s, -1)
	if err != nil && !errors.Is(err, regexp2.ErrBacktrackingStackLimit) {
		found, err = p.FindAllStringIndex(s, -1) // the machine may have slept
	}
	if err != nil && !errors.Is(err, regexp2.ErrBacktrackingStackLimit) {
		err = fmt.Errorf("tokenizer: the pattern %q needs more than %v to find one match in a text of %d bytes", p.String(), matchTime, len(s))
		p.fault.CompareAndSwap(nil, &err)
	}
	if err != nil {
		return // the backtracking stack is full: no match, as in the library
	}
	for _, m := range found {
		f(m[0], m[1])
	}
}

// behavior says what happens to a match when a text is cut.
type behavior uint8

const (
	removed behavior = iota
	isolated
	mergedWithPrevious
	mergedWithNext
	contiguous
)

func parseBehavior(s string) (behavior, error) {
	names := []string{"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"}
	for i, n := range names {
		if s == n {
			return behavior(i), nil
		}
	}
	return 0, fmt.Errorf("behavior: unknown %q (known: %s)", s, strings.Join(names, ", "))
}

// piece is a part of a text: a match, or the text between two matches.
type piece struct {
	start, end int
	match      bool
}

// pieces appends the parts that s is cut into. Parts may be empty.
func pieces(list []piece, s string, p pattern, b behavior, invert bool) []piece {
	done := 0
	matches, gaps := b != removed || invert, b != removed || !invert // which of them are kept
	each(p, s, func(start, end int) {
		if gaps && start > done {
			list = append(list, piece{done, start, invert})
		}
		if matches {
			list = append(list, piece{start, end, !invert})
		}
		done = end
	})
	if gaps && done < len(s) {
		list = append(list, piece{done, len(s), invert})
	}
	n := 0 // list[:n] is done
	before := false
	switch b {
	case removed, isolated:
		n = len(list)
	case mergedWithPrevious, contiguous:
		for _, x := range list {
			join := x.match && !before
			if b == contiguous {
				join = x.match == before
			}
			if join && n > 0 {
				list[n-1].end = x.end
			} else {
				list[n] = x
				n++
			}
			before = x.match
		}
	case mergedWithNext:
		n = len(list)
		for i := len(list) - 1; i >= 0; i-- {
			x := list[i]
			if x.match && !before && n < len(list) {
				list[n].start = x.start
			} else {
				n--
				list[n] = x
			}
			before = x.match
		}
		return list[n:]
	}
	return list[:n]
}
