package template

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Inside, a value is one of: nil, bool, int64, *big.Int (beyond int64), float64,
// string, markup, []any (a list), tuple, *Dict, *view, *iterator, *rangeValue,
// *group, *namespace, *macro, *method, *builtin, *loop, *cycler, *joiner, *undefined.
// Only namespaces, iterators, cyclers and joiners are ever changed.

// Dict is a dictionary that keeps the order in which its keys were set, as
// Python's does.
type Dict struct {
	keys   []any
	values []any
	index  map[any]int // by the key as hashKey gives it
}

// NewDict makes a dictionary of alternating keys, which must be strings, and values. It
// panics if pairs has another form.
func NewDict(pairs ...any) *Dict {
	d := &Dict{}
	for i := 0; i < len(pairs); i += 2 {
		d.Set(pairs[i].(string), pairs[i+1])
	}
	return d
}

// Set sets the value of a key. A key that exists keeps its place.
func (d *Dict) Set(key string, value any) { d.set(key, key, value) }

// Get gives the value of a key.
func (d *Dict) Get(key string) (any, bool) { return d.get(key) }

// Len is the number of keys.
func (d *Dict) Len() int { return len(d.keys) }

func (d *Dict) set(hash, key, value any) {
	if i, ok := d.index[hash]; ok {
		d.values[i] = value
		return
	}
	if d.index == nil {
		d.index = map[any]int{}
	}
	d.index[hash] = len(d.keys)
	d.keys = append(d.keys, key)
	d.values = append(d.values, value)
}

func (d *Dict) get(hash any) (any, bool) {
	i, ok := d.index[hash]
	if !ok {
		return nil, false
	}
	return d.values[i], true
}

// hashKey maps keys that are equal in Python, such as 1, 1.0 and true, to one key.
func hashKey(x any) (any, bool) {
	switch x := x.(type) {
	case nil, string, int64:
		return x, true
	case markup:
		return string(x), true
	case bool:
		if x {
			return int64(1), true
		}
		return int64(0), true
	case float64:
		if x == math.Trunc(x) && math.Abs(x) < 1<<62 {
			return int64(x), true
		}
		return x, true
	}
	return nil, false
}

type (
	tuple  []any
	markup string // marked by the filter safe
	// view is the result of a dictionary's keys(), values() and items().
	view struct {
		name  string
		items []any
	}
	rangeValue struct{ start, stop, step, n int64 }
	namespace  struct{ attrs *Dict }
	undefined  struct {
		what   string // the end of "… is undefined"
		unsafe bool
	}
	macro struct {
		def *macroNode
		up  *activation
	}
	method struct {
		recv any
		name string
	}
	builtin struct{ name string }
	cycler  struct {
		items []any
		pos   int
	}
	joiner struct {
		sep  any
		used bool
	}
)

// missing marks a variable that has no value.
var missing any = new(struct{ _ byte })

func fromBig(b *big.Int) any {
	if b.IsInt64() {
		return b.Int64()
	}
	return b
}

// typeName is Python's name of a value's type, for errors.
func typeName(x any) string {
	switch x := x.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case markup:
		return "Markup"
	case []any:
		return "list"
	case tuple, *group:
		return "tuple"
	case *Dict:
		return "dict"
	case *view:
		return x.name
	case *iterator:
		return "generator"
	case *rangeValue:
		return "range"
	case *namespace:
		return "namespace"
	case *undefined:
		return "Undefined"
	case *macro:
		return "macro"
	case *loop:
		return "loop"
	case *method, *builtin:
		return "function"
	case *cycler:
		return "cycler"
	case *joiner:
		return "joiner"
	}
	return fmt.Sprintf("%T", x)
}

// adopt checks and copies a value of the caller's.
func (r *renderer) adopt(x any, where string, depth int) any {
	if depth > maxDepth {
		fail(0, "%s: nested more than %d deep", where, maxDepth)
	}
	switch x := x.(type) {
	case nil, bool, int64, float64, *big.Int:
		return x
	case string:
		// UTF-8 cannot express lone surrogates: they are treated as invalid bytes.
		if !utf8.ValidString(x) {
			return strings.ToValidUTF8(x, "\ufffd")
		}
		return x
	case int:
		return int64(x)
	case []any:
		list := make([]any, len(x))
		for i, y := range x {
			list[i] = r.adopt(y, where, depth+1)
		}
		return list
	case *Dict:
		d := &Dict{index: make(map[any]int, len(x.keys)), keys: make([]any, 0, len(x.keys)), values: make([]any, 0, len(x.keys))}
		for i, k := range x.keys {
			key, _ := k.(string)
			d.set(key, r.adopt(k, where, depth+1), r.adopt(x.values[i], where+"."+key, depth+1))
		}
		return d
	}
	fail(0, "%s: a value of the Go type %T (allowed: nil, bool, int, int64, float64, string, []any, *template.Dict)", where, x)
	return nil
}

