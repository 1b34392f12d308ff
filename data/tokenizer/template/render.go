package template

import (
	"math"
	"math/big"
	"strings"
	"time"
	"unicode/utf8"
)

// renderer is one run of a template.
type renderer struct {
	now       func() time.Time
	globals   map[string]any
	out       *strings.Builder // of the innermost block that is caught
	generated []Span
	steps     int64 // left
	bytes     int64 // left
	calls     int   // macros in progress
}

// activation holds the variables of a function that is running.
type activation struct {
	slots []any
	up    *activation
}

func newActivation(slots int, up *activation) *activation {
	a := &activation{make([]any, slots), up}
	for i := range a.slots {
		a.slots[i] = missing
	}
	return a
}

func (a *activation) at(r ref) *any {
	for range r.up {
		a = a.up
	}
	return &a.slots[r.slot]
}

// maxCalls is the greatest depth of recursive macros.
const maxCalls = 100

// step counts one step; beyond the limit it fails.
func (r *renderer) step(line int) { r.work(line, 1) }

func (r *renderer) work(line int, n int64) {
	if r.steps -= n; r.steps < 0 {
		fail(line, "the template takes too many steps")
	}
}

// made counts bytes of allocations; beyond the limit it fails. Large allocations are
// counted before they are made.
func (r *renderer) made(line, n int) {
	if r.bytes -= int64(n); r.bytes < 0 {
		fail(line, "the template makes too much text")
	}
}

// enter sets the variables of a scope.
func (r *renderer) enter(f frame, act *activation) {
	for _, l := range f {
		switch l.action {
		case unset:
			act.slots[l.slot] = missing
		case resolveName:
			act.slots[l.slot] = r.global(l.name)
		case alias:
			act.slots[l.slot] = *act.at(l.from)
		}
	}
}

// leave forgets the variables of a scope, for macros that outlive it.
func (r *renderer) leave(f frame, act *activation) {
	for _, l := range f {
		act.slots[l.slot] = missing
	}
}

// global looks up a name among the variables of the caller, then among Jinja's own.
func (r *renderer) global(name string) any {
	if x, ok := r.globals[name]; ok {
		return x
	}
	if isBuiltin(name) {
		return &builtin{name}
	}
	return missing
}

// isBuiltin tells of a name whether it is one of Jinja's own.
func isBuiltin(name string) bool {
	switch name {
	case "range", "dict", "namespace", "cycler", "joiner", "raise_exception", "strftime_now", "lipsum", "self":
		return true
	}
	return false
}

// flow says how a list of statements ended.
type flow uint8

const (
	onward flow = iota
	breaking
	continuing
)

func (r *renderer) exec(body []node, act *activation) flow {
	for _, n := range body {
		switch n := n.(type) {
		case *outputNode:
			r.step(n.line)
			if n.expr == nil {
				r.write(n.line, n.data)
			} else {
				r.write(n.line, r.text(n.line, r.eval(n.expr, act)))
			}
		case *ifNode:
			for {
				r.step(n.line)
				if r.true(n.line, r.eval(n.test, act)) {
					if f := r.exec(n.then, act); f != onward {
						return f
					}
					break
				}
				if !n.elif {
					if f := r.exec(n.alt, act); f != onward {
						return f
					}
					break
				}
				n = n.alt[0].(*ifNode)
			}
		case *forNode:
			if f := r.loop(n, act); f != onward {
				return f
			}
		case *setNode:
			r.step(n.line)
			r.checkTarget(n.target, act)
			r.assign(n.line, n.target, r.eval(n.value, act), act)
		case *setBlockNode:
			r.enter(n.frame, act)
			text, f := r.catch(n.body, act)
			if f == onward {
				x := any(text)
				if n.filter != nil {
					x = r.filterChain(n.filter, x, act)
				}
				r.checkTarget(n.target, act)
				r.assign(n.line, n.target, x, act)
			}
			r.leave(n.frame, act)
			if f != onward {
				return f
			}
		case *filterNode:
			r.enter(n.frame, act)
			text, f := r.catch(n.body, act)
			if f == onward {
				r.write(n.line, r.text(n.line, r.filterChain(n.filter, text, act)))
			}
			r.leave(n.frame, act)
			if f != onward {
				return f
			}
		case *withNode:
			r.enter(n.frame, act)
			for i, x := range n.values {
				r.assign(n.line, n.targets[i], r.eval(x, act), act) // x sees the names outside
			}
			f := r.exec(n.body, act)
			r.leave(n.frame, act)
			if f != onward {
				return f
			}
		case *macroNode:
			*act.at(n.target.ref) = &macro{n, act}
		case *callNode:
			fn, args, kwargs := r.prepare(n.call, act)
			kwargs = append(kwargs, argument{"caller", &macro{n.caller, act}})
			r.write(n.line, r.text(n.line, r.call(n.line, fn, args, kwargs)))
		case *generationNode:
			in := newActivation(n.slots, act)
			r.enter(n.frame, in)
			start := r.out.Len()
			r.exec(n.body, in)
			r.generated = append(r.generated, Span{start, r.out.Len()})
		case *breakNode:
			return breaking
		case *continueNode:
			return continuing
		}
	}
	return onward
}

