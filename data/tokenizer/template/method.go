package template

import (
	"math/big"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	stringMethods = []string{"strip", "lstrip", "rstrip", "split", "rsplit", "splitlines", "startswith",
		"endswith", "replace", "upper", "lower", "title", "capitalize", "swapcase", "casefold", "find", "rfind", "index",
		"rindex", "count", "join", "format", "zfill", "ljust", "rjust", "center", "removeprefix",
		"removesuffix", "partition", "rpartition", "isdigit", "isdecimal", "isnumeric", "isalpha", "isalnum", "isspace",
		"isupper", "islower", "isascii"}
	dictMethods = []string{"items", "keys", "values", "get", "copy"}
	listMethods = []string{"index", "count", "copy"}

	// Methods of Python that are not supported here: an error names them, since they would
	// be undefined otherwise.
	unknownMembers = map[string][]string{
		"str":       {"encode", "expandtabs", "format_map", "isidentifier", "isprintable", "istitle", "maketrans", "translate"},
		"dict":      {"fromkeys"},
		"int":       {"as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator", "from_bytes", "imag", "numerator", "real", "to_bytes"},
		"float":     {"as_integer_ratio", "conjugate", "fromhex", "hex", "imag", "is_integer", "real"},
		"dict_keys": {"isdisjoint", "mapping"}, "dict_values": {"mapping"}, "dict_items": {"isdisjoint", "mapping"},
		"range":     {"start", "stop", "step", "count", "index"},
		"generator": {"close", "send", "throw"},
	}
	// Methods that change their value, which templates may not do.
	mutators = map[string][]string{
		"dict": {"clear", "pop", "popitem", "setdefault", "update"},
		"list": {"append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"},
	}
)

// member gives a method or an attribute of a value, apart from its keys.
func (r *renderer) member(line int, x any, name string) (any, bool) {
	if u, ok := x.(*undefined); ok {
		r.undefined(line, u)
	}
	t := typeName(x)
	if strings.HasPrefix(name, "__") {
		return &undefined{what: "the attribute " + name, unsafe: true}, true
	}
	if slices.Contains(mutators[t], name) {
		return &undefined{what: "the method " + name + " of a " + t, unsafe: true}, true
	}
	known := false
	switch x := x.(type) {
	case string:
		known = slices.Contains(stringMethods, name)
	case markup:
		if slices.Contains(stringMethods, name) {
			fail(line, "the method %s of a string that is marked safe is not supported", name)
		}
		return nil, false
	case *Dict:
		known = slices.Contains(dictMethods, name)
	case []any:
		known = slices.Contains(listMethods, name)
	case tuple:
		known = name == "index" || name == "count"
	case *namespace:
		v, ok := x.attrs.get(name)
		return v, ok
	case *loop:
		return r.loopAttr(line, x, name)
	case *macro:
		switch name {
		case "name":
			return x.def.name, true
		case "arguments":
			var list tuple
			for _, p := range x.def.params {
				list = append(list, p.name)
			}
			return list, true
		case "catch_kwargs":
			return x.def.kwargs != nil, true
		case "catch_varargs":
			return x.def.varargs != nil, true
		case "caller":
			return x.def.caller != nil, true
		}
	case *cycler:
		if name == "current" {
			return x.items[x.pos], true
		}
		known = name == "next" || name == "reset"
	case *builtin:
		if name == "fromkeys" && x.name == "dict" {
			fail(line, "dict.fromkeys is not supported")
		}
	case bool:
		t = "int"
	case *group:
		switch name {
		case "grouper":
			return x.key, true
		case "list":
			return x.items, true
		}
	}
	if known {
		return &method{x, name}, true
	}
	if slices.Contains(unknownMembers[t], name) {
		fail(line, "the method %s.%s is not supported", t, name)
	}
	return nil, false
}

