package recipes

import (
	"fmt"
	"strings"
)

// keyLines finds the line of each key in a TOML text that has been parsed without
// error: headers, key = value at the start of a line, values over several lines.
func keyLines(text string) map[string]int {
	lines := map[string]int{}
	count := map[string]int{}
	prefix := ""
	depth, quote := 0, ""
	for i, line := range strings.Split(text, "\n") {
		t := strings.TrimSpace(line)
		if depth == 0 && quote == "" {
			switch {
			case strings.HasPrefix(t, "[["):
				name := numbered(strings.Trim(strings.SplitN(t, "]]", 2)[0], "[ "), count)
				prefix = fmt.Sprintf("%s.%d", name, count[name])
				count[name]++
				lines[prefix] = i + 1
				if lines[name] == 0 {
					lines[name] = i + 1
				}
				continue
			case strings.HasPrefix(t, "["):
				prefix = strings.Trim(strings.SplitN(t, "]", 2)[0], "[ ")
				lines[prefix] = i + 1
				continue
			}
			if key, rest, ok := strings.Cut(t, "="); ok && !strings.HasPrefix(t, "#") {
				lines[join(prefix, strings.Trim(strings.TrimSpace(key), `"'`))] = i + 1
				t = rest
			}
		}
		depth, quote = scanValue(t, depth, quote)
	}
	return lines
}

// numbered puts into the name of a table within one of several, stage.mixture, the
// number of that one: stage.2.mixture.
func numbered(name string, count map[string]int) string {
	path := ""
	for part := range strings.SplitSeq(name, ".") {
		if n := count[path]; n > 0 {
			path = fmt.Sprintf("%s.%d", path, n-1)
		}
		path = join(path, strings.TrimSpace(part))
	}
	return path
}

// scanValue follows brackets and quotes of a line, so that what lies inside a
// value over several lines is not taken for keys.
func scanValue(s string, depth int, quote string) (int, string) {
	for i := 0; i < len(s); {
		if quote != "" {
			switch {
			case strings.HasPrefix(s[i:], quote):
				i += len(quote)
				quote = ""
			case s[i] == '\\' && quote[0] == '"':
				i += 2
			default:
				i++
			}
			continue
		}
		switch c := s[i]; {
		case c == '#':
			return depth, ""
		case strings.HasPrefix(s[i:], `"""`), strings.HasPrefix(s[i:], `'''`):
			quote = s[i : i+3]
			i += 3
			continue
		case c == '"' || c == '\'':
			quote = s[i : i+1]
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		}
		i++
	}
	if len(quote) == 1 {
		quote = ""
	}
	return depth, quote
}