// write appends to the output.
func (r *renderer) write(line int, s string) {
	r.made(line, len(s))
	r.out.WriteString(s)
}

// catch runs statements and gives their output.
func (r *renderer) catch(body []node, act *activation) (string, flow) {
	out := r.out
	r.out = &strings.Builder{}
	f := r.exec(body, act)
	text := r.out.String()
	r.out = out
	return text, f
}

// true is truth, except that it fails for an undefined value where those are forbidden.
func (r *renderer) true(line int, x any) bool {
	if u, ok := x.(*undefined); ok && u.unsafe {
		r.undefined(line, u)
	}
	return truth(x)
}

// loop is the variable loop of a for.
type loop struct {
	it            *iterator
	index         int64 // from 0
	before, cur   any
	after         any // missing: not looked up, or there is none
	looked, ended bool
	total         int64 // -1: not known
	changed       any
}

func (l *loop) peek() bool {
	if !l.looked {
		l.looked = true
		x, ok := l.it.next()
		l.after, l.ended = x, !ok
	}
	return !l.ended
}

func (l *loop) advance() bool {
	ok := l.peek()
	l.looked = false
	if !ok {
		return false
	}
	l.before, l.cur, l.after = l.cur, l.after, missing
	l.index++
	return true
}

func (r *renderer) loop(n *forNode, act *activation) flow {
	it := r.iterate(n.line, r.eval(n.iter, act))
	if n.test != nil {
		all, in := it.next, (*activation)(nil)
		it = &iterator{n: -1, next: func() (any, bool) {
			if in == nil {
				in = newActivation(n.testSlots, act)
				r.enter(n.testFrame, in)
			}
			for x, ok := all(); ok; x, ok = all() {
				r.step(n.line)
				r.assign(n.line, n.testTarget, x, in)
				if r.true(n.line, r.eval(n.test, in)) {
					return x, true
				}
			}
			return nil, false
		}}
	}
	l := &loop{it: it, index: -1, cur: missing, total: int64(it.n), changed: missing}
	empty := true
	for l.advance() {
		r.step(n.line)
		r.enter(n.frame, act)
		*act.at(n.loop) = l
		r.assign(n.line, n.target, l.cur, act)
		f := r.exec(n.body, act)
		if f == breaking {
			break
		}
		// Jinja records an iteration at its end: one that ends by break or continue does not
		// keep else from running.
		if f == onward {
			empty = false
		}
	}
	r.leave(n.frame, act)
	if n.alt != nil && empty {
		r.enter(n.altFrame, act)
		f := r.exec(n.alt, act)
		r.leave(n.altFrame, act)
		return f
	}
	return onward
}

