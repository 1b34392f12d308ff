package template

import (
	"math/big"
	"slices"
	"strings"
)

// testNames are the names of the tests that test applies.
var testNames = []string{"!=", "<", "<=", "==", ">", ">=", "boolean", "callable", "defined", "divisibleby", "eq",
	"equalto", "escaped", "even", "false", "filter", "float", "ge", "greaterthan", "gt", "in", "integer", "iterable",
	"le", "lessthan", "lower", "lt", "mapping", "ne", "none", "number", "odd", "sameas", "sequence", "string", "test",
	"true", "undefined", "upper"}

// test is "x is name".
func (r *renderer) test(line int, name string, x any, args []any, kwargs []argument) bool {
	r.work(line, 1+size(x)/64)
	c := &call{r, line, name, args, kwargs}
	switch name {
	case "==", "eq", "equalto":
		return r.relation(line, "==", x, c.positional("other!")[0])
	case "!=", "ne":
		return r.relation(line, "!=", x, c.positional("other!")[0])
	case "<", "lt", "lessthan":
		return r.relation(line, "<", x, c.positional("other!")[0])
	case "<=", "le":
		return r.relation(line, "<=", x, c.positional("other!")[0])
	case ">", "gt", "greaterthan":
		return r.relation(line, ">", x, c.positional("other!")[0])
	case ">=", "ge":
		return r.relation(line, ">=", x, c.positional("other!")[0])
	case "in":
		return r.in(line, x, c.take("seq!")[0])
	case "sameas":
		return same(x, c.take("other!")[0])
	case "divisibleby":
		return r.equal(line, r.modulo(line, x, c.take("num!")[0]), int64(0), 0)
	}
	c.take()
	switch name {
	case "odd":
		return r.equal(line, r.modulo(line, x, int64(2)), int64(1), 0)
	case "even":
		return r.equal(line, r.modulo(line, x, int64(2)), int64(0), 0)
	case "defined", "undefined":
		_, ok := x.(*undefined)
		return ok == (name == "undefined")
	case "none":
		return x == nil
	case "true", "false":
		b, ok := x.(bool)
		return ok && b == (name == "true")
	case "boolean":
		_, ok := x.(bool)
		return ok
	case "integer":
		switch x.(type) {
		case int64, *big.Int:
			return true
		}
		return false
	case "float":
		_, ok := x.(float64)
		return ok
	case "number":
		_, _, _, ok := number(x)
		_, big := x.(*big.Int)
		return ok || big
	case "string":
		switch x.(type) {
		case string, markup:
			return true
		}
		return false
	case "mapping":
		_, ok := x.(*Dict)
		return ok
	case "iterable":
		if _, ok := x.(*loop); ok {
			return true
		}
		_, ok := iterable(x)
		return ok
	case "sequence":
		switch x.(type) {
		case *view, *iterator:
			return false
		}
		_, ok := length(x)
		return ok
	case "callable":
		switch x.(type) {
		case *macro, *method, *builtin, *joiner, *loop, *undefined:
			return true
		}
		return false
	case "escaped":
		_, ok := x.(markup)
		return ok
	case "lower":
		return cased(r.text(line, x), false)
	case "upper":
		return cased(r.text(line, x), true)
	case "filter":
		return slices.Contains(filterNames, r.hashable(line, x))
	case "test":
		return slices.Contains(testNames, r.hashable(line, x))
	}
	fail(line, "%s", unknown("test", name, testNames))
	return false
}

func (r *renderer) hashable(line int, x any) string {
	s, ok := x.(string)
	if !ok || strings.Contains(s, " ") {
		return ""
	}
	return s
}

// modulo is x % n of numbers.
func (r *renderer) modulo(line int, x, n any) any {
	_, _, _, ok := number(x)
	_, _, _, ok2 := number(n)
	if !ok || !ok2 {
		r.defined(line, x)
		fail(line, "%s %% %s is not possible", typeName(x), typeName(n))
	}
	return r.binary(line, "%", x, n)
}
