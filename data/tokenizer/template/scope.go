package template

import (
	"cmp"
	"maps"
	"slices"
)

// Jinja compiles a template to Python functions: the template itself, each macro,
// each call block. A name is a local variable of one of them, which depends on where it
// is first read or set. This is Jinja's analysis, with its peculiarities. A variable that
// is set in a loop's body is new in each iteration; one that is set under an if keeps its
// outer value when the branch is not taken.

// ref is a variable: a slot of the function that is up functions out.
type ref struct{ up, slot int }

// frame lists what happens when a scope is entered.
type frame []load

type load struct {
	slot   int
	action action
	name   string // resolve
	from   ref    // alias
}

type action uint8

const (
	parameter action = iota // set by who enters
	unset
	resolveName // from the template's variables
	alias       // from a scope outside
)

// function numbers its variables. Those of one name in scopes of one level are the
// same, as in Python.
type function struct {
	slots map[variable]int
	depth int
}

type variable struct {
	level int
	name  string
}

// symbols are the names of a scope.
type symbols struct {
	parent *symbols
	fn     *function
	level  int
	refs   map[string]variable
	loads  map[variable]symbolLoad
	stores map[string]bool
	work   *int            // names copied for branches, bounded
	free   map[string]bool // of the whole template: names that no scope sets
}

type symbolLoad struct {
	action action
	from   binding
}

// binding is a variable with the function that it is of.
type binding struct {
	fn *function
	v  variable
}

func newSymbols(parent *symbols, fn *function) *symbols {
	s := &symbols{parent: parent, fn: fn, refs: map[string]variable{}, loads: map[variable]symbolLoad{}, stores: map[string]bool{}}
	if parent != nil {
		s.level, s.work, s.free = parent.level+1, parent.work, parent.free
	} else {
		s.work, s.free = new(int), map[string]bool{}
	}
	return s
}

func (s *symbols) find(name string) (binding, bool) {
	for ; s != nil; s = s.parent {
		if v, ok := s.refs[name]; ok {
			return binding{s.fn, v}, true
		}
	}
	return binding{}, false
}

func (s *symbols) define(name string, l symbolLoad) {
	v := variable{s.level, name}
	s.refs[name] = v
	s.loads[v] = l
	if _, ok := s.fn.slots[v]; !ok {
		s.fn.slots[v] = len(s.fn.slots)
	}
}

func (s *symbols) load(name string) {
	if _, ok := s.find(name); !ok {
		s.free[name] = true
		s.define(name, symbolLoad{action: resolveName})
	}
}

func (s *symbols) store(name string) {
	s.stores[name] = true
	if _, ok := s.refs[name]; ok {
		return
	}
	if outer, ok := s.parent.find(name); ok {
		s.define(name, symbolLoad{alias, outer})
		return
	}
	s.define(name, symbolLoad{action: unset})
}

func (s *symbols) parameter(name string) {
	s.stores[name] = true
	s.define(name, symbolLoad{action: parameter})
}

// branches adds the names in the branches of an if. A name that only some branches set
// keeps its outer value in the others.
func (s *symbols) branches(list ...func(*symbols)) {
	var all []*symbols
	for _, visit := range list {
		if *s.work += len(s.refs) + len(s.loads) + len(s.stores); *s.work > 5_000_000 {
			fail(0, "too many branches and names")
		}
		b := *s
		b.refs, b.loads, b.stores = maps.Clone(s.refs), maps.Clone(s.loads), maps.Clone(s.stores)
		visit(&b)
		all = append(all, &b)
	}
	stored := map[string]bool{}
	for _, b := range all {
		for name := range b.stores {
			if !s.stores[name] {
				stored[name] = true
			}
		}
	}
	for _, b := range all {
		maps.Copy(s.refs, b.refs)
		maps.Copy(s.loads, b.loads)
		maps.Copy(s.stores, b.stores)
	}
	for name := range stored {
		v := s.refs[name]
		if outer, ok := s.parent.find(name); ok {
			s.loads[v] = symbolLoad{alias, outer}
		} else {
			s.loads[v] = symbolLoad{action: resolveName}
		}
	}
}

// frame lists the loads of a scope, once all its names are known.
func (s *symbols) frame() frame {
	var f frame
	for v, l := range s.loads {
		x := load{slot: s.fn.slots[v], action: l.action, name: v.name}
		if l.action == alias {
			x.from = s.ref(l.from)
		}
		f = append(f, x)
	}
	slices.SortFunc(f, func(a, b load) int { return cmp.Compare(a.slot, b.slot) })
	return f
}

func (s *symbols) ref(b binding) ref {
	return ref{s.fn.depth - b.fn.depth, b.fn.slots[b.v]}
}

func (s *symbols) bind(x *nameExpr) {
	b, ok := s.find(x.name)
	if !ok {
		fail(x.line, "the name %s has no place", x.name) // the analysis has a hole
	}
	x.ref = s.ref(b)
}