// loopAttr gives an attribute of loop.
func (r *renderer) loopAttr(line int, l *loop, name string) (any, bool) {
	switch name {
	case "index0":
		return l.index, true
	case "index":
		return l.index + 1, true
	case "first":
		return l.index == 0, true
	case "last":
		return !l.peek(), true
	case "length", "revindex", "revindex0":
		if l.total < 0 {
			var rest []any
			if l.looked && !l.ended {
				rest = append(rest, l.after)
			}
			for x, ok := l.it.next(); ok; x, ok = l.it.next() {
				r.made(line, 16)
				rest = append(rest, x)
			}
			l.it = over(rest)
			l.looked = false
			l.total = l.index + 1 + int64(len(rest))
		}
		switch name {
		case "revindex":
			return l.total - l.index, true
		case "revindex0":
			return l.total - l.index - 1, true
		}
		return l.total, true
	case "previtem":
		if l.index == 0 {
			return &undefined{what: "there is no previous item"}, true
		}
		return l.before, true
	case "nextitem":
		if !l.peek() {
			return &undefined{what: "there is no next item"}, true
		}
		return l.after, true
	case "depth":
		return int64(1), true
	case "depth0":
		return int64(0), true
	case "cycle", "changed":
		return &method{l, name}, true
	}
	return nil, false
}

// checkTarget refuses attributes of values that are not namespaces, before anything is
// evaluated.
func (r *renderer) checkTarget(target expr, act *activation) {
	switch x := target.(type) {
	case *nsExpr:
		if _, ok := (*act.at(x.ns.ref)).(*namespace); !ok {
			fail(x.line, "cannot assign to an attribute of %s, which is not a namespace", x.ns.name)
		}
	case *tupleExpr:
		for _, y := range x.items {
			r.checkTarget(y, act)
		}
	}
}

func (r *renderer) assign(line int, target expr, x any, act *activation) {
	switch t := target.(type) {
	case *nameExpr:
		*act.at(t.ref) = x
	case *nsExpr:
		if strings.HasPrefix(t.attr, "_") {
			fail(line, "the attribute %s of a namespace begins with _", t.attr)
		}
		ns := (*act.at(t.ns.ref)).(*namespace)
		r.made(line, 64)
		ns.attrs.set(t.attr, t.attr, x)
	case *tupleExpr:
		it, ok := iterable(x)
		if !ok {
			r.defined(line, x)
			fail(line, "cannot unpack %s", typeName(x))
		}
		var items []any
		for y, ok := it.next(); ok && len(items) <= len(t.items); y, ok = it.next() {
			items = append(items, y)
		}
		if len(items) > len(t.items) {
			fail(line, "too many values to unpack (%d are expected)", len(t.items))
		}
		if len(items) < len(t.items) {
			fail(line, "%d values are not enough to unpack (%d are expected)", len(items), len(t.items))
		}
		for i, y := range t.items {
			r.assign(line, y, items[i], act)
		}
	}
}

func (r *renderer) eval(x expr, act *activation) any {
	r.step(0)
	switch x := x.(type) {
	case *constExpr:
		return x.value
	case *nameExpr:
		v := *act.at(x.ref)
		if v == missing {
			return &undefined{what: "'" + x.name + "' is undefined"}
		}
		return v
	case *tupleExpr:
		return tuple(r.evalAll(x.items, act))
	case *listExpr:
		return r.evalAll(x.items, act)
	case *dictExpr:
		d := &Dict{}
		for i, k := range x.keys {
			key := r.eval(k, act)
			r.put(x.line, d, key, r.eval(x.values[i], act))
		}
		return d
	case *attrExpr:
		return r.attr(x.line, r.eval(x.x, act), x.name)
	case *itemExpr:
		v := r.eval(x.x, act)
		if s, ok := x.key.(*sliceExpr); ok {
			return r.slice(x.line, v, s, act)
		}
		return r.item(x.line, v, r.eval(x.key, act))
	case *callExpr:
		fn, args, kwargs := r.prepare(x, act)
		return r.call(x.line, fn, args, kwargs)
	case *filterExpr:
		return r.filterChain(x, nil, act)
	case *testExpr:
		v := r.eval(x.x, act)
		args, kwargs := r.arguments(x.line, &x.argsExpr, act)
		return r.test(x.line, x.name, v, args, kwargs)
	case *condExpr:
		if r.true(x.line, r.eval(x.test, act)) {
			return r.eval(x.x, act)
		}
		if x.or == nil {
			return &undefined{what: "the inline if-expression was false and has no else"}
		}
		return r.eval(x.or, act)
	case *logicExpr:
		v := r.eval(x.x, act)
		if r.true(0, v) == x.or {
			return v
		}
		return r.eval(x.y, act)
	case *notExpr:
		return !r.true(0, r.eval(x.x, act))
	case *unaryExpr:
		return r.unary(x, r.eval(x.x, act))
	case *binaryExpr:
		v := r.eval(x.x, act)
		return r.binary(x.line, x.op, v, r.eval(x.y, act))
	case *concatExpr:
		return r.concat(x, act)
	case *compareExpr:
		v := r.eval(x.x, act)
		for i, op := range x.ops {
			w := r.eval(x.rest[i], act)
			if !r.relation(x.line, op, v, w) {
				return false
			}
			v = w
		}
		return true
	}
	panic("template: an expression that eval does not know")
}

