package template

import (
	"fmt"
	"slices"
	"strings"
)

// A node is a statement, an expr an expression: the concrete types below.
type (
	node any
	expr any
)

type (
	outputNode struct {
		line int
		data string // or, with expr, what it gives
		expr expr
	}
	ifNode struct {
		line      int
		test      expr
		then, alt []node
		elif      bool // alt is one ifNode, that of an elif
	}
	forNode struct {
		line       int
		target     expr
		iter, test expr // test: nil without "if"
		body, alt  []node
		loop       ref // of the variable loop
		// The scopes of the body, of the test and of else.
		frame, testFrame, altFrame frame
		testTarget                 expr // target in the scope of the test
		testSlots                  int  // which is a function of its own
	}
	setNode struct {
		line   int
		target expr
		value  expr
	}
	setBlockNode struct {
		line   int
		target expr
		filter *filterExpr // its innermost value is nil; nil: none
		body   []node
		frame  frame
	}
	filterNode struct {
		line   int
		filter *filterExpr
		body   []node
		frame  frame
	}
	withNode struct {
		line    int
		targets []expr
		values  []expr
		body    []node
		frame   frame
	}
	macroNode struct {
		line     int
		name     string
		target   *nameExpr
		params   []*nameExpr
		defaults []expr // of the last params
		body     []node
		frame    frame
		slots    int
		// Special parameters, if the body mentions them.
		caller, kwargs, varargs *nameExpr
	}
	callNode struct {
		line   int
		call   *callExpr
		caller *macroNode
	}
	generationNode struct {
		line  int
		body  []node
		frame frame
		slots int
	}
	breakNode    struct{ line int }
	continueNode struct{ line int }
)

type (
	constExpr struct{ value any }
	nameExpr  struct {
		line int
		name string
		ref  ref
	}
	nsExpr struct { // the target ns.attr
		line int
		ns   *nameExpr
		attr string
	}
	tupleExpr struct{ items []expr }
	listExpr  struct{ items []expr }
	dictExpr  struct {
		line         int
		keys, values []expr
	}
	attrExpr struct {
		line int
		x    expr
		name string
	}
	itemExpr struct {
		line int
		x    expr
		key  expr
	}
	sliceExpr struct{ lo, hi, step expr } // as itemExpr's key; parts may be nil
	keyword   struct {
		name  string
		value expr
	}
	argsExpr struct {
		args         []expr
		kwargs       []keyword
		more, moreKw expr // *args and **kwargs, or nil
	}
	callExpr struct {
		line int
		fn   expr
		argsExpr
	}
	filterExpr struct {
		line int
		name string
		x    expr
		argsExpr
	}
	testExpr struct {
		line int
		name string
		x    expr
		argsExpr
	}
	condExpr struct {
		line        int
		test, x, or expr // or: nil without else
	}
	logicExpr struct {
		or   bool
		x, y expr
	}
	notExpr   struct{ x expr }
	unaryExpr struct {
		line int
		op   byte
		x    expr
	}
	binaryExpr struct {
		line int
		op   string
		x, y expr
	}
	concatExpr struct {
		line  int
		items []expr
	}
	compareExpr struct {
		line int
		x    expr
		ops  []string
		rest []expr
	}
)

// maxDepth bounds the nesting of statements and expressions in the source, and
// of values in the data.
const maxDepth = 200

type parser struct {
	tokens []token
	pos    int
	depth  int
	// What encloses the statement being parsed.
	loops      int // loops, within the innermost macro, call or generation
	within     int // loops, all of them
	buffered   int // macro, call, set and filter blocks
	generation bool
	tags       []string
	// Unknown filters and tests. Where a condition decides whether they are reached (soft),
	// they are faults only then, as in Jinja.
	unknown []*Error
	soft    bool
}

func (p *parser) cur() *token { return &p.tokens[p.pos] }

func (p *parser) next() token {
	t := p.tokens[p.pos]
	if t.kind != eof {
		p.pos++
	}
	return t
}

func (p *parser) isOp(op string) bool { return p.cur().kind == operator && p.cur().text == op }
func (p *parser) isName(s string) bool {
	return p.cur().kind == name && p.cur().text == s
}

