package template

import (
	"math"
	"math/big"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// filterNames are the names of the filters that filter applies.
var filterNames = []string{"abs", "attr", "batch", "capitalize", "center", "count", "d", "default", "dictsort", "e",
	"escape", "first", "float", "format", "groupby", "indent", "int", "items", "join", "last", "length", "list",
	"lower", "map", "max", "min", "reject", "rejectattr", "replace", "reverse", "round", "safe", "select",
	"selectattr", "slice", "sort", "string", "sum", "title", "tojson", "trim", "truncate", "unique", "upper",
	"urlencode", "wordcount"}

// group is an element of the result of groupby.
type group struct {
	key   any
	items []any
}

// filter applies a filter to x.
func (r *renderer) filter(line int, name string, x any, args []any, kwargs []argument) any {
	r.work(line, 1+size(x)/64)
	c := &call{r, line, name, args, kwargs}
	switch name {
	case "default", "d":
		a := c.take("default_value", "boolean")
		if _, ok := x.(*undefined); ok || c.bool(a[1], false) && !truth(x) {
			if a[0] == missing {
				return ""
			}
			return a[0]
		}
		return x
	case "length", "count":
		c.take()
		n, ok := length(x)
		if !ok {
			fail(line, "a %s has no length (for a generator: |list)", typeName(x))
		}
		return int64(n)
	case "list":
		c.take()
		return r.list(line, x)
	case "first":
		c.take()
		if v, ok := r.iterate(line, x).next(); ok {
			return v
		}
		return &undefined{what: "there is no first item"}
	case "last":
		c.take()
		items := r.reversible(line, x)
		if len(items) > 0 {
			return items[len(items)-1]
		}
		return &undefined{what: "there is no last item"}
	case "reverse":
		c.take()
		return r.reverse(line, x)
	case "items":
		c.take()
		switch d := x.(type) {
		case *undefined:
			return &iterator{next: over(nil).next, n: -1}
		case *Dict:
			return generator(r.items(line, d))
		}
		fail(line, "items: a %s is not a mapping", typeName(x))
	case "dictsort":
		return r.dictsort(c, x)
	case "sort", "min", "max", "unique", "groupby", "sum":
		return r.order(c, x)
	case "map":
		return r.mapped(c, x)
	case "select", "reject", "selectattr", "rejectattr":
		return r.selected(c, x)
	case "join":
		a := c.take("d", "attribute")
		get := func(x any) any { return x }
		if a[1] != missing && a[1] != nil {
			get = r.getter(c, a[1], missing)
		}
		it := r.iterate(line, x)
		var parts []string
		for v, ok := it.next(); ok; v, ok = it.next() {
			r.step(line)
			parts = append(parts, r.text(line, get(v)))
		}
		sep := ""
		if a[0] != missing {
			sep = r.text(line, a[0])
		}
		return r.joinStrings(line, parts, sep)
	case "batch", "slice":
		return r.batch(c, x)
	case "attr":
		a := c.take("name!")
		v, ok := r.member(line, x, c.string(a[0], ""))
		if !ok {
			return r.none(x, a[0])
		}
		return v
	case "tojson":
		a := c.take("ensure_ascii", "indent", "separators", "sort_keys")
		return r.tojson(c, x, a)
	case "abs":
		c.take()
		i, f, isFloat, ok := number(x)
		switch {
		case !ok:
			r.defined(line, x)
			fail(line, "abs of %s", typeName(x))
		case isFloat:
			return math.Abs(f)
		case i == math.MinInt64:
			overflow(line)
		}
		return max(i, -i)
	case "int":
		a := c.take("default", "base")
		return r.toInt(c, x, a)
	case "float":
		a := c.take("default")
		if s, ok := x.(string); ok {
			if f, ok := parseFloat(s); ok {
				return f
			}
		} else if _, f, _, ok := number(x); ok {
			return f
		} else if b, ok := x.(*big.Int); ok {
			f, _ := new(big.Float).SetInt(b).Float64()
			return f
		}
		r.defined(line, x)
		if a[0] == missing {
			return 0.0
		}
		return a[0]
	case "round":
		return r.round(c, x)
	case "string":
		c.take()
		if m, ok := x.(markup); ok {
			return m
		}
		return r.text(line, x)
	case "safe":
		c.take()
		return markup(r.text(line, x))
	case "escape", "e":
		c.take()
		if m, ok := x.(markup); ok {
			return m
		}
		return r.escape(line, r.text(line, x))
	case "urlencode":
		return r.urlencode(c, x)
	case "indent":
		a := c.take("width", "first", "blank")
		return r.indent(c, x, a)
	case "truncate":
		a := c.take("length", "killwords", "end", "leeway")
		return r.truncate(c, x, a)
	}
	// The other filters work on the text of any value.
	if _, ok := x.(markup); ok && name != "trim" {
		fail(line, "the filter %s of a string that is marked safe is not supported", name)
	}
	s := r.text(line, x)
	r.made(line, len(s))
	switch name {
	case "trim":
		a := c.take("chars")
		t := strip(c, s, a[0])
		if _, ok := x.(markup); ok {
			return markup(t)
		}
		return t
	case "upper":
		c.take()
		return strings.ToUpper(s)
	case "lower":
		c.take()
		return strings.ToLower(s)
	case "capitalize":
		c.take()
		return capitalize(s)
	case "title":
		c.take()
		return titleFilter(s)
	case "center":
		a := c.take("width")
		return r.justify(line, s, c.int(a[0], 80), " ", "center")
	case "replace":
		a := c.take("old!", "new!", "count")
		if a[2] == nil {
			a[2] = missing
		}
		return r.replace(line, s, r.text(line, a[0]), r.text(line, a[1]), c.int(a[2], -1))
	case "format":
		if len(kwargs) == 0 {
			return r.percent(line, s, tuple(args))
		}
		if len(args) > 0 {
			fail(line, "format takes arguments with names or without, not both")
		}
		d := &Dict{}
		for _, k := range kwargs {
			r.put(line, d, k.name, k.value)
		}
		return r.percent(line, s, d)
	case "wordcount":
		c.take()
		return int64(len(strings.FieldsFunc(s, func(c rune) bool {
			return c != '_' && !unicode.IsLetter(c) && !unicode.IsNumber(c)
		})))
	}
	fail(line, "%s", unknown("filter", name, filterNames))
	return nil
}

func generator(items []any) *iterator { return &iterator{next: over(items).next, n: -1} }

// reversible gives the items of a value that Python's reversed accepts.
func (r *renderer) reversible(line int, x any) []any {
	switch x.(type) {
	case string, markup, []any, tuple, *Dict, *view, *rangeValue, *undefined:
		return r.list(line, x)
	}
	r.defined(line, x)
	fail(line, "a %s cannot be read from its end (for a generator: |list)", typeName(x))
	return nil
}

func (r *renderer) reverse(line int, x any) any {
	switch x := x.(type) {
	case string:
		r.made(line, 5*len(x))
		chars := []rune(x)
		slices.Reverse(chars)
		return string(chars)
	case markup:
		fail(line, "the filter reverse of a string that is marked safe is not supported")
	case *iterator:
		items := r.list(line, x)
		slices.Reverse(items)
		return items
	}
	items := slices.Clone(r.reversible(line, x))
	slices.Reverse(items)
	return generator(items)
}

// getter makes a function that looks up an attribute: "a.b" is b of a, digits are
// an index.
func (r *renderer) getter(c *call, attribute, otherwise any) func(any) any {
	var path []any
	switch a := attribute.(type) {
	case string:
		for part := range strings.SplitSeq(a, ".") {
			if n, err := strconv.ParseInt(part, 10, 64); err == nil && part != "" && part[0] != '-' && part[0] != '+' {
				path = append(path, n)
			} else {
				path = append(path, part)
			}
		}
	case nil:
	default:
		path = []any{a}
	}
	return func(x any) any {
		for _, key := range path {
			r.step(c.line)
			x = r.item(c.line, x, key)
			if _, ok := x.(*undefined); ok && otherwise != missing && otherwise != nil {
				x = otherwise
			}
		}
		return x
	}
}

func lowered(x any) any {
	switch x := x.(type) {
	case string:
		return strings.ToLower(x)
	case markup:
		return strings.ToLower(string(x))
	}
	return x
}

func (r *renderer) dictsort(c *call, x any) any {
	a := c.take("case_sensitive", "by", "reverse")
	d, ok := x.(*Dict)
	if !ok {
		r.defined(c.line, x)
		fail(c.line, "dictsort of %s", typeName(x))
	}
	pos := 0
	switch by := c.string(a[1], "key"); by {
	case "key":
	case "value":
		pos = 1
	default:
		fail(c.line, "dictsort: by is \"key\" or \"value\", not %q", by)
	}
	sensitive := c.bool(a[0], false)
	return r.sorted(c, r.items(c.line, d), c.bool(a[2], false), func(x any) any {
		if sensitive {
			return x.(tuple)[pos]
		}
		return lowered(x.(tuple)[pos])
	})
}

// sorted sorts stably; reversed, equal items keep their order as well.
func (r *renderer) sorted(c *call, items []any, reverse bool, key func(any) any) []any {
	type keyed struct{ key, x any }
	list := make([]keyed, len(items))
	r.made(c.line, 48*len(items))
	for i, x := range items {
		list[i] = keyed{key(x), x}
	}
	slices.SortStableFunc(list, func(a, b keyed) int {
		if reverse {
			a, b = b, a
		}
		if r.compare(c.line, "<", a.key, b.key, 0) == -1 {
			return -1
		}
		if r.compare(c.line, "<", b.key, a.key, 0) == -1 {
			return 1
		}
		return 0
	})
	out := make([]any, len(items))
	for i, k := range list {
		out[i] = k.x
	}
	return out
}

// order is the filters that compare items.
func (r *renderer) order(c *call, x any) any {
	fold := func(sensitive any, get func(any) any) func(any) any {
		if c.bool(sensitive, false) {
			return get
		}
		return func(x any) any { return lowered(get(x)) }
	}
	attribute := func(a any) func(any) any {
		if a == missing {
			a = nil
		}
		return r.getter(c, a, missing)
	}
	switch c.name {
	case "sum":
		a := c.take("attribute", "start")
		get := attribute(a[0])
		total := a[1]
		if total == missing {
			total = int64(0)
		}
		if _, ok := total.(string); ok {
			fail(c.line, "sum of strings (use join)")
		}
		it := r.iterate(c.line, x)
		for v, ok := it.next(); ok; v, ok = it.next() {
			r.step(c.line)
			total = r.binary(c.line, "+", total, get(v))
		}
		return total
	case "min", "max":
		a := c.take("case_sensitive", "attribute")
		key := fold(a[0], attribute(a[1]))
		it := r.iterate(c.line, x)
		best, ok := it.next()
		if !ok {
			return &undefined{what: "there is no " + c.name + " of nothing"}
		}
		bestKey := key(best)
		for v, ok := it.next(); ok; v, ok = it.next() {
			r.step(c.line)
			k := key(v)
			if c.name == "min" && r.compare(c.line, "<", k, bestKey, 0) == -1 ||
				c.name == "max" && r.compare(c.line, ">", k, bestKey, 0) == 1 {
				best, bestKey = v, k
			}
		}
		return best
	case "unique":
		a := c.take("case_sensitive", "attribute")
		key := fold(a[0], attribute(a[1]))
		seen := map[any]bool{}
		var out []any
		it := r.iterate(c.line, x)
		for v, ok := it.next(); ok; v, ok = it.next() {
			r.step(c.line)
			hash, ok := hashKey(key(v))
			if !ok {
				fail(c.line, "unique of %s is not supported", typeName(key(v)))
			}
			r.made(c.line, 64)
			if !seen[hash] {
				seen[hash] = true
				out = append(out, v)
			}
		}
		return generator(out)
	case "groupby":
		a := c.take("attribute!", "default", "case_sensitive")
		get := r.getter(c, a[0], a[1])
		key := fold(a[2], get)
		var out []any
		var last any
		for _, v := range r.sorted(c, r.list(c.line, x), false, key) {
			k := key(v)
			if out == nil || !r.equal(c.line, last, k, 0) {
				out = append(out, &group{key: get(v)})
				last = k
			}
			g := out[len(out)-1].(*group)
			g.items = append(g.items, v)
		}
		if out == nil {
			out = []any{}
		}
		return out
	}
	a := c.take("reverse", "case_sensitive", "attribute")
	var gets []func(any) any
	if s, ok := a[2].(string); ok {
		for part := range strings.SplitSeq(s, ",") {
			gets = append(gets, fold(a[1], r.getter(c, part, missing)))
		}
	} else {
		gets = append(gets, fold(a[1], attribute(a[2])))
	}
	return r.sorted(c, r.list(c.line, x), c.bool(a[0], false), func(x any) any {
		keys := make([]any, len(gets))
		for i, get := range gets {
			keys[i] = get(x)
		}
		return keys
	})
}

// mapped is the filter map: it applies a filter to each item, or takes an attribute of it.
func (r *renderer) mapped(c *call, x any) any {
	if !r.true(c.line, x) {
		return generator(nil)
	}
	var f func(any) any
	if len(c.args) == 0 {
		a := c.take("attribute!", "default")
		f = r.getter(c, a[0], a[1])
	} else {
		name, ok := c.args[0].(string)
		if !ok || !slices.Contains(filterNames, name) {
			fail(c.line, "map: %s", unknown("filter", r.text(c.line, c.args[0]), filterNames))
		}
		f = func(x any) any { return r.filter(c.line, name, x, c.args[1:], c.kwargs) }
	}
	it := r.iterate(c.line, x)
	return &iterator{n: -1, depth: r.chained(c.line, it), next: func() (any, bool) {
		v, ok := it.next()
		if !ok {
			return nil, false
		}
		r.step(c.line)
		return f(v), true
	}}
}

// chained gives the depth of a generator that reads from another: one call deeper.
func (r *renderer) chained(line int, it *iterator) int {
	if it.depth >= maxDepth {
		fail(line, "generators read from generators, more than %d deep", maxDepth)
	}
	return it.depth + 1
}

// selected is the filters select, reject, selectattr and rejectattr.
func (r *renderer) selected(c *call, x any) any {
	if !r.true(c.line, x) {
		return generator(nil)
	}
	args := c.args
	get := func(x any) any { return x }
	if strings.HasSuffix(c.name, "attr") {
		if len(args) == 0 {
			fail(c.line, "%s needs the name of an attribute", c.name)
		}
		get, args = r.getter(c, args[0], missing), args[1:]
	}
	check := func(x any) bool { return r.true(c.line, x) }
	if len(args) > 0 {
		name, ok := args[0].(string)
		if !ok || !slices.Contains(testNames, name) {
			fail(c.line, "%s: %s", c.name, unknown("test", r.text(c.line, args[0]), testNames))
		}
		check = func(x any) bool { return r.test(c.line, name, x, args[1:], c.kwargs) }
	} else if len(c.kwargs) > 0 {
		fail(c.line, "%s takes no named arguments without a test", c.name)
	}
	want := strings.HasPrefix(c.name, "select")
	it := r.iterate(c.line, x)
	return &iterator{n: -1, depth: r.chained(c.line, it), next: func() (any, bool) {
		for v, ok := it.next(); ok; v, ok = it.next() {
			r.step(c.line)
			if check(get(v)) == want {
				return v, true
			}
		}
		return nil, false
	}}
}

// batch is the filters batch (rows of n) and slice (n columns).
func (r *renderer) batch(c *call, x any) any {
	first := "linecount!"
	if c.name == "slice" {
		first = "slices!"
	}
	a := c.take(first, "fill_with")
	n := c.int(a[0], 0)
	items := r.list(c.line, x)
	fill := a[1] != missing && a[1] != nil
	if n <= 0 || n > maxRange {
		fail(c.line, "%s by %d", c.name, n)
	}
	var out []any
	if c.name == "slice" {
		r.made(c.line, 32*int(n))
		per, extra := len(items)/int(n), len(items)%int(n)
		for k := range int(n) {
			size := per
			if k < extra {
				size++
			}
			part := slices.Clone(items[:size])
			items = items[size:]
			if fill && k >= extra {
				part = append(part, a[1])
			}
			if part == nil {
				part = []any{}
			}
			out = append(out, part)
		}
		return generator(out)
	}
	for len(items) > 0 {
		size := min(int(n), len(items))
		part := slices.Clone(items[:size])
		items = items[size:]
		if fill && size < int(n) {
			r.made(c.line, 16*int(n))
			for len(part) < int(n) {
				part = append(part, a[1])
			}
		}
		out = append(out, part)
	}
	return generator(out)
}

func parseFloat(s string) (float64, bool) {
	s = strings.TrimFunc(s, isSpace)
	if strings.ContainsAny(s, "xXpP") { // Go's hexadecimal floats
		return 0, false
	}
	if t, ok := dropUnderscores(s); ok {
		s = t
	} else {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if e, ok := err.(*strconv.NumError); ok && e.Err == strconv.ErrRange {
		return f, true
	}
	return f, err == nil
}

// dropUnderscores removes single underscores between digits.
func dropUnderscores(s string) (string, bool) {
	if !strings.Contains(s, "_") {
		return s, true
	}
	for i := range len(s) {
		if s[i] == '_' && (i == 0 || i+1 == len(s) || digit(s[i-1]) > 35 || digit(s[i+1]) > 35) {
			return "", false
		}
	}
	return strings.ReplaceAll(s, "_", ""), true
}

func (r *renderer) toInt(c *call, x any, a []any) any {
	base := c.int(a[1], 10)
	truncated := func(f float64) (any, bool) {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, false
		}
		b, _ := big.NewFloat(f).Int(nil)
		if !b.IsInt64() {
			overflow(c.line)
		}
		return b.Int64(), true
	}
	switch x := x.(type) {
	case string:
		if base != 0 && (base < 2 || base > 36) {
			fail(c.line, "int: base %d", base)
		}
		s := strings.TrimFunc(x, isSpace)
		if t, ok := dropUnderscores(s); ok && len(t) <= 4096 {
			if b, ok := parseInt(t, int(base)); ok {
				if !b.IsInt64() {
					overflow(c.line)
				}
				return b.Int64()
			}
		}
		if f, ok := parseFloat(x); ok {
			if i, ok := truncated(f); ok {
				return i
			}
		}
	case float64:
		if i, ok := truncated(x); ok {
			return i
		}
		if math.IsInf(x, 0) {
			fail(c.line, "int of infinity")
		}
	case *big.Int:
		return x
	default:
		if i, _, _, ok := number(x); ok {
			return i
		}
		r.defined(c.line, x)
	}
	if a[0] == missing {
		return int64(0)
	}
	return a[0]
}

// parseInt reads a number as Python's int does: a prefix is allowed where it
// agrees with the base.
func parseInt(s string, base int) (*big.Int, bool) {
	sign := ""
	if s != "" && (s[0] == '-' || s[0] == '+') {
		sign, s = s[:1], s[1:]
	}
	if len(s) > 1 && s[0] == '0' {
		for prefix, b := range map[byte]int{'x': 16, 'o': 8, 'b': 2} {
			if s[1]|0x20 == prefix && (base == b || base == 0) {
				s, base = s[2:], b
				break
			}
		}
	}
	if base == 0 {
		base = 10
		if len(s) > 1 && s[0] == '0' && strings.Trim(s, "0") != "" {
			return nil, false
		}
	}
	if s == "" || s[0] == '-' || s[0] == '+' {
		return nil, false
	}
	return new(big.Int).SetString(sign+s, base)
}

func (r *renderer) round(c *call, x any) any {
	a := c.take("precision", "method")
	i, f, isFloat, ok := number(x)
	if !ok {
		r.defined(c.line, x)
		fail(c.line, "round of %s", typeName(x))
	}
	places := c.int(a[0], 0)
	how := c.string(a[1], "common")
	if places < -20 || places > 300 {
		fail(c.line, "round to %d places", places)
	}
	switch how {
	case "common":
		if !isFloat {
			if places < 0 {
				fail(c.line, "round of an integer to %d places is not supported", places)
			}
			return i
		}
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return f
		}
		if places < 0 {
			p := math.Pow(10, float64(-places))
			return math.RoundToEven(f/p) * p
		}
		v, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(places), 64), 64)
		return v
	case "ceil", "floor":
		p := math.Pow(10, float64(places))
		op := math.Ceil
		if how == "floor" {
			op = math.Floor
		}
		return op(f*p) / p
	}
	fail(c.line, "round: the method is common, ceil or floor, not %q", how)
	return nil
}