func (r *renderer) evalAll(list []expr, act *activation) []any {
	r.made(0, 16*len(list))
	values := make([]any, len(list))
	for i, x := range list {
		values[i] = r.eval(x, act)
	}
	return values
}

// put sets a key of a dictionary under construction.
func (r *renderer) put(line int, d *Dict, key, value any) {
	hash, ok := hashKey(key)
	if !ok {
		fail(line, "a %s as the key of a dictionary is not supported", typeName(key))
	}
	r.made(line, 64)
	d.set(hash, key, value)
}

func (r *renderer) relation(line int, op string, x, y any) bool {
	switch op {
	case "==":
		return r.equal(line, x, y, 0)
	case "!=":
		return !r.equal(line, x, y, 0)
	case "in":
		return r.in(line, x, y)
	case "not in":
		return !r.in(line, x, y)
	}
	c := r.compare(line, op, x, y, 0)
	switch op {
	case "<":
		return c == -1
	case "<=":
		return c == -1 || c == 0
	case ">":
		return c == 1
	}
	return c == 1 || c == 0
}

// in is Python's x in y.
func (r *renderer) in(line int, x, y any) bool {
	if m, ok := y.(markup); ok {
		y = string(m)
	}
	switch y := y.(type) {
	case string:
		if m, ok := x.(markup); ok {
			x = string(m)
		}
		s, ok := x.(string)
		if !ok {
			r.defined(line, x)
			fail(line, "%s in a string", typeName(x))
		}
		r.work(line, int64(len(y)/64))
		return strings.Contains(y, s)
	case *Dict:
		hash, ok := hashKey(x)
		if !ok {
			r.key(line, x)
			return false
		}
		_, ok = y.get(hash)
		return ok
	}
	if v, ok := y.(*view); ok && v.name == "dict_keys" {
		r.key(line, x)
	}
	it := r.iterate(line, y)
	for v, ok := it.next(); ok; v, ok = it.next() {
		r.step(line)
		if r.equal(line, v, x, 0) {
			return true
		}
	}
	return false
}

// key refuses values that Python cannot hash. Values that Python can hash and hashKey does
// not support, such as tuples, are never keys of a dictionary here.
func (r *renderer) key(line int, x any) {
	switch x.(type) {
	case []any, *Dict:
		fail(line, "a %s cannot be the key of a dictionary", typeName(x))
	}
}

func (r *renderer) unary(x *unaryExpr, v any) any {
	i, f, isFloat, ok := number(v)
	if !ok {
		r.defined(x.line, v)
		fail(x.line, "unary %c of %s", x.op, typeName(v))
	}
	switch {
	case x.op == '+' && isFloat:
		return f
	case x.op == '+':
		return i
	case isFloat:
		return -f
	case i == math.MinInt64:
		overflow(x.line)
	}
	return -i
}

func overflow(line int) { fail(line, "an integer of more than 64 bits is not supported") }