// resolve binds every name of the tree.
func resolve(body []node) (f frame, slots int, free []string) {
	s := newSymbols(nil, &function{slots: map[variable]int{}})
	s.visit(body)
	resolveBody(body, s)
	free = slices.DeleteFunc(slices.Sorted(maps.Keys(s.free)), isBuiltin)
	return s.frame(), len(s.fn.slots), free
}

// visit records the names that nodes read and set in this scope, without inner scopes.
func (s *symbols) visit(body []node) {
	for _, n := range body {
		switch n := n.(type) {
		case *outputNode:
			s.reads(n.expr)
		case *ifNode:
			s.visitIf(n)
		case *forNode:
			s.reads(n.iter)
		case *setNode:
			s.reads(n.value)
			s.sets(n.target, false)
		case *setBlockNode:
			s.sets(n.target, false)
		case *filterNode:
			s.readsFilter(n.filter)
		case *withNode:
			for _, x := range n.values {
				s.reads(x)
			}
		case *macroNode:
			s.store(n.name)
		case *callNode:
			s.reads(n.call)
		}
	}
}

// visitIf treats if, all elif and else as branches of one statement.
func (s *symbols) visitIf(n *ifNode) {
	s.reads(n.test)
	elifs := func(b *symbols) {}
	otherwise := func(b *symbols) { b.visit(n.alt) }
	if n.elif {
		elifs = func(b *symbols) {
			for e := n; e.elif; {
				e = e.alt[0].(*ifNode)
				b.reads(e.test)
				b.branches(func(b *symbols) { b.visit(e.then) })
			}
		}
		last := n
		for last.elif {
			last = last.alt[0].(*ifNode)
		}
		otherwise = func(b *symbols) { b.visit(last.alt) }
	}
	s.branches(func(b *symbols) { b.visit(n.then) }, elifs, otherwise)
}

// names calls f for each name that x reads.
func names(x expr, f func(*nameExpr)) {
	walk := func(list ...expr) {
		for _, y := range list {
			if y != nil {
				names(y, f)
			}
		}
	}
	args := func(a *argsExpr) {
		walk(a.args...)
		for _, k := range a.kwargs {
			walk(k.value)
		}
		walk(a.more, a.moreKw)
	}
	switch x := x.(type) {
	case nil, *constExpr:
	case *nameExpr:
		f(x)
	case *nsExpr:
		f(x.ns)
	case *tupleExpr:
		walk(x.items...)
	case *listExpr:
		walk(x.items...)
	case *dictExpr:
		walk(x.keys...)
		walk(x.values...)
	case *attrExpr:
		walk(x.x)
	case *itemExpr:
		walk(x.x, x.key)
	case *sliceExpr:
		walk(x.lo, x.hi, x.step)
	case *callExpr:
		walk(x.fn)
		args(&x.argsExpr)
	case *filterExpr:
		walk(x.x)
		args(&x.argsExpr)
	case *testExpr:
		walk(x.x)
		args(&x.argsExpr)
	case *condExpr:
		walk(x.test, x.x, x.or)
	case *logicExpr:
		walk(x.x, x.y)
	case *notExpr:
		walk(x.x)
	case *unaryExpr:
		walk(x.x)
	case *binaryExpr:
		walk(x.x, x.y)
	case *concatExpr:
		walk(x.items...)
	case *compareExpr:
		walk(x.x)
		walk(x.rest...)
	}
}

func (s *symbols) reads(x expr) { names(x, func(n *nameExpr) { s.load(n.name) }) }

func (s *symbols) readsFilter(f *filterExpr) {
	if f != nil {
		s.reads(f)
	}
}

func (s *symbols) sets(target expr, param bool) {
	switch x := target.(type) {
	case *nameExpr:
		if param {
			s.parameter(x.name)
		} else {
			s.store(x.name)
		}
	case *nsExpr:
		s.load(x.ns.name)
	case *tupleExpr:
		for _, y := range x.items {
			s.sets(y, param)
		}
	}
}

func (s *symbols) bindAll(list ...expr) {
	for _, x := range list {
		names(x, s.bind)
	}
}