// call holds the arguments of a filter, a method or a function while they are taken.
type call struct {
	r      *renderer
	line   int
	name   string
	args   []any
	kwargs []argument
}

// take gives the arguments in the order of params; an absent one is missing. A parameter
// "name!" is required.
func (c *call) take(params ...string) []any {
	values := make([]any, len(params))
	if len(c.args) > len(params) {
		fail(c.line, "%s takes not more than %d arguments", c.name, len(params))
	}
	for i := range values {
		values[i] = missing
		if i < len(c.args) {
			values[i] = c.args[i]
		}
	}
	for _, k := range c.kwargs {
		i := slices.IndexFunc(params, func(p string) bool { return strings.TrimSuffix(p, "!") == k.name })
		if i < 0 {
			fail(c.line, "%s takes no argument %s", c.name, k.name)
		}
		if values[i] != missing {
			fail(c.line, "%s: the argument %s is given twice", c.name, k.name)
		}
		values[i] = k.value
	}
	for i, p := range params {
		if values[i] == missing && strings.HasSuffix(p, "!") {
			fail(c.line, "%s needs the argument %s", c.name, strings.TrimSuffix(p, "!"))
		}
	}
	return values
}

// positional is take for Python's built-in methods, which have no named arguments.
func (c *call) positional(params ...string) []any {
	if len(c.kwargs) > 0 {
		fail(c.line, "%s takes no named arguments", c.name)
	}
	return c.take(params...)
}

func (c *call) string(x any, otherwise string) string {
	switch x := x.(type) {
	case string:
		return x
	case markup:
		return string(x)
	}
	if x == missing {
		return otherwise
	}
	c.r.defined(c.line, x)
	fail(c.line, "%s: a string is needed, not %s", c.name, typeName(x))
	return ""
}

func (c *call) int(x any, otherwise int64) int64 {
	if x == missing {
		return otherwise
	}
	i, _, isFloat, ok := number(x)
	if !ok || isFloat {
		c.r.defined(c.line, x)
		fail(c.line, "%s: an integer is needed, not %s", c.name, typeName(x))
	}
	return i
}

func (c *call) bool(x any, otherwise bool) bool {
	if x == missing {
		return otherwise
	}
	return c.r.true(c.line, x)
}

func (r *renderer) method(line int, m *method, args []any, kwargs []argument) any {
	c := &call{r, line, m.name, args, kwargs}
	switch x := m.recv.(type) {
	case string:
		r.work(line, int64(len(x)/64))
		return r.stringMethod(c, x)
	case *Dict:
		return r.dictMethod(c, x)
	case []any:
		return r.listMethod(c, x)
	case tuple:
		return r.listMethod(c, x)
	case *loop:
		if m.name == "cycle" {
			if len(args) == 0 {
				fail(line, "cycle needs something to cycle through")
			}
			return args[x.index%int64(len(args))]
		}
		if x.changed != missing && r.equal(line, x.changed, tuple(args), 0) {
			return false
		}
		x.changed = tuple(args)
		return true
	case *cycler:
		c.positional()
		if m.name == "reset" {
			x.pos = 0
			return nil
		}
		v := x.items[x.pos]
		x.pos = (x.pos + 1) % len(x.items)
		return v
	}
	panic("template: a method of " + typeName(m.recv))
}

func (r *renderer) dictMethod(c *call, d *Dict) any {
	switch c.name {
	case "get":
		a := c.positional("key!", "default")
		hash, ok := hashKey(a[0])
		if !ok {
			r.key(c.line, a[0])
		} else if v, ok := d.get(hash); ok {
			return v
		}
		if a[1] == missing {
			return nil
		}
		return a[1]
	case "copy":
		c.positional()
		r.made(c.line, 64*len(d.keys))
		return d.clone()
	}
	c.positional()
	switch c.name {
	case "keys":
		return &view{"dict_keys", d.keys}
	case "values":
		return &view{"dict_values", d.values}
	}
	return &view{"dict_items", r.items(c.line, d)}
}