func (r *renderer) binary(line int, op string, x, y any) any {
	i, f, isFloatX, okX := number(x)
	j, g, isFloatY, okY := number(y)
	if okX && okY {
		if isFloatX || isFloatY {
			return floatOp(line, op, f, g)
		}
		return intOp(line, op, i, j)
	}
	switch op {
	case "+":
		switch x := x.(type) {
		case string:
			switch y := y.(type) {
			case string:
				r.made(line, len(x)+len(y))
				return x + y
			case markup:
				return r.escape(line, x) + y
			}
		case markup:
			switch y := y.(type) {
			case string:
				return x + r.escape(line, y)
			case markup:
				r.made(line, len(x)+len(y))
				return x + y
			}
		case []any:
			if y, ok := y.([]any); ok {
				return r.join(line, x, y)
			}
		case tuple:
			if y, ok := y.(tuple); ok {
				return tuple(r.join(line, x, y))
			}
		}
	case "*":
		if okX && !isFloatX {
			x, y, j, okY, isFloatY = y, x, i, true, false
		}
		if okY && !isFloatY {
			n := int(max(0, min(j, math.MaxInt32)))
			switch x := x.(type) {
			case string:
				return r.repeat(line, x, n)
			case markup:
				return markup(r.repeat(line, string(x), n))
			case []any:
				return r.repeatItems(line, x, n)
			case tuple:
				return tuple(r.repeatItems(line, x, n))
			}
		}
	case "%":
		if s, ok := x.(string); ok {
			return r.percent(line, s, y)
		}
	}
	r.defined(line, x)
	r.defined(line, y)
	for _, v := range []any{x, y} {
		if _, ok := v.(*big.Int); ok {
			overflow(line)
		}
	}
	fail(line, "%s %s %s is not possible", typeName(x), op, typeName(y))
	return nil
}

func (r *renderer) repeat(line int, s string, n int) string {
	if s == "" || n == 0 {
		return ""
	}
	if int64(n) > r.bytes/int64(len(s)) {
		r.made(line, math.MaxInt)
	}
	r.made(line, n*len(s))
	return strings.Repeat(s, n)
}

func (r *renderer) repeatItems(line int, x []any, n int) []any {
	if len(x) == 0 || n == 0 {
		return []any{}
	}
	if int64(n) > r.bytes/int64(16*len(x)) {
		r.made(line, math.MaxInt)
	}
	r.made(line, 16*n*len(x))
	items := make([]any, 0, n*len(x))
	for range n {
		items = append(items, x...)
	}
	return items
}

func (r *renderer) join(line int, x, y []any) []any {
	r.made(line, 16*(len(x)+len(y)))
	items := make([]any, 0, len(x)+len(y))
	return append(append(items, x...), y...)
}

func intOp(line int, op string, i, j int64) any {
	if (op == "/" || op == "//" || op == "%") && j == 0 {
		fail(line, "division by zero")
	}
	switch op {
	case "/":
		a, _ := new(big.Rat).SetFrac64(i, j).Float64() // rounded once, as Python does
		return a
	case "//", "%":
		if j == -1 { // else MinInt64 overflows
			if op == "%" {
				return int64(0)
			}
			return narrow(line, new(big.Int).Neg(big.NewInt(i)))
		}
		q, m := i/j, i%j
		if m != 0 && (m < 0) != (j < 0) {
			q, m = q-1, m+j
		}
		if op == "//" {
			return q
		}
		return m
	}
	a, b := big.NewInt(i), big.NewInt(j)
	switch op {
	case "+":
		return narrow(line, a.Add(a, b))
	case "-":
		return narrow(line, a.Sub(a, b))
	case "*":
		return narrow(line, a.Mul(a, b))
	}
	if j < 0 {
		if i == 0 {
			fail(line, "zero to a negative power")
		}
		return power(float64(i), float64(j))
	}
	if (i > 1 || i < -1) && j > 64 {
		overflow(line)
	}
	if j > 64 {
		b.SetInt64(j&1 + 2) // of -1, 0 and 1 only the parity counts
	}
	return narrow(line, a.Exp(a, b, nil))
}