// truth is Python's bool(x).
func truth(x any) bool {
	switch x := x.(type) {
	case nil, *undefined:
		return false
	case bool:
		return x
	case int64:
		return x != 0
	case float64:
		return x != 0
	case string:
		return x != ""
	case markup:
		return x != ""
	case []any:
		return len(x) > 0
	case tuple:
		return len(x) > 0
	case *Dict:
		return len(x.keys) > 0
	case *view:
		return len(x.items) > 0
	case *rangeValue:
		return x.n > 0
	}
	return true
}

// length is Python's len(x); false if x has none.
func length(x any) (int, bool) {
	switch x := x.(type) {
	case *undefined:
		return 0, true
	case string:
		return utf8.RuneCountInString(x), true
	case markup:
		return utf8.RuneCountInString(string(x)), true
	case []any:
		return len(x), true
	case tuple:
		return len(x), true
	case *Dict:
		return len(x.keys), true
	case *view:
		return len(x.items), true
	case *group:
		return 2, true
	case *rangeValue:
		return int(x.n), true
	}
	return 0, false
}

// size is the number of bytes of a string, 0 of other values. An operation on a whole string
// counts as many steps.
func size(x any) int64 {
	switch x := x.(type) {
	case string:
		return int64(len(x))
	case markup:
		return int64(len(x))
	}
	return 0
}

// iterator gives items one by one, each once.
type iterator struct {
	next  func() (any, bool)
	n     int // items in all, -1: unknown
	depth int // of generators that read from generators
}

func over(items []any) *iterator {
	i := 0
	return &iterator{n: len(items), next: func() (any, bool) {
		if i == len(items) {
			return nil, false
		}
		i++
		return items[i-1], true
	}}
}

// iterate is Python's iter(x).
func (r *renderer) iterate(line int, x any) *iterator {
	if u, ok := x.(*undefined); ok {
		if u.unsafe {
			r.undefined(line, u)
		}
		return over(nil)
	}
	r.work(line, size(x)/64)
	it, ok := iterable(x)
	if !ok {
		fail(line, "%s is not iterable", typeName(x))
	}
	return it
}

func iterable(x any) (*iterator, bool) {
	switch x := x.(type) {
	case *undefined:
		return over(nil), true
	case string:
		return runes(x), true
	case markup:
		it := runes(string(x))
		next := it.next
		it.next = func() (any, bool) {
			s, ok := next()
			if !ok {
				return nil, false
			}
			return markup(s.(string)), true
		}
		return it, true
	case []any:
		return over(x), true
	case tuple:
		return over(x), true
	case *Dict:
		return over(x.keys), true
	case *view:
		return over(x.items), true
	case *group:
		return over([]any{x.key, x.items}), true
	case *iterator:
		return &iterator{next: x.next, n: -1, depth: x.depth}, true
	case *rangeValue:
		i := int64(0)
		return &iterator{n: int(x.n), next: func() (any, bool) {
			if i == x.n {
				return nil, false
			}
			i++
			return x.start + (i-1)*x.step, true
		}}, true
	}
	return nil, false
}

func runes(s string) *iterator {
	return &iterator{n: utf8.RuneCountInString(s), next: func() (any, bool) {
		if s == "" {
			return nil, false
		}
		_, n := utf8.DecodeRuneInString(s)
		c := s[:n]
		s = s[n:]
		return c, true
	}}
}

// list is Python's list(x).
func (r *renderer) list(line int, x any) []any {
	it := r.iterate(line, x)
	items := []any{}
	for y, ok := it.next(); ok; y, ok = it.next() {
		r.step(line)
		r.made(line, 16)
		items = append(items, y)
	}
	return items
}

// text is Python's str(x).
func (r *renderer) text(line int, x any) string {
	switch x := x.(type) {
	case string:
		return x
	case markup:
		return string(x)
	case *undefined:
		if x.unsafe {
			r.undefined(line, x)
		}
		return ""
	}
	var b strings.Builder
	r.repr(&b, line, x, 0)
	return b.String()
}