func (d *Dict) clone() *Dict {
	e := &Dict{}
	for i, k := range d.keys {
		hash, _ := hashKey(k)
		e.set(hash, k, d.values[i])
	}
	return e
}

// items gives tuples of key and value.
func (r *renderer) items(line int, d *Dict) []any {
	r.made(line, 80*len(d.keys))
	items := make([]any, len(d.keys))
	for i, k := range d.keys {
		items[i] = tuple{k, d.values[i]}
	}
	return items
}

func (r *renderer) listMethod(c *call, list []any) any {
	switch c.name {
	case "count":
		a := c.positional("value!")
		n := int64(0)
		for _, x := range list {
			if r.equal(c.line, x, a[0], 0) {
				n++
			}
		}
		return n
	case "index":
		a := c.positional("value!", "start", "stop")
		lo, hi := bounds(c, a[1:], len(list))
		for i := lo; i < hi; i++ {
			if r.equal(c.line, list[i], a[0], 0) {
				return int64(i)
			}
		}
		fail(c.line, "index: the value is not in the list")
	}
	c.positional()
	return r.join(c.line, list, nil)
}

// bounds clamps a start and a stop as slices do.
func bounds(c *call, a []any, n int) (lo, hi int) {
	at := func(x any, otherwise int64) int {
		if x == nil {
			x = missing
		}
		i := c.int(x, otherwise)
		if i < 0 {
			i += int64(n)
		}
		return int(max(0, min(i, int64(n))))
	}
	return at(a[0], 0), at(a[1], int64(n))
}