func (p *parser) skipOp(op string) bool {
	if p.isOp(op) {
		p.pos++
		return true
	}
	return false
}

func (p *parser) skipName(s string) bool {
	if p.isName(s) {
		p.pos++
		return true
	}
	return false
}

func (p *parser) expectOp(op string) token {
	if !p.isOp(op) {
		fail(p.cur().line, "%q is due before %s", op, p.cur())
	}
	return p.next()
}

func (p *parser) expectName() token {
	if p.cur().kind != name {
		fail(p.cur().line, "a name is due before %s", p.cur())
	}
	return p.next()
}

func (p *parser) expectEnd(k kind) {
	if p.cur().kind != k {
		fail(p.cur().line, "unexpected %s", p.cur())
	}
	p.pos++
}

// String describes a token in an error.
func (t *token) String() string {
	switch t.kind {
	case eof:
		return "the end of the template"
	case data:
		return "text"
	case blockEnd, variableEnd:
		return "the end of the tag"
	case str:
		return "the string '" + t.text + "'"
	}
	return "'" + t.text + "'"
}

func (p *parser) enter() {
	p.depth++
	if p.depth > maxDepth {
		fail(p.cur().line, "nested more than %d deep", maxDepth)
	}
}

func (p *parser) leave() { p.depth-- }

// statements reads up to a tag that begins with one of ends, whose name is then
// current, or to the end of the source when ends is nil.
func (p *parser) statements(ends []string) []node {
	p.enter()
	defer p.leave()
	var body []node
	for {
		t := p.next()
		switch t.kind {
		case eof:
			if ends != nil {
				fail(t.line, "%s is not ended by %s", p.tags[len(p.tags)-1], strings.Join(ends, " or "))
			}
			return body
		case data:
			body = append(body, &outputNode{line: t.line, data: t.text})
		case variableBegin:
			x := p.tuple(tupleOptions{cond: true})
			p.expectEnd(variableEnd)
			body = append(body, &outputNode{line: t.line, expr: x})
		case blockBegin:
			if p.cur().kind == name && slices.Contains(ends, p.cur().text) {
				return body
			}
			body = append(body, p.statement()...)
			p.expectEnd(blockEnd)
		}
	}
}

// block reads the end of a tag, statements and the name of the tag that ends
// them, which it returns.
func (p *parser) block(ends ...string) ([]node, string) {
	defer p.soften(false)()
	return p.branch(ends...)
}

// branch is block for a body that is reached only if a condition holds.
func (p *parser) branch(ends ...string) ([]node, string) {
	p.skipOp(":")
	p.expectEnd(blockEnd)
	body := p.statements(ends)
	return body, p.next().text
}

// soften marks what is parsed as reached only if a condition holds, until its result is called.
func (p *parser) soften(soft bool) (restore func()) {
	was := p.soft
	p.soft = soft
	return func() { p.soft = was }
}

// known fails for an unknown filter or test.
func (p *parser) known(line int, what, name string, names []string) {
	if !p.soft && !slices.Contains(names, name) {
		p.unknown = append(p.unknown, &Error{Line: line, Message: unknown(what, name, names)})
	}
}

func unknown(what, name string, names []string) string {
	return fmt.Sprintf("unknown %s %s (known: %s)", what, name, strings.Join(names, ", "))
}

// inner is block for the body of a function, from which an outer loop cannot be left.
func (p *parser) inner(end string) []node {
	loops := p.loops
	p.loops = 0
	body, _ := p.block(end)
	p.loops = loops
	return body
}

