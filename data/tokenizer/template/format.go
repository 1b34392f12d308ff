package template

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// percent is Python's s % x.
func (r *renderer) percent(line int, s string, x any) string {
	args, isTuple := x.(tuple)
	if !isTuple {
		args = tuple{x}
	}
	dict, _ := x.(*Dict)
	var b strings.Builder
	used := 0
	named := false
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		i++
		var value any = missing
		if i < len(s) && s[i] == '(' {
			end := strings.IndexByte(s[i:], ')')
			if end < 0 || dict == nil {
				fail(line, "%% with a name needs a dictionary")
			}
			v, ok := dict.get(s[i+1 : i+end])
			if !ok {
				fail(line, "%%: no key %s", s[i+1:i+end])
			}
			value, named = v, true
			i += end + 1
		}
		spec := formatSpec{precision: -1}
		for ; i < len(s) && strings.IndexByte("-+ 0#", s[i]) >= 0; i++ {
			switch s[i] {
			case '-':
				spec.left = true
			case '0':
				spec.zero = true
			case '#':
				fail(line, "%%#: not supported")
			default:
				if spec.sign != '+' {
					spec.sign = s[i]
				}
			}
		}
		spec.width, i = r.decimal(line, s, i)
		if i < len(s) && s[i] == '.' {
			spec.precision, i = r.decimal(line, s, i+1)
		}
		if i == len(s) {
			fail(line, "a format ends in the middle")
		}
		if s[i] == '%' {
			b.WriteByte('%')
			continue
		}
		if value == missing {
			if used == len(args) {
				fail(line, "%%: not enough arguments for the format")
			}
			value = args[used]
			used++
		}
		b.WriteString(r.formatted(line, value, s[i], spec))
	}
	if used < len(args) && (isTuple || dict == nil) && !named {
		fail(line, "%%: not all arguments are used by the format")
	}
	r.made(line, b.Len())
	return b.String()
}

type formatSpec struct {
	left, zero       bool
	sign             byte
	width, precision int
}

// decimal reads digits at i, none being 0.
func (r *renderer) decimal(line int, s string, i int) (n, end int) {
	for ; i < len(s) && '0' <= s[i] && s[i] <= '9'; i++ {
		if n = 10*n + int(s[i]-'0'); n > 1<<20 {
			fail(line, "a format with a width above %d", 1<<20)
		}
	}
	if i < len(s) && s[i] == '*' {
		fail(line, "a format with * is not supported")
	}
	return n, i
}

// formatted writes one value for the verb of a %-format.
func (r *renderer) formatted(line int, x any, verb byte, f formatSpec) string {
	r.made(line, f.width+max(0, f.precision))
	text, sign := "", ""
	switch verb {
	case 's', 'r':
		if verb == 's' {
			text = r.text(line, x)
		} else {
			var b strings.Builder
			r.repr(&b, line, x, 0)
			text = b.String()
		}
		if f.precision >= 0 && utf8.RuneCountInString(text) > f.precision {
			text = string([]rune(text)[:f.precision])
		}
		f.zero = false
	case 'd', 'i', 'u', 'x', 'X', 'o':
		i, v, isFloat, ok := number(x)
		if isFloat && strings.IndexByte("diu", verb) >= 0 && math.Abs(v) < 1<<63 {
			i = int64(v)
		} else if !ok || isFloat {
			r.defined(line, x)
			fail(line, "%%%c of %s", verb, typeName(x))
		}
		base := 10
		switch verb {
		case 'x', 'X':
			base = 16
		case 'o':
			base = 8
		}
		text = strconv.FormatInt(i, base)
		if verb == 'X' {
			text = strings.ToUpper(text)
		}
		if i < 0 {
			sign, text = "-", text[1:]
		} else if f.sign != 0 {
			sign = string(f.sign)
		}
		for len(text) < f.precision {
			text = "0" + text
		}
	case 'f', 'F', 'e', 'E', 'g', 'G':
		_, v, _, ok := number(x)
		if !ok {
			r.defined(line, x)
			fail(line, "%%%c of %s", verb, typeName(x))
		}
		if f.precision < 0 {
			f.precision = 6
		}
		text, sign = formatFloat(v, verb, f.precision), ""
		if text[0] == '-' {
			sign, text = "-", text[1:]
		} else if f.sign != 0 {
			sign = string(f.sign)
		}
	case 'c':
		if s, ok := x.(string); ok && utf8.RuneCountInString(s) == 1 {
			text = s
			break
		}
		fail(line, "%%c of %s is not supported", typeName(x))
	default:
		fail(line, "the format %%%c is not supported", verb)
	}
	pad := f.width - utf8.RuneCountInString(text) - len(sign)
	switch {
	case pad <= 0:
		return sign + text
	case f.left:
		return sign + text + strings.Repeat(" ", pad)
	case f.zero:
		return sign + strings.Repeat("0", pad) + text
	}
	return strings.Repeat(" ", pad) + sign + text
}