// repr is Python's repr(x).
func (r *renderer) repr(b *strings.Builder, line int, x any, depth int) {
	if depth > maxDepth {
		fail(line, "a value is nested more than %d deep", maxDepth)
	}
	r.step(line)
	start := b.Len()
	sequence := func(open string, items []any, end string) {
		b.WriteString(open)
		for i, y := range items {
			if i > 0 {
				b.WriteString(", ")
			}
			r.repr(b, line, y, depth+1)
		}
		b.WriteString(end)
	}
	switch x := x.(type) {
	case nil:
		b.WriteString("None")
	case bool:
		if x {
			b.WriteString("True")
		} else {
			b.WriteString("False")
		}
	case int64:
		b.WriteString(strconv.FormatInt(x, 10))
	case *big.Int:
		b.WriteString(x.String())
	case float64:
		b.WriteString(floatText(x))
	case string:
		quote(b, x)
	case markup:
		b.WriteString("Markup(")
		quote(b, string(x))
		b.WriteString(")")
	case *undefined:
		b.WriteString("Undefined")
	case []any:
		sequence("[", x, "]")
	case *group:
		sequence("(", []any{x.key, x.items}, ")")
	case tuple:
		if len(x) == 1 {
			sequence("(", x, ",)")
		} else {
			sequence("(", x, ")")
		}
	case *Dict:
		r.pairs(b, line, x, depth)
	case *view:
		sequence(x.name+"([", x.items, "])")
	case *rangeValue:
		if x.step == 1 {
			fmt.Fprintf(b, "range(%d, %d)", x.start, x.stop)
		} else {
			fmt.Fprintf(b, "range(%d, %d, %d)", x.start, x.stop, x.step)
		}
	case *namespace:
		b.WriteString("<Namespace ")
		r.pairs(b, line, x.attrs, depth)
		b.WriteString(">")
	case *macro:
		b.WriteString("<Macro ")
		quote(b, x.def.name)
		b.WriteString(">")
	default:
		// Python prints an address here.
		fail(line, "a %s cannot be printed (for a generator: |list)", typeName(x))
	}
	switch x.(type) {
	case []any, tuple, *Dict, *view: // counted by their parts
		r.made(line, 4)
	default:
		r.made(line, b.Len()-start)
	}
}

func (r *renderer) pairs(b *strings.Builder, line int, d *Dict, depth int) {
	b.WriteString("{")
	for i, k := range d.keys {
		if i > 0 {
			b.WriteString(", ")
		}
		r.repr(b, line, k, depth+1)
		b.WriteString(": ")
		r.repr(b, line, d.values[i], depth+1)
	}
	b.WriteString("}")
}

// floatText is Python's repr of a float: the shortest digits that give it back.
func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		s := strconv.FormatFloat(f, 'e', -1, 64)
		return s // Go, too, writes exponents of at least two digits
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// quote writes a string as Python's repr does.
func quote(b *strings.Builder, s string) {
	q := byte('\'')
	if strings.IndexByte(s, '\'') >= 0 && strings.IndexByte(s, '"') < 0 {
		q = '"'
	}
	b.WriteByte(q)
	for _, c := range s {
		switch {
		case c == rune(q) || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(c):
			b.WriteRune(c)
		case c < 0x100:
			fmt.Fprintf(b, `\x%02x`, c)
		case c < 0x10000:
			fmt.Fprintf(b, `\u%04x`, c)
		default:
			fmt.Fprintf(b, `\U%08x`, c)
		}
	}
	b.WriteByte(q)
}

// number gives x as an int64 or a float64; bools are 0 and 1.
func number(x any) (i int64, f float64, isFloat, ok bool) {
	switch x := x.(type) {
	case bool:
		if x {
			return 1, 1, false, true
		}
		return 0, 0, false, true
	case int64:
		return x, float64(x), false, true
	case float64:
		return 0, x, true, true
	}
	return 0, 0, false, false
}

// equal is Python's x == y.
func (r *renderer) equal(line int, x, y any, depth int) bool {
	if depth > maxDepth {
		fail(line, "a value is nested more than %d deep", maxDepth)
	}
	r.work(line, 1+size(x)/64)
	if m, ok := x.(markup); ok {
		x = string(m)
	}
	if m, ok := y.(markup); ok {
		y = string(m)
	}
	if _, _, _, ok := number(x); ok {
		_, _, _, ok := number(y)
		return ok && compareNumbers(x, y) == 0
	}
	items := func(x, y []any) bool {
		if len(x) != len(y) {
			return false
		}
		for i := range x {
			if !r.equal(line, x[i], y[i], depth+1) {
				return false
			}
		}
		return true
	}
	switch x := x.(type) {
	case nil:
		return y == nil
	case string:
		s, ok := y.(string)
		return ok && s == x
	case *big.Int:
		b, ok := y.(*big.Int)
		return ok && x.Cmp(b) == 0
	case []any:
		list, ok := y.([]any)
		return ok && items(x, list)
	case tuple:
		t, ok := y.(tuple)
		return ok && items(x, t)
	case *Dict:
		d, ok := y.(*Dict)
		if !ok || len(d.keys) != len(x.keys) {
			return false
		}
		for i, k := range x.keys {
			hash, _ := hashKey(k)
			v, ok := d.get(hash)
			if !ok || !r.equal(line, x.values[i], v, depth+1) {
				return false
			}
		}
		return true
	case *undefined:
		_, ok := y.(*undefined)
		return ok
	case *rangeValue:
		v, ok := y.(*rangeValue)
		return ok && x.n == v.n && (x.n == 0 || x.start == v.start && (x.n == 1 || x.step == v.step))
	case *view:
		return r.equalViews(line, x, y, depth)
	case *builtin:
		b, ok := y.(*builtin)
		return ok && b.name == x.name
	case *method:
		m, ok := y.(*method)
		return ok && m.name == x.name && same(m.recv, x.recv)
	}
	return x == y // pointers
}