func (r *renderer) stringMethod(c *call, s string) any {
	line := c.line
	switch c.name {
	case "strip", "lstrip", "rstrip":
		a := c.positional("chars")
		return strip(c, s, a[0])
	case "split", "rsplit":
		a := c.take("sep", "maxsplit")
		r.made(line, 24*len(s))
		if a[0] == missing || a[0] == nil {
			return splitSpace(s, int(c.int(a[1], -1)), c.name == "rsplit")
		}
		sep := c.string(a[0], "")
		if sep == "" {
			fail(line, "%s: the separator is empty", c.name)
		}
		return splitBy(s, sep, int(c.int(a[1], -1)), c.name == "rsplit")
	case "splitlines":
		a := c.take("keepends")
		r.made(line, 24*len(s))
		return toList(splitLines(s, c.bool(a[0], false)))
	case "startswith", "endswith":
		a := c.positional("prefix!", "start", "end")
		if a[1] != missing {
			chars := []rune(s)
			r.made(line, 4*len(s))
			lo, hi := bounds(c, a[1:], len(chars))
			s = string(chars[lo:max(lo, hi)])
		}
		has := strings.HasPrefix
		if c.name == "endswith" {
			has = strings.HasSuffix
		}
		if t, ok := a[0].(tuple); ok {
			for _, x := range t {
				if has(s, c.string(x, "")) {
					return true
				}
			}
			return false
		}
		return has(s, c.string(a[0], ""))
	case "replace":
		a := c.positional("old!", "new!", "count")
		return r.replace(line, s, c.string(a[0], ""), c.string(a[1], ""), c.int(a[2], -1))
	case "find", "rfind", "index", "rindex", "count":
		a := c.positional("sub!", "start", "end")
		return r.find(c, s, c.string(a[0], ""), a[1:])
	case "join":
		a := c.positional("iterable!")
		var parts []string
		for _, x := range r.list(line, a[0]) {
			p, ok := x.(string)
			if !ok {
				r.defined(line, x)
				fail(line, "join: %s where a string is needed", typeName(x))
			}
			parts = append(parts, p)
		}
		return r.joinStrings(line, parts, s)
	case "format":
		return r.format(c, s)
	case "zfill":
		n := c.int(c.positional("width!")[0], 0) - int64(utf8.RuneCountInString(s))
		if n <= 0 {
			return s
		}
		sign := ""
		if s != "" && (s[0] == '+' || s[0] == '-') {
			sign, s = s[:1], s[1:]
		}
		return sign + r.repeat(line, "0", int(min(n, 1<<31-1))) + s
	case "ljust", "rjust", "center":
		a := c.positional("width!", "fillchar")
		fill := c.string(a[1], " ")
		if utf8.RuneCountInString(fill) != 1 {
			fail(line, "%s: the fill character is not one character", c.name)
		}
		return r.justify(line, s, c.int(a[0], 0), fill, c.name)
	case "removeprefix":
		return strings.TrimPrefix(s, c.string(c.positional("prefix!")[0], ""))
	case "removesuffix":
		return strings.TrimSuffix(s, c.string(c.positional("suffix!")[0], ""))
	case "partition", "rpartition":
		sep := c.string(c.positional("sep!")[0], "")
		if sep == "" {
			fail(line, "%s: the separator is empty", c.name)
		}
		if c.name == "partition" {
			if a, b, ok := strings.Cut(s, sep); ok {
				return tuple{a, sep, b}
			}
			return tuple{s, "", ""}
		}
		if i := strings.LastIndex(s, sep); i >= 0 {
			return tuple{s[:i], sep, s[i+len(sep):]}
		}
		return tuple{"", "", s}
	}
	c.positional()
	r.made(line, len(s))
	all := func(f func(rune) bool) bool {
		for _, c := range s {
			if !f(c) {
				return false
			}
		}
		return s != ""
	}
	switch c.name {
	case "upper":
		return strings.ToUpper(s)
	case "lower", "casefold":
		return strings.ToLower(s)
	case "title":
		return title(s)
	case "capitalize":
		return capitalize(s)
	case "swapcase":
		return strings.Map(func(c rune) rune {
			if unicode.IsUpper(c) {
				return unicode.ToLower(c)
			}
			return unicode.ToUpper(c)
		}, s)
	case "isdecimal":
		return all(unicode.IsDigit)
	case "isdigit":
		return all(func(c rune) bool {
			return unicode.IsDigit(c) || strings.ContainsRune("²³¹⁰⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", c)
		})
	case "isnumeric":
		return all(unicode.IsNumber)
	case "isalpha":
		return all(unicode.IsLetter)
	case "isalnum":
		return all(func(c rune) bool { return unicode.IsLetter(c) || unicode.IsNumber(c) })
	case "isspace":
		return all(isSpace)
	case "isascii":
		return s == "" || all(func(c rune) bool { return c < utf8.RuneSelf })
	}
	return s != "" && cased(s, c.name == "isupper")
}

// cased reports whether s has cased letters and all of them are upper, or lower.
func cased(s string, upper bool) bool {
	some := false
	for _, c := range s {
		isUpper, isLower := unicode.IsUpper(c) || unicode.IsTitle(c), unicode.IsLower(c)
		if isUpper && !upper || isLower && upper {
			return false
		}
		some = some || isUpper || isLower
	}
	return some
}

func title(s string) string {
	inside := false
	return strings.Map(func(c rune) rune {
		was := inside
		inside = unicode.IsUpper(c) || unicode.IsLower(c) || unicode.IsTitle(c)
		if was {
			return unicode.ToLower(c)
		}
		return unicode.ToTitle(c)
	}, s)
}

func capitalize(s string) string {
	first := true
	return strings.Map(func(c rune) rune {
		if first {
			first = false
			return unicode.ToTitle(c)
		}
		return unicode.ToLower(c)
	}, s)
}

// strip removes characters from the ends: white space, or the given ones.
func strip(c *call, s string, chars any) string {
	off := isSpace
	if chars != missing && chars != nil {
		set := c.string(chars, "")
		off = func(r rune) bool { return strings.ContainsRune(set, r) }
	}
	if c.name != "rstrip" {
		s = strings.TrimLeftFunc(s, off)
	}
	if c.name != "lstrip" {
		s = strings.TrimRightFunc(s, off)
	}
	return s
}