func (r *renderer) urlencode(c *call, x any) any {
	c.take()
	r.step(c.line)
	escape := func(s string, slash bool) string {
		r.made(c.line, 3*len(s))
		s = strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
		if slash {
			s = strings.ReplaceAll(s, "%2F", "/")
		}
		return s
	}
	switch x := x.(type) {
	case *Dict:
		var parts []string
		for i, k := range x.keys {
			parts = append(parts, strings.ReplaceAll(escape(r.text(c.line, k), false)+"="+escape(r.text(c.line, x.values[i]), false), "%20", "+"))
		}
		return r.joinStrings(c.line, parts, "&")
	case []any, tuple, *iterator, *view:
		fail(c.line, "urlencode of %s is not supported", typeName(x))
	}
	return escape(r.text(c.line, x), true)
}

func (r *renderer) indent(c *call, x any, a []any) any {
	if _, ok := x.(markup); ok {
		fail(c.line, "the filter indent of a string that is marked safe is not supported")
	}
	s := c.string(x, "")
	by := ""
	if t, ok := a[0].(string); ok {
		by = t
	} else {
		by = r.repeat(c.line, " ", int(max(0, min(c.int(a[0], 4), 1<<20))))
	}
	lines := splitLines(s+"\n", false)
	r.made(c.line, len(s)+len(lines)*(16+len(by)))
	var b strings.Builder
	if c.bool(a[1], false) {
		b.WriteString(by)
	}
	blank := c.bool(a[2], false)
	for i, l := range lines {
		if i > 0 {
			b.WriteByte('\n')
			if blank || l != "" {
				b.WriteString(by)
			}
		}
		b.WriteString(l)
	}
	return b.String()
}

func (r *renderer) truncate(c *call, x any, a []any) any {
	s := c.string(x, "")
	if a[3] == nil {
		a[3] = missing
	}
	n, leeway := c.int(a[0], 255), c.int(a[3], 5)
	end := c.string(a[2], "...")
	endLen := int64(utf8.RuneCountInString(end))
	if n < endLen || leeway < 0 {
		fail(c.line, "truncate to %d with an ending of %d and a leeway of %d", n, endLen, leeway)
	}
	r.made(c.line, 5*len(s))
	chars := []rune(s)
	if int64(len(chars)) <= n+leeway {
		return s
	}
	head := string(chars[:n-endLen])
	if !c.bool(a[1], false) {
		if i := strings.LastIndexByte(head, ' '); i >= 0 {
			head = head[:i]
		}
	}
	return head + end
}

// titleFilter is Jinja's title: a word begins after white space and some signs, not after
// every character that is not a letter.
func titleFilter(s string) string {
	start := true
	return strings.Map(func(c rune) rune {
		if isSpace(c) || strings.ContainsRune("-({[<", c) {
			start = true
			return c
		}
		if start {
			start = false
			return unicode.ToUpper(c)
		}
		return unicode.ToLower(c)
	}, s)
}