func narrow(line int, b *big.Int) any {
	if !b.IsInt64() {
		overflow(line)
	}
	return b.Int64()
}

func floatOp(line int, op string, f, g float64) any {
	if (op == "/" || op == "//" || op == "%") && g == 0 {
		fail(line, "division by zero")
	}
	switch op {
	case "+":
		return f + g
	case "-":
		return f - g
	case "*":
		return f * g
	case "/":
		return f / g
	case "//", "%":
		// As Python's float_divmod.
		m := math.Mod(f, g)
		d := (f - m) / g
		if m != 0 {
			if (g < 0) != (m < 0) {
				m += g
				d--
			}
		} else {
			m = math.Copysign(0, g)
		}
		if op == "%" {
			return m
		}
		if d == 0 {
			return math.Copysign(0, f/g)
		}
		q := math.Floor(d)
		if d-q > 0.5 {
			q++
		}
		return q
	}
	if f == 0 && g < 0 {
		fail(line, "zero to a negative power")
	}
	p := power(f, g)
	if math.IsNaN(p) && !math.IsNaN(f) && !math.IsNaN(g) {
		fail(line, "a complex number is not supported")
	}
	if math.IsInf(p, 0) && !math.IsInf(f, 0) && !math.IsInf(g, 0) {
		fail(line, "the result of ** is too large")
	}
	return p
}

// power is f ** g. Where g is a small integer it is rounded once, as C's pow is and
// math.Pow is not.
func power(f, g float64) float64 {
	if g != math.Trunc(g) || math.Abs(g) > 64 || f == 0 || math.IsNaN(f) || math.IsInf(f, 0) {
		return math.Pow(f, g)
	}
	p, x := big.NewFloat(1).SetPrec(5000), big.NewFloat(f)
	for range int(math.Abs(g)) {
		p.Mul(p, x)
	}
	if g < 0 {
		p.Quo(big.NewFloat(1).SetPrec(5000), p)
	}
	v, _ := p.Float64()
	return v
}

// concat is the operator ~. It treats strings that are marked safe like others.
func (r *renderer) concat(x *concatExpr, act *activation) any {
	var b strings.Builder
	for _, v := range r.evalAll(x.items, act) {
		s := r.text(x.line, v)
		r.made(x.line, len(s))
		b.WriteString(s)
	}
	return b.String()
}

var htmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&#39;", `"`, "&#34;")

func (r *renderer) escape(line int, s string) markup {
	r.made(line, 2*len(s))
	return markup(htmlEscaper.Replace(s))
}

// attr is x.name: a method or attribute, else a key.
func (r *renderer) attr(line int, x any, name string) any {
	if v, ok := r.member(line, x, name); ok {
		return v
	}
	if d, ok := x.(*Dict); ok {
		if v, ok := d.get(name); ok {
			return v
		}
	}
	return r.none(x, name)
}

// item is x[key]: an element, else an attribute.
func (r *renderer) item(line int, x, key any) any {
	if m, ok := key.(markup); ok {
		key = string(m)
	}
	if u, ok := x.(*undefined); ok {
		r.undefined(line, u)
	}
	at := func(n int) (int, bool) {
		i, _, isFloat, ok := number(key)
		if !ok || isFloat {
			return 0, false
		}
		if i < 0 {
			i += int64(n)
		}
		return int(i), i >= 0 && i < int64(n)
	}
	switch x := x.(type) {
	case *Dict:
		if hash, ok := hashKey(key); ok {
			if v, ok := x.get(hash); ok {
				return v
			}
		}
	case []any:
		if i, ok := at(len(x)); ok {
			return x[i]
		}
	case tuple:
		if i, ok := at(len(x)); ok {
			return x[i]
		}
	case *group:
		if i, ok := at(2); ok {
			return []any{x.key, x.items}[i]
		}
	case string:
		if s, ok := r.character(line, x, at); ok {
			return s
		}
	case markup:
		if s, ok := r.character(line, string(x), at); ok {
			return markup(s)
		}
	case *rangeValue:
		if i, ok := at(int(x.n)); ok {
			return x.start + int64(i)*x.step
		}
	}
	if s, ok := key.(string); ok {
		if v, ok := r.member(line, x, s); ok {
			return v
		}
	}
	return r.none(x, key)
}