func splitSpace(s string, limit int, right bool) []any {
	list := []any{}
	if right {
		for {
			s = strings.TrimRightFunc(s, isSpace)
			if s == "" {
				break
			}
			i := strings.LastIndexFunc(s, isSpace)
			if limit == 0 || i < 0 {
				list = append(list, s)
				break
			}
			_, n := utf8.DecodeRuneInString(s[i:])
			list = append(list, s[i+n:])
			s = s[:i]
			limit--
		}
		slices.Reverse(list)
		return list
	}
	for {
		s = strings.TrimLeftFunc(s, isSpace)
		if s == "" {
			return list
		}
		i := strings.IndexFunc(s, isSpace)
		if limit == 0 || i < 0 {
			return append(list, s)
		}
		list = append(list, s[:i])
		s = s[i:]
		limit--
	}
}

func splitBy(s, sep string, limit int, right bool) []any {
	if limit < 0 {
		limit = len(s) + 1
	}
	if !right {
		return toList(strings.SplitN(s, sep, limit+1))
	}
	list := []any{}
	for ; limit > 0; limit-- {
		i := strings.LastIndex(s, sep)
		if i < 0 {
			break
		}
		list = append(list, s[i+len(sep):])
		s = s[:i]
	}
	list = append(list, s)
	slices.Reverse(list)
	return list
}

func toList(parts []string) []any {
	list := make([]any, len(parts))
	for i, p := range parts {
		list[i] = p
	}
	return list
}