func (p *parser) statement() []node {
	t := p.expectName()
	p.tags = append(p.tags, t.text)
	defer func() { p.tags = p.tags[:len(p.tags)-1] }()
	switch t.text {
	case "for":
		return []node{p.forLoop(t.line)}
	case "if":
		return []node{p.ifElse(t.line)}
	case "set":
		target := p.target(true, "")
		p.noLoop(target)
		if p.skipOp("=") {
			return []node{&setNode{t.line, target, p.tuple(tupleOptions{cond: true})}}
		}
		n := &setBlockNode{line: t.line, target: target}
		if p.isOp("|") {
			n.filter = p.filters(nil).(*filterExpr)
		}
		p.buffered++
		n.body, _ = p.block("endset")
		p.buffered--
		return []node{n}
	case "macro":
		n := &macroNode{line: t.line}
		at := p.expectName()
		n.name, n.target = at.text, p.storable(at)
		p.signature(n)
		p.buffered++
		n.body = p.inner("endmacro")
		p.buffered--
		return []node{n}
	case "call":
		n := &callNode{line: t.line, caller: &macroNode{line: t.line, name: "caller"}}
		if p.isOp("(") {
			p.signature(n.caller)
		}
		call, ok := p.expression().(*callExpr)
		if !ok {
			fail(t.line, "call is followed by no call of a macro")
		}
		n.call = call
		p.buffered++
		n.caller.body = p.inner("endcall")
		p.buffered--
		return []node{n}
	case "filter":
		n := &filterNode{line: t.line}
		restore := p.soften(false)
		n.filter = p.filter(nil)
		if p.isOp("|") {
			n.filter = p.filters(n.filter).(*filterExpr)
		}
		restore()
		p.buffered++
		n.body, _ = p.block("endfilter")
		p.buffered--
		return []node{n}
	case "with":
		n := &withNode{line: t.line}
		for p.cur().kind != blockEnd {
			if len(n.targets) > 0 {
				p.expectOp(",")
			}
			n.targets = append(n.targets, p.target(false, ""))
			p.expectOp("=")
			n.values = append(n.values, p.expression())
		}
		n.body, _ = p.block("endwith")
		return []node{n}
	case "generation":
		if p.buffered > 0 {
			fail(t.line, "generation inside of a macro, call, set or filter block is not supported: its place in the text is not known")
		}
		if p.generation {
			fail(t.line, "generation inside of generation is not supported")
		}
		p.generation = true
		n := &generationNode{line: t.line, body: p.inner("endgeneration")}
		p.generation = false
		return []node{n}
	case "print":
		var list []node
		for p.cur().kind != blockEnd {
			if len(list) > 0 {
				p.expectOp(",")
			}
			list = append(list, &outputNode{line: t.line, expr: p.expression()})
		}
		return list
	case "break", "continue":
		if p.loops == 0 {
			fail(t.line, "%s outside of a loop", t.text)
		}
		if t.text == "break" {
			return []node{&breakNode{t.line}}
		}
		return []node{&continueNode{t.line}}
	case "include", "import", "from", "extends", "block", "autoescape", "do", "trans", "debug":
		fail(t.line, "the tag %s is not supported", t.text)
	}
	fail(t.line, "unknown tag %s (known: for, if, set, macro, call, filter, with, generation, raw, print, break, continue)", t.text)
	return nil
}

func (p *parser) forLoop(line int) node {
	p.within++
	defer func() { p.within-- }()
	n := &forNode{line: line, target: p.target(false, "in")}
	p.noLoop(n.target)
	if !p.skipName("in") {
		fail(p.cur().line, "\"in\" is due before %s", p.cur())
	}
	n.iter = p.tuple(tupleOptions{end: "recursive"})
	if p.skipName("if") {
		restore := p.soften(false)
		n.test = p.expression()
		restore()
	}
	if p.isName("recursive") {
		fail(line, "recursive loops are not supported")
	}
	p.loops++
	var end string
	n.body, end = p.block("endfor", "else")
	p.loops--
	if end == "else" {
		n.alt, _ = p.block("endfor")
	}
	return n
}

func (p *parser) ifElse(line int) node {
	defer p.soften(true)()
	n := &ifNode{line: line}
	first := n
	// An elif is nested in the tree, but not parsed by recursion: there may be many.
	for {
		n.test = p.tuple(tupleOptions{})
		var end string
		n.then, end = p.branch("elif", "else", "endif")
		switch end {
		case "elif":
			next := &ifNode{line: p.cur().line}
			n.alt, n.elif = []node{next}, true
			n = next
			continue
		case "else":
			n.alt, _ = p.branch("endif")
		}
		return first
	}
}