// resolveBody binds the names of nodes in the scope s, and makes the scopes within.
func resolveBody(body []node, s *symbols) {
	for _, n := range body {
		switch n := n.(type) {
		case *outputNode:
			s.bindAll(n.expr)
		case *ifNode:
			s.bindAll(n.test)
			resolveBody(n.then, s)
			resolveBody(n.alt, s)
		case *forNode:
			resolveFor(n, s)
		case *setNode:
			s.bindAll(n.value, n.target)
		case *setBlockNode:
			in := newSymbols(s, s.fn)
			in.visit(n.body)
			in.readsFilter(n.filter)
			resolveBody(n.body, in)
			if n.filter != nil {
				in.bindAll(n.filter)
			}
			n.frame = in.frame()
			s.bindAll(n.target)
		case *filterNode:
			in := newSymbols(s, s.fn)
			in.visit(n.body)
			in.reads(n.filter)
			resolveBody(n.body, in)
			in.bindAll(n.filter)
			n.frame = in.frame()
		case *withNode:
			in := newSymbols(s, s.fn)
			for _, x := range n.targets {
				in.sets(x, true)
			}
			in.visit(n.body)
			resolveBody(n.body, in)
			in.bindAll(n.targets...)
			n.frame = in.frame()
			s.bindAll(n.values...)
		case *macroNode:
			resolveMacro(n, s)
			n.target.ref = s.ref(must(s.find(n.name)))
		case *callNode:
			resolveMacro(n.caller, s)
			s.bindAll(n.call)
		case *generationNode:
			in := newSymbols(s, &function{slots: map[variable]int{}, depth: s.fn.depth + 1})
			in.visit(n.body)
			resolveBody(n.body, in)
			n.frame, n.slots = in.frame(), len(in.fn.slots)
		}
	}
}

func must(b binding, ok bool) binding {
	if !ok {
		panic("template: a macro's name was not analysed")
	}
	return b
}

func resolveFor(n *forNode, s *symbols) {
	in := newSymbols(s, s.fn)
	in.parameter("loop")
	in.sets(n.target, true)
	in.visit(n.body)
	if n.test != nil {
		test := newSymbols(s, &function{slots: map[variable]int{}, depth: s.fn.depth + 1})
		test.sets(n.target, true)
		test.reads(n.test)
		n.testTarget = cloneTarget(n.target)
		test.bindAll(n.testTarget, n.test)
		n.testFrame, n.testSlots = test.frame(), len(test.fn.slots)
	}
	resolveBody(n.body, in)
	in.bindAll(n.target)
	n.loop = in.ref(must(in.find("loop")))
	n.frame = in.frame()
	if n.alt != nil {
		alt := newSymbols(s, s.fn)
		alt.visit(n.alt)
		resolveBody(n.alt, alt)
		n.altFrame = alt.frame()
	}
	s.bindAll(n.iter)
}

func cloneTarget(x expr) expr {
	switch x := x.(type) {
	case *nameExpr:
		c := *x
		return &c
	case *tupleExpr:
		c := &tupleExpr{}
		for _, y := range x.items {
			c.items = append(c.items, cloneTarget(y))
		}
		return c
	}
	return x
}

func resolveMacro(n *macroNode, s *symbols) {
	in := newSymbols(s, &function{slots: map[variable]int{}, depth: s.fn.depth + 1})
	for _, p := range n.params {
		in.parameter(p.name)
	}
	special := func(name string) *nameExpr {
		for _, p := range n.params {
			if p.name == name {
				return nil
			}
		}
		if !mentions(n.body, name) {
			return nil
		}
		in.parameter(name)
		return &nameExpr{line: n.line, name: name}
	}
	n.caller, n.kwargs, n.varargs = special("caller"), special("kwargs"), special("varargs")
	for _, d := range n.defaults {
		in.reads(d)
	}
	in.visit(n.body)
	resolveBody(n.body, in)
	for _, p := range n.params {
		in.bind(p)
	}
	for _, p := range []*nameExpr{n.caller, n.kwargs, n.varargs} {
		if p != nil {
			in.bind(p)
		}
	}
	in.bindAll(n.defaults...)
	n.frame, n.slots = in.frame(), len(in.fn.slots)
}

// mentions reports whether nodes read a name, at any depth.
func mentions(body []node, name string) bool {
	found := false
	check := func(list ...expr) {
		for _, x := range list {
			names(x, func(n *nameExpr) { found = found || n.name == name })
		}
	}
	for _, n := range body {
		var within [][]node
		switch n := n.(type) {
		case *outputNode:
			check(n.expr)
		case *ifNode:
			check(n.test)
			within = [][]node{n.then, n.alt}
		case *forNode:
			check(n.iter, n.test)
			within = [][]node{n.body, n.alt}
		case *setNode:
			check(n.value)
		case *setBlockNode:
			if n.filter != nil {
				check(n.filter)
			}
			within = [][]node{n.body}
		case *filterNode:
			check(n.filter)
			within = [][]node{n.body}
		case *withNode:
			check(n.values...)
			within = [][]node{n.body}
		case *macroNode:
			check(n.defaults...)
			within = [][]node{n.body}
		case *callNode:
			check(n.call)
			check(n.caller.defaults...)
			within = [][]node{n.caller.body}
		case *generationNode:
			within = [][]node{n.body}
		}
		for _, b := range within {
			if found = found || mentions(b, name); found {
				return true
			}
		}
	}
	return found
}