func (r *renderer) character(line int, s string, at func(int) (int, bool)) (string, bool) {
	r.work(line, int64(len(s)/64))
	i, ok := at(utf8.RuneCountInString(s))
	if !ok {
		return "", false
	}
	for ; i > 0; i-- {
		_, n := utf8.DecodeRuneInString(s)
		s = s[n:]
	}
	_, n := utf8.DecodeRuneInString(s)
	return s[:n], true
}

// none is the value of a name or key that x does not have.
func (r *renderer) none(x, key any) any {
	if s, ok := key.(string); ok {
		return &undefined{what: typeName(x) + " has no attribute '" + s + "'"}
	}
	return &undefined{what: typeName(x) + " has no such element"}
}

// slice is x[lo:hi:step].
func (r *renderer) slice(line int, x any, s *sliceExpr, act *activation) any {
	bound := func(e expr) (int64, bool) {
		if e == nil {
			return 0, false
		}
		v := r.eval(e, act)
		if v == nil {
			return 0, false
		}
		i, _, isFloat, ok := number(v)
		if !ok || isFloat {
			r.defined(line, v)
			fail(line, "a slice by %s", typeName(v))
		}
		return i, true
	}
	lo, hasLo := bound(s.lo)
	hi, hasHi := bound(s.hi)
	step, hasStep := bound(s.step)
	if !hasStep {
		step = 1
	}
	if step == 0 {
		fail(line, "a slice's step is zero")
	}
	r.work(line, size(x)/64)
	count, ok := length(x)
	if !ok {
		fail(line, "a %s cannot be sliced", typeName(x))
	}
	n := int64(count)
	clamp := func(i int64, has bool, otherwise int64) int64 {
		if !has {
			return otherwise
		}
		if i < 0 {
			i += n
		}
		if step < 0 {
			return max(-1, min(i, n-1))
		}
		return max(0, min(i, n))
	}
	var start, stop int64
	if step > 0 {
		start, stop = clamp(lo, hasLo, 0), clamp(hi, hasHi, n)
	} else {
		start, stop = clamp(lo, hasLo, n-1), clamp(hi, hasHi, -1)
	}
	var idx []int64
	if step > n || step < -n { // at most one, and no overflow
		step = (n + 1) * step / max(step, -step)
	}
	r.made(line, 8*count)
	for i := start; step > 0 && i < stop || step < 0 && i > stop; i += step {
		idx = append(idx, i)
	}
	pick := func(items []any) []any {
		r.made(line, 16*len(idx))
		out := make([]any, len(idx))
		for k, i := range idx {
			out[k] = items[i]
		}
		return out
	}
	text := func(s string) string {
		r.made(line, 5*len(s))
		chars := []rune(s)
		var b strings.Builder
		for _, i := range idx {
			b.WriteRune(chars[i])
		}
		return b.String()
	}
	switch x := x.(type) {
	case string:
		return text(x)
	case markup:
		return markup(text(string(x)))
	case []any:
		return pick(x)
	case tuple:
		return tuple(pick(x))
	case *rangeValue:
		return &rangeValue{start: x.start + start*x.step, stop: x.start + stop*x.step, step: x.step * step, n: int64(len(idx))}
	case *undefined:
		r.undefined(line, x)
	}
	fail(line, "a %s cannot be sliced", typeName(x))
	return nil
}

// filterChain applies filters from the innermost on; where that has no value, to x.
func (r *renderer) filterChain(f *filterExpr, x any, act *activation) any {
	switch inner := f.x.(type) {
	case nil:
	case *filterExpr:
		r.step(f.line)
		x = r.filterChain(inner, x, act)
	default:
		x = r.eval(inner, act)
	}
	args, kwargs := r.arguments(f.line, &f.argsExpr, act)
	return r.filter(f.line, f.name, x, args, kwargs)
}