func (p *parser) signature(n *macroNode) {
	p.expectOp("(")
	for !p.isOp(")") {
		if len(n.params) > 0 {
			p.expectOp(",")
		}
		param := p.storable(p.expectName())
		if slices.ContainsFunc(n.params, func(q *nameExpr) bool { return q.name == param.name }) {
			fail(param.line, "two parameters are called %s", param.name)
		}
		if p.skipOp("=") {
			n.defaults = append(n.defaults, p.expression())
		} else if n.defaults != nil {
			fail(param.line, "a parameter without default follows one with")
		}
		n.params = append(n.params, param)
	}
	p.expectOp(")")
}

// storable makes a name, as the target of an assignment, of a token.
func (p *parser) storable(t token) *nameExpr {
	switch t.text {
	case "true", "false", "none", "True", "False", "None":
		fail(t.line, "cannot assign to %s", t.text)
	}
	return &nameExpr{line: t.line, name: t.text}
}

// target reads the target of an assignment: a name, names in a tuple or list, with ns
// also an attribute.
func (p *parser) target(ns bool, end string) expr {
	line := p.cur().line
	x := p.tuple(tupleOptions{target: true, ns: ns, end: end})
	p.assignable(x, line)
	return x
}

func (p *parser) assignable(x expr, line int) {
	switch x := x.(type) {
	case *nameExpr:
		p.storable(token{text: x.name, line: x.line})
	case *nsExpr:
	case *tupleExpr:
		for _, y := range x.items {
			p.assignable(y, line)
		}
	default:
		fail(line, "cannot assign to this")
	}
}

// noLoop refuses an assignment to loop inside a loop.
func (p *parser) noLoop(target expr) {
	names(target, func(x *nameExpr) {
		if x.name == "loop" && p.within > 0 {
			fail(x.line, "cannot assign to the special variable loop")
		}
	})
}

type tupleOptions struct {
	cond, target, ns, parens bool
	end                      string // a name that ends the tuple
}

// tuple reads expressions that are separated by commas.
func (p *parser) tuple(o tupleOptions) expr {
	var items []expr
	comma := false
	for {
		if len(items) > 0 {
			p.expectOp(",")
		}
		if k := p.cur().kind; k == variableEnd || k == blockEnd || p.isOp(")") || o.end != "" && p.isName(o.end) {
			break
		}
		switch {
		case o.target:
			items = append(items, p.primary(o.ns))
		case o.cond || o.parens:
			items = append(items, p.expression())
		default:
			items = append(items, p.or())
		}
		if !p.isOp(",") {
			break
		}
		comma = true
	}
	if !comma {
		if len(items) == 1 {
			return items[0]
		}
		if !o.parens {
			fail(p.cur().line, "an expression is due before %s", p.cur())
		}
	}
	return &tupleExpr{items}
}

func (p *parser) expression() expr {
	p.enter()
	defer p.leave()
	before := len(p.unknown)
	x := p.or()
	if p.isName("if") {
		p.unknown = p.unknown[:before]
		defer p.soften(true)()
	}
	for p.isName("if") {
		line := p.next().line
		test := p.or()
		var alt expr
		if p.skipName("else") {
			alt = p.expression()
		}
		x = &condExpr{line, test, x, alt}
	}
	return x
}

// chain limits the number of operators in a row, since their tree is that deep.
func (p *parser) chain(n *int) {
	if *n++; *n > 1000 {
		fail(p.cur().line, "more than 1000 operators in a row")
	}
}

func (p *parser) or() expr {
	x := p.and()
	for n := 0; p.skipName("or"); p.chain(&n) {
		x = &logicExpr{true, x, p.and()}
	}
	return x
}

func (p *parser) and() expr {
	x := p.not()
	for n := 0; p.skipName("and"); p.chain(&n) {
		x = &logicExpr{false, x, p.not()}
	}
	return x
}

func (p *parser) not() expr {
	p.enter()
	defer p.leave()
	if p.skipName("not") {
		return &notExpr{p.not()}
	}
	return p.compare()
}