// equalViews compares keys and items as sets; values are equal only to themselves.
func (r *renderer) equalViews(line int, x *view, y any, depth int) bool {
	v, ok := y.(*view)
	if !ok || x.name == "dict_values" || v.name == "dict_values" {
		return ok && x == v
	}
	if len(x.items) != len(v.items) {
		return false
	}
	for _, a := range x.items {
		found := false
		for _, b := range v.items {
			if found = r.equal(line, a, b, depth+1); found {
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}

// same is Python's "is", as far as a value has an identity here.
func same(x, y any) bool {
	switch x := x.(type) {
	case []any:
		y, ok := y.([]any)
		return ok && len(x) == len(y) && (len(x) == 0 || &x[0] == &y[0])
	case tuple:
		y, ok := y.(tuple)
		return ok && len(x) == len(y) && (len(x) == 0 || &x[0] == &y[0])
	}
	switch y.(type) {
	case []any, tuple:
		return false
	}
	return x == y
}

// compareNumbers compares what number accepts. A NaN is unequal to all: 2.
func compareNumbers(x, y any) int {
	i, f, isFloat, _ := number(x)
	j, g, isFloat2, _ := number(y)
	switch {
	case !isFloat && !isFloat2:
		return cmpOrdered(i, j)
	case math.IsNaN(f) || math.IsNaN(g):
		return 2
	case isFloat != isFloat2 && !math.IsInf(f, 0) && !math.IsInf(g, 0):
		a, b := new(big.Float), new(big.Float) // exact: an int64 has more bits than a float64
		if isFloat {
			a.SetFloat64(f)
			b.SetInt64(j)
		} else {
			a.SetInt64(i)
			b.SetFloat64(g)
		}
		return a.Cmp(b)
	}
	return cmpOrdered(f, g)
}

func cmpOrdered[T int64 | float64](x, y T) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// compare orders x and y; the error names op. Unordered (NaN): 2.
func (r *renderer) compare(line int, op string, x, y any, depth int) int {
	if depth > maxDepth {
		fail(line, "a value is nested more than %d deep", maxDepth)
	}
	r.work(line, 1+size(x)/64)
	if m, ok := x.(markup); ok {
		x = string(m)
	}
	if m, ok := y.(markup); ok {
		y = string(m)
	}
	_, _, _, okX := number(x)
	_, _, _, okY := number(y)
	if okX && okY {
		return compareNumbers(x, y)
	}
	items := func(x, y []any) int {
		for i := 0; i < len(x) && i < len(y); i++ {
			if !r.equal(line, x[i], y[i], depth+1) {
				return r.compare(line, op, x[i], y[i], depth+1)
			}
		}
		return cmpOrdered(int64(len(x)), int64(len(y)))
	}
	switch x := x.(type) {
	case string:
		if s, ok := y.(string); ok {
			return strings.Compare(x, s) // UTF-8 sorts as its code points do
		}
	case []any:
		if list, ok := y.([]any); ok {
			return items(x, list)
		}
	case tuple:
		if t, ok := y.(tuple); ok {
			return items(x, t)
		}
	}
	r.defined(line, x)
	r.defined(line, y)
	fail(line, "%s and %s have no order (%s)", typeName(x), typeName(y), op)
	return 0
}

// defined fails for an undefined value.
func (r *renderer) defined(line int, x any) {
	if u, ok := x.(*undefined); ok {
		r.undefined(line, u)
	}
}

func (r *renderer) undefined(line int, u *undefined) {
	if u.unsafe {
		fail(line, "%s is not allowed in a template", u.what)
	}
	fail(line, "%s", u.what)
}