// splitLines cuts at the line ends of Python's str.splitlines.
func splitLines(s string, keep bool) []string {
	var lines []string
	for s != "" {
		i := strings.IndexFunc(s, func(r rune) bool {
			switch r {
			case '\n', '\r', '\v', '\f', 0x1c, 0x1d, 0x1e, 0x85, 0x2028, 0x2029:
				return true
			}
			return false
		})
		if i < 0 {
			return append(lines, s)
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		if strings.HasPrefix(s[i:], "\r\n") {
			n = 2
		}
		if keep {
			lines = append(lines, s[:i+n])
		} else {
			lines = append(lines, s[:i])
		}
		s = s[i+n:]
	}
	return lines
}

func (r *renderer) replace(line int, s, old, by string, count int64) string {
	n := int64(utf8.RuneCountInString(s) + 1)
	if old != "" {
		n = int64(strings.Count(s, old))
	}
	if count >= 0 {
		n = min(n, count)
	}
	if n > 0 && int64(len(by)) > r.bytes/n {
		r.made(line, int(r.bytes)+1)
	}
	r.made(line, len(s)+int(n)*len(by))
	if count > int64(n) {
		count = n
	}
	return strings.Replace(s, old, by, int(count))
}

func (r *renderer) joinStrings(line int, parts []string, sep string) string {
	n := len(sep) * len(parts)
	for _, p := range parts {
		n += len(p)
	}
	r.made(line, n)
	return strings.Join(parts, sep)
}

// find is str.find and its kin; positions count characters.
func (r *renderer) find(c *call, s, sub string, limits []any) any {
	lo := 0
	if limits[0] != missing || limits[1] != missing {
		r.made(c.line, 4*len(s))
		chars := []rune(s)
		start, stop := bounds(c, limits, len(chars))
		if start > stop || limits[0] != missing && limits[0] != nil && c.int(limits[0], 0) > int64(len(chars)) {
			start, stop = 0, -1
		}
		if stop < 0 {
			switch c.name {
			case "count":
				return int64(0)
			case "index", "rindex":
				fail(c.line, "%s: the text is not found", c.name)
			}
			return int64(-1)
		}
		lo, s = start, string(chars[start:stop])
	}
	i := 0
	switch c.name {
	case "count":
		return int64(strings.Count(s, sub))
	case "find", "index":
		i = strings.Index(s, sub)
	default:
		i = strings.LastIndex(s, sub)
	}
	if i < 0 {
		if c.name == "index" || c.name == "rindex" {
			fail(c.line, "%s: the text is not found", c.name)
		}
		return int64(-1)
	}
	return int64(lo + utf8.RuneCountInString(s[:i]))
}

func (r *renderer) justify(line int, s string, width int64, fill, how string) string {
	n := width - int64(utf8.RuneCountInString(s))
	if n <= 0 {
		return s
	}
	n = min(n, 1<<31-1)
	r.made(line, len(s))
	switch how {
	case "ljust":
		return s + r.repeat(line, fill, int(n))
	case "rjust":
		return r.repeat(line, fill, int(n)) + s
	}
	left := n/2 + n&width&1 // as Python rounds
	return r.repeat(line, fill, int(left)) + s + r.repeat(line, fill, int(n-left))
}

// builtin calls one of Jinja's global functions.
func (r *renderer) builtin(line int, name string, args []any, kwargs []argument) any {
	c := &call{r, line, name, args, kwargs}
	switch name {
	case "raise_exception":
		a := c.take("message!")
		panic(&Error{Line: line, Message: r.text(line, a[0]), Raised: true})
	case "strftime_now":
		a := c.take("format!")
		return strftime(line, r.now(), c.string(a[0], ""))
	case "range":
		return newRange(c)
	case "namespace", "dict":
		d := &Dict{}
		if len(args) > 1 {
			fail(line, "%s takes not more than 1 argument", name)
		}
		if len(args) == 1 {
			if from, ok := args[0].(*Dict); ok {
				for i, k := range from.keys {
					r.put(line, d, k, from.values[i])
				}
			} else {
				for _, x := range r.list(line, args[0]) {
					pair := r.list(line, x)
					if len(pair) != 2 {
						fail(line, "%s: an item is not a pair", name)
					}
					r.put(line, d, pair[0], pair[1])
				}
			}
		}
		for _, k := range kwargs {
			r.put(line, d, k.name, k.value)
		}
		if name == "dict" {
			return d
		}
		for _, k := range d.keys {
			if s, ok := k.(string); ok && strings.HasPrefix(s, "_") {
				fail(line, "the attribute %s of a namespace begins with _", s)
			}
		}
		return &namespace{d}
	case "cycler":
		if len(args) == 0 || len(kwargs) > 0 {
			fail(line, "cycler needs something to cycle through")
		}
		return &cycler{items: args}
	case "joiner":
		a := c.take("sep")
		if a[0] == missing {
			a[0] = ", "
		}
		return &joiner{sep: a[0]}
	}
	fail(line, "the function %s is not supported", name)
	return nil
}

// maxRange is the greatest length of a range in Jinja's sandbox.
const maxRange = 100_000

func newRange(c *call) any {
	if len(c.args) == 0 || len(c.args) > 3 {
		fail(c.line, "range takes 1 to 3 arguments")
	}
	a := c.positional("start", "stop", "step")
	v := &rangeValue{start: c.int(a[0], 0), stop: c.int(a[1], 0), step: c.int(a[2], 1)}
	if a[1] == missing {
		v.start, v.stop = 0, v.start
	}
	if v.step == 0 {
		fail(c.line, "range: the step is zero")
	}
	span, step := new(big.Int).Sub(big.NewInt(v.stop), big.NewInt(v.start)), big.NewInt(v.step)
	if v.step < 0 {
		span.Neg(span)
		step.Neg(step)
	}
	if span.Sign() > 0 {
		span.Add(span, step).Sub(span, big.NewInt(1)).Quo(span, step)
		if !span.IsInt64() || span.Int64() > maxRange {
			fail(c.line, "range: more than %d items", maxRange)
		}
		v.n = span.Int64()
	}
	return v
}