func (p *parser) compare() expr {
	line := p.cur().line
	x := p.sum()
	var ops []string
	var rest []expr
	for {
		t := p.cur()
		op := ""
		switch {
		case t.kind == operator && slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, t.text):
			op = t.text
		case p.isName("in"):
			op = "in"
		case p.isName("not") && p.tokens[p.pos+1].kind == name && p.tokens[p.pos+1].text == "in":
			op = "not in"
			p.pos++
		}
		if op == "" {
			break
		}
		p.pos++
		ops = append(ops, op)
		rest = append(rest, p.sum())
	}
	if ops == nil {
		return x
	}
	return &compareExpr{line, x, ops, rest}
}

func (p *parser) sum() expr {
	x := p.concat()
	for n := 0; p.isOp("+") || p.isOp("-"); p.chain(&n) {
		t := p.next()
		x = &binaryExpr{t.line, t.text, x, p.concat()}
	}
	return x
}

func (p *parser) concat() expr {
	line := p.cur().line
	items := []expr{p.product()}
	for p.skipOp("~") {
		items = append(items, p.product())
	}
	if len(items) == 1 {
		return items[0]
	}
	return &concatExpr{line, items}
}

func (p *parser) product() expr {
	x := p.power()
	for n := 0; p.isOp("*") || p.isOp("/") || p.isOp("//") || p.isOp("%"); p.chain(&n) {
		t := p.next()
		x = &binaryExpr{t.line, t.text, x, p.power()}
	}
	return x
}

func (p *parser) power() expr {
	x := p.unary(true)
	for n := 0; p.isOp("**"); p.chain(&n) {
		t := p.next()
		x = &binaryExpr{t.line, t.text, x, p.unary(true)}
	}
	return x
}

func (p *parser) unary(filters bool) expr {
	p.enter()
	defer p.leave()
	var x expr
	if p.isOp("-") || p.isOp("+") {
		t := p.next()
		x = &unaryExpr{t.line, t.text[0], p.unary(false)}
	} else {
		x = p.primary(false)
	}
	x = p.postfix(x)
	if !filters {
		return x
	}
	for n := 0; ; p.chain(&n) {
		switch {
		case p.isOp("|"):
			x = p.filters(x)
		case p.isName("is"):
			x = p.test(x)
		case p.isOp("("):
			x = p.call(x)
		default:
			return x
		}
	}
}

func (p *parser) primary(ns bool) expr {
	p.enter()
	defer p.leave()
	t := p.next()
	switch t.kind {
	case name:
		switch t.text {
		case "true", "True":
			return &constExpr{true}
		case "false", "False":
			return &constExpr{false}
		case "none", "None":
			return &constExpr{nil}
		}
		x := &nameExpr{line: t.line, name: t.text}
		if ns && p.skipOp(".") {
			return &nsExpr{t.line, x, p.expectName().text}
		}
		return x
	case str:
		text := t.text
		for p.cur().kind == str {
			text += p.next().text
		}
		return &constExpr{text}
	case integer, float:
		return &constExpr{t.value}
	case operator:
		switch t.text {
		case "(":
			x := p.tuple(tupleOptions{parens: true})
			p.expectOp(")")
			return x
		case "[":
			x := &listExpr{}
			for !p.isOp("]") {
				x.items = append(x.items, p.expression())
				if !p.isOp("]") {
					p.expectOp(",")
				}
			}
			p.expectOp("]")
			return x
		case "{":
			x := &dictExpr{line: t.line}
			for !p.isOp("}") {
				x.keys = append(x.keys, p.expression())
				p.expectOp(":")
				x.values = append(x.values, p.expression())
				if !p.isOp("}") {
					p.expectOp(",")
				}
			}
			p.expectOp("}")
			return x
		}
	}
	fail(t.line, "unexpected %s", &t)
	return nil
}