// argument is one that was given by name.
type argument struct {
	name  string
	value any
}

func (r *renderer) prepare(x *callExpr, act *activation) (fn any, args []any, kwargs []argument) {
	fn = r.eval(x.fn, act)
	args, kwargs = r.arguments(x.line, &x.argsExpr, act)
	return fn, args, kwargs
}

func (r *renderer) arguments(line int, a *argsExpr, act *activation) (args []any, kwargs []argument) {
	if len(a.args) > 0 {
		args = r.evalAll(a.args, act)
	}
	for _, k := range a.kwargs {
		kwargs = append(kwargs, argument{k.name, r.eval(k.value, act)})
	}
	if a.more != nil {
		args = append(args, r.list(line, r.eval(a.more, act))...)
	}
	if a.moreKw != nil {
		d, ok := r.eval(a.moreKw, act).(*Dict)
		if !ok {
			fail(line, "the value after ** is not a dictionary")
		}
		for i, k := range d.keys {
			s, ok := k.(string)
			if !ok {
				fail(line, "the name of an argument is not a string")
			}
			for _, given := range kwargs {
				if given.name == s {
					fail(line, "the argument %s is given twice", s)
				}
			}
			kwargs = append(kwargs, argument{s, d.values[i]})
		}
	}
	return args, kwargs
}

func (r *renderer) call(line int, fn any, args []any, kwargs []argument) any {
	switch fn := fn.(type) {
	case *macro:
		return r.callMacro(line, fn, args, kwargs)
	case *method:
		return r.method(line, fn, args, kwargs)
	case *builtin:
		return r.builtin(line, fn.name, args, kwargs)
	case *cycler:
		fail(line, "a cycler is called by its method next")
	case *joiner:
		if !fn.used {
			fn.used = true
			return ""
		}
		return fn.sep
	case *loop:
		fail(line, "recursive loops are not supported")
	}
	r.defined(line, fn)
	fail(line, "a %s cannot be called", typeName(fn))
	return nil
}

func (r *renderer) callMacro(line int, m *macro, args []any, kwargs []argument) any {
	r.step(line)
	if r.calls++; r.calls > maxCalls {
		fail(line, "macros are called more than %d deep", maxCalls)
	}
	def := m.def
	act := newActivation(def.slots, m.up)
	taken := make([]bool, len(kwargs))
	named := func(name string) any {
		for i, k := range kwargs {
			if k.name == name && !taken[i] {
				taken[i] = true
				return k.value
			}
		}
		return missing
	}
	values := make([]any, len(def.params))
	for i, p := range def.params {
		if i < len(args) {
			values[i] = args[i]
		} else {
			values[i] = named(p.name)
		}
	}
	var rest []any
	if len(args) > len(def.params) {
		rest = args[len(def.params):]
	}
	if def.caller != nil {
		c := named("caller")
		if c == missing || c == nil {
			c = &undefined{what: "no caller is defined"}
		}
		*act.at(def.caller.ref) = c
	}
	extra := &Dict{}
	for i, k := range kwargs {
		if taken[i] {
			continue
		}
		if def.kwargs == nil {
			fail(line, "the macro %s takes no argument %s", def.name, k.name)
		}
		r.put(line, extra, k.name, k.value)
	}
	if def.kwargs != nil {
		*act.at(def.kwargs.ref) = extra
	}
	if def.varargs != nil {
		*act.at(def.varargs.ref) = tuple(rest)
	} else if rest != nil {
		fail(line, "the macro %s takes not more than %d arguments", def.name, len(def.params))
	}
	r.enter(def.frame, act)
	for i, p := range def.params {
		*act.at(p.ref) = values[i]
	}
	for i, p := range def.params {
		if values[i] != missing {
			continue
		}
		if k := i - len(def.params) + len(def.defaults); k >= 0 {
			*act.at(p.ref) = r.eval(def.defaults[k], act)
		} else {
			*act.at(p.ref) = &undefined{what: "the parameter '" + p.name + "' was not provided"}
		}
	}
	text, _ := r.catch(def.body, act)
	r.calls--
	return text
}
