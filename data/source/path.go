package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// withoutNaN returns JSON as Python writes it as JSON: null for NaN, which is what is
// missing, and text for the infinities.
func withoutNaN(b []byte) []byte {
	var out []byte
	for from, i := 0, 0; ; {
		if i >= len(b) {
			return append(out, b[from:]...)
		}
		if b[i] == '"' {
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
			i++
			continue
		}
		word, as := "", ""
		for _, w := range [][2]string{{"NaN", "null"}, {"Infinity", `"Infinity"`}, {"-Infinity", `"-Infinity"`}} {
			if bytes.HasPrefix(b[i:], []byte(w[0])) {
				word, as = w[0], w[1]
			}
		}
		if word == "" {
			i++
			continue
		}
		out = append(append(out, b[from:i]...), as...)
		i += len(word)
		from = i
	}
}

// peek returns the next byte that is no white space.
func (v *valueReader) peek() (byte, error) {
	for {
		v.line = bytes.TrimLeft(v.line, " \t")
		if len(v.line) > 0 {
			return v.line[0], nil
		}
		var err error
		if v.line, err = v.lines.next(); err == io.EOF {
			return 0, errors.New("truncated: the object does not end")
		} else if err != nil {
			return 0, err
		}
	}
}

// expect steps over a byte.
func (v *valueReader) expect(c byte) error {
	got, err := v.peek()
	if err != nil {
		return err
	}
	if got != c {
		return fmt.Errorf("%q where %q is expected", got, c)
	}
	v.line = v.line[1:]
	return nil
}

// text steps over a string and returns it, quoted.
func (v *valueReader) text() ([]byte, error) {
	if err := v.expect('"'); err != nil {
		return nil, err
	}
	for i := 0; i < len(v.line); i++ {
		switch v.line[i] {
		case '\\':
			i++
		case '"':
			s := append(append([]byte{'"'}, v.line[:i]...), '"')
			v.line = v.line[i+1:]
			return s, nil
		}
	}
	return nil, errors.New("a string that does not end")
}

// skip steps over a value, of any size.
func (v *valueReader) skip() error {
	for depth := 0; ; {
		c, err := v.peek()
		if err != nil {
			return err
		}
		switch c {
		case '"':
			if _, err := v.text(); err != nil {
				return err
			}
		case '{', '[':
			depth++
			v.line = v.line[1:]
		case '}', ']', ',', ':':
			if depth == 0 {
				return fmt.Errorf("%q where a value is expected", c)
			}
			if v.line = v.line[1:]; c == '}' || c == ']' {
				depth--
			}
		default:
			n := bytes.IndexAny(v.line, "{}[],: \t\"")
			if n < 0 {
				n = len(v.line)
			}
			v.line = v.line[n:]
		}
		if depth == 0 {
			return nil
		}
	}
}

// enter goes to the array that the path leads to.
func (v *valueReader) enter() error {
	for i, name := range v.path {
		if err := v.expect('{'); err != nil {
			return fmt.Errorf("rows = %q: %w", strings.Join(v.path, "."), err)
		}
		found, err := v.member(name)
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("rows = %q: no member %q", strings.Join(v.path, "."), strings.Join(v.path[:i+1], "."))
		}
	}
	if err := v.expect('['); err != nil {
		return fmt.Errorf("rows = %q: %w", strings.Join(v.path, "."), err)
	}
	v.array = true
	return nil
}

// member steps over the members of an object up to the value of the one of a name, ""
// to the object's end.
func (v *valueReader) member(name string) (found bool, err error) {
	for {
		c, err := v.peek()
		if err != nil {
			return false, err
		}
		if c == '}' {
			v.line = v.line[1:]
			return false, nil
		}
		if c == ',' {
			v.line = v.line[1:]
		}
		key, err := v.text()
		if err != nil {
			return false, err
		}
		if err := v.expect(':'); err != nil {
			return false, err
		}
		if name != "" && unquote(key) == name {
			return true, nil
		}
		if err := v.skip(); err != nil {
			return false, err
		}
	}
}

// leave steps over what stands after the array in the objects around it.
func (v *valueReader) leave() error {
	for ; len(v.path) > 0; v.path = v.path[1:] {
		if _, err := v.member(""); err != nil {
			return err
		}
	}
	return nil
}