func (p *parser) postfix(x expr) expr {
	for n := 0; ; p.chain(&n) {
		switch {
		case p.isOp("."):
			line := p.next().line
			t := p.next()
			switch t.kind {
			case name:
				x = &attrExpr{line, x, t.text}
			case integer:
				x = &itemExpr{line, x, &constExpr{t.value}}
			default:
				fail(t.line, "a name or a number is due before %s", &t)
			}
		case p.isOp("["):
			line := p.next().line
			var keys []expr
			for !p.isOp("]") {
				if len(keys) > 0 {
					p.expectOp(",")
				}
				keys = append(keys, p.subscript())
			}
			p.expectOp("]")
			if len(keys) == 1 {
				x = &itemExpr{line, x, keys[0]}
			} else {
				for _, k := range keys {
					if _, ok := k.(*sliceExpr); ok {
						fail(line, "a slice of more than one dimension is not supported")
					}
				}
				x = &itemExpr{line, x, &tupleExpr{keys}}
			}
		case p.isOp("("):
			x = p.call(x)
		default:
			return x
		}
	}
}

func (p *parser) subscript() expr {
	s := &sliceExpr{}
	if !p.isOp(":") {
		s.lo = p.expression()
		if !p.isOp(":") {
			return s.lo
		}
	}
	p.expectOp(":")
	ends := func() bool { return p.isOp("]") || p.isOp(",") }
	if !p.isOp(":") && !ends() {
		s.hi = p.expression()
	}
	if p.skipOp(":") && !ends() {
		s.step = p.expression()
	}
	return s
}

func (p *parser) arguments() (a argsExpr) {
	line := p.expectOp("(").line
	check := func(ok bool) {
		if !ok {
			fail(line, "the arguments of a call are in a wrong order")
		}
	}
	for first := true; !p.isOp(")"); first = false {
		if !first {
			p.expectOp(",")
			if p.isOp(")") {
				break
			}
		}
		switch {
		case p.skipOp("*"):
			check(a.more == nil && a.moreKw == nil)
			a.more = p.expression()
		case p.skipOp("**"):
			check(a.moreKw == nil)
			a.moreKw = p.expression()
		case p.cur().kind == name && p.tokens[p.pos+1].kind == operator && p.tokens[p.pos+1].text == "=":
			check(a.moreKw == nil)
			t := p.next()
			p.pos++
			if slices.ContainsFunc(a.kwargs, func(k keyword) bool { return k.name == t.text }) {
				fail(t.line, "the argument %s is given twice", t.text)
			}
			a.kwargs = append(a.kwargs, keyword{t.text, p.expression()})
		default:
			check(a.more == nil && a.moreKw == nil && a.kwargs == nil)
			a.args = append(a.args, p.expression())
		}
	}
	p.expectOp(")")
	return a
}

func (p *parser) call(x expr) expr {
	return &callExpr{p.cur().line, x, p.arguments()}
}

// filters reads one or more of "|name(…)".
func (p *parser) filters(x expr) expr {
	for n := 0; p.skipOp("|"); p.chain(&n) {
		x = p.filter(x)
	}
	return x
}

func (p *parser) filter(x expr) *filterExpr {
	t := p.expectName()
	f := &filterExpr{line: t.line, name: p.dotted(t.text), x: x}
	p.known(t.line, "filter", f.name, filterNames)
	if p.isOp("(") {
		f.argsExpr = p.arguments()
	}
	return f
}

func (p *parser) dotted(s string) string {
	for p.skipOp(".") {
		s += "." + p.expectName().text
	}
	return s
}

func (p *parser) test(x expr) expr {
	line := p.next().line
	negated := p.skipName("not")
	t := &testExpr{line: line, name: p.dotted(p.expectName().text), x: x}
	p.known(line, "test", t.name, testNames)
	c := p.cur()
	switch {
	case p.isOp("("):
		t.argsExpr = p.arguments()
	case c.kind == name && c.text != "else" && c.text != "or" && c.text != "and",
		c.kind == str, c.kind == integer, c.kind == float, p.isOp("["), p.isOp("{"):
		if p.isName("is") {
			fail(line, "tests cannot be chained with is")
		}
		t.args = []expr{p.postfix(p.primary(false))}
	}
	if negated {
		return &notExpr{t}
	}
	return t
}