func formatFloat(v float64, verb byte, precision int) string {
	switch {
	case math.IsNaN(v):
		return "nan"
	case math.IsInf(v, 0):
		if v < 0 {
			return "-inf"
		}
		return "inf"
	}
	if verb == 'g' || verb == 'G' {
		s := fmt.Sprintf("%.*"+string(verb), max(1, precision), v)
		return s
	}
	return strconv.FormatFloat(v, verb|0x20, precision, 64)
}

// format is str.format: fields without format specifications.
func (r *renderer) format(c *call, s string) any {
	var b strings.Builder
	auto := 0
	for i := 0; i < len(s); i++ {
		switch {
		case (s[i] == '{' || s[i] == '}') && i+1 < len(s) && s[i+1] == s[i]:
			b.WriteByte(s[i])
			i++
		case s[i] == '}':
			fail(c.line, "format: a single }")
		case s[i] == '{':
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				fail(c.line, "format: a { without }")
			}
			field := s[i+1 : i+end]
			i += end
			if strings.ContainsAny(field, ":!.[{") {
				fail(c.line, "format: the field {%s} is not supported (allowed: {}, {0}, {name})", field)
			}
			if field == "" {
				field = strconv.Itoa(auto)
				auto++
			}
			b.WriteString(r.text(c.line, c.field(field)))
		default:
			b.WriteByte(s[i])
		}
	}
	r.made(c.line, b.Len())
	return b.String()
}

func (c *call) field(name string) any {
	if n, err := strconv.Atoi(name); err == nil {
		if n < 0 || n >= len(c.args) {
			fail(c.line, "format: there is no argument %d", n)
		}
		return c.args[n]
	}
	for _, k := range c.kwargs {
		if k.name == name {
			return k.value
		}
	}
	fail(c.line, "format: there is no argument %s", name)
	return nil
}

// strftime formats a time as C's does in its own locale.
func strftime(line int, t time.Time, format string) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		bare := false // "%-d": without padding
		if format[i] == '-' && i+1 < len(format) {
			bare = true
			i++
		}
		pad := func(n, width int) {
			if bare {
				width = 0
			}
			fmt.Fprintf(&b, "%0*d", width, n)
		}
		switch format[i] {
		case '%':
			b.WriteByte('%')
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'a':
			b.WriteString(t.Format("Mon"))
		case 'A':
			b.WriteString(t.Format("Monday"))
		case 'b', 'h':
			b.WriteString(t.Format("Jan"))
		case 'B':
			b.WriteString(t.Format("January"))
		case 'c':
			b.WriteString(t.Format("Mon Jan _2 15:04:05 2006"))
		case 'd':
			pad(t.Day(), 2)
		case 'D', 'x':
			b.WriteString(t.Format("01/02/06"))
		case 'e':
			b.WriteString(t.Format("_2"))
		case 'f':
			pad(t.Nanosecond()/1000, 6)
		case 'F':
			b.WriteString(t.Format("2006-01-02"))
		case 'H':
			pad(t.Hour(), 2)
		case 'I':
			pad((t.Hour()+11)%12+1, 2)
		case 'j':
			pad(t.YearDay(), 3)
		case 'm':
			pad(int(t.Month()), 2)
		case 'M':
			pad(t.Minute(), 2)
		case 'p':
			b.WriteString(t.Format("PM"))
		case 'S':
			pad(t.Second(), 2)
		case 'T', 'X':
			b.WriteString(t.Format("15:04:05"))
		case 'R':
			b.WriteString(t.Format("15:04"))
		case 'u':
			pad((int(t.Weekday())+6)%7+1, 0)
		case 'w':
			pad(int(t.Weekday()), 0)
		case 'U':
			pad((t.YearDay()+6-int(t.Weekday()))/7, 2)
		case 'W':
			pad((t.YearDay()+6-(int(t.Weekday())+6)%7)/7, 2)
		case 'V':
			_, week := t.ISOWeek()
			pad(week, 2)
		case 'G':
			year, _ := t.ISOWeek()
			pad(year, 4)
		case 'y':
			pad(t.Year()%100, 2)
		case 'Y':
			pad(t.Year(), 0)
		case 'z', 'Z': // Python's now() knows no zone
		default:
			fail(line, "strftime_now: %%%c is not supported", format[i])
		}
	}
	return b.String()
}
