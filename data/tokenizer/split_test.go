package tokenizer

import (
	"slices"
	"testing"
	"unicode"
)

func TestSplit(t *testing.T) {
	p := scanners[gpt2Pattern]
	for _, c := range []struct {
		text string
		want []string
	}{
		{"I'll go, won't I?", []string{"I", "'ll", " go", ",", " won", "'t", " I", "?"}},
		{"'s''s 's 'S 'lx", []string{"'s", "''", "s", " '", "s", " '", "S", " '", "lx"}},
		{"a  b\n\n c \t", []string{"a", " ", " b", "\n\n", " c", " \t"}},
		{"x\t\ty\u00a0z", []string{"x", "\t", "\t", "y", "\u00a0", "z"}},
		{"abc123 456½ !?a", []string{"abc", "123", " 456½", " !?", "a"}},
		{" \xff\xfe é\u0301", []string{" \xff\xfe", " é", "\u0301"}},
		{"  ", []string{"  "}},
		{" ", []string{" "}},
	} {
		var got []string
		for i := 0; i < len(c.text); {
			j := p.end(c.text, i)
			got = append(got, c.text[i:j])
			i = j
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q is cut into %q, want %q", c.text, got, c.want)
		}
	}
}

// TestClasses compares the table with Go's, which may be of another version of
// Unicode: then a character can be unassigned, and so other, in one of them.
func TestClasses(t *testing.T) {
	p := scanners[gpt2Pattern]
	unassigned := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if r >= 0xd800 && r < 0xe000 {
			continue
		}
		want := uint8(other)
		switch {
		case unicode.IsLetter(r):
			want = letter
		case unicode.IsNumber(r):
			want = number
		case unicode.Is(unicode.White_Space, r):
			want = space
		}
		got, _ := p.class(string(r), 0)
		if got == want {
			continue
		}
		unassigned++
		if got != other && want != other {
			t.Errorf("%U: class %d, Go has %d", r, got, want)
		}
		if unicode.Version == "15.0.0" && got == other {
			t.Errorf("%U: class %d in Unicode 15, other here", r, want)
		}
	}
	if unicode.Version == "15.0.0" && unassigned != 5004 {
		t.Errorf("%d characters differ from Unicode 15", unassigned)
	}
}
