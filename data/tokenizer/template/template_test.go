package template

import (
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func readGzip(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	src, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func readCases(t testing.TB, name string) []*Dict {
	t.Helper()
	x, err := DecodeJSON(readGzip(t, name))
	if err != nil {
		t.Fatal(err)
	}
	var cases []*Dict
	for _, c := range x.([]any) {
		cases = append(cases, c.(*Dict))
	}
	return cases
}

// clock is what the scripts beside the vectors take for now.
func clock() time.Time { return time.Date(2026, 11, 3, 14, 5, 9, 0, time.UTC) }

func field[T any](d *Dict, key string) T {
	x, _ := d.Get(key)
	v, _ := x.(T)
	return v
}

// variables are those that transformers gives to a template.
func variables(c *Dict) Values {
	messages, _ := c.Get("messages")
	tools, _ := c.Get("tools")
	v := Values{"messages": messages, "tools": tools, "documents": nil}
	kwargs := field[*Dict](c, "kwargs")
	for _, k := range kwargs.keys {
		v[k.(string)], _ = kwargs.Get(k.(string))
	}
	return v
}

// TestAgreesWithTransformers renders conversations by the templates of well known
// models.
func TestAgreesWithTransformers(t *testing.T) {
	templates := map[string]*Template{}
	rendered := map[string]int{}
	for i, c := range readCases(t, "vectors.json.gz") {
		name := field[string](c, "template")
		tmpl := templates[name]
		if tmpl == nil {
			src, err := os.ReadFile(filepath.Join("testdata", "templates", name+".jinja"))
			if err != nil {
				t.Fatal(err)
			}
			if tmpl, err = Parse(string(src)); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			tmpl.Now = clock
			templates[name] = tmpl
		}
		got, spans, err := tmpl.Render(variables(c))
		if want, ok := c.Get("error"); ok {
			var e *Error
			if !errors.As(err, &e) || !e.Raised || "TemplateError: "+e.Message != want {
				t.Errorf("case %d, %s: error %v, want %v", i, name, err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("case %d, %s: %v", i, name, err)
			continue
		}
		if want := field[string](c, "text"); got != want {
			t.Errorf("case %d, %s: %q\nwant %q", i, name, got, want)
		}
		rendered[name]++
		if want, ok := c.Get("generated"); ok {
			chars := func(n int) int64 { return int64(len([]rune(got[:n]))) }
			have := []any{}
			for _, s := range spans {
				have = append(have, []any{chars(s.Start), chars(s.End)})
			}
			if !new(renderer).bounded().equal(0, have, want, 0) {
				t.Errorf("case %d, %s: generated %v, want %v", i, name, have, want)
			}
		}
	}
	for _, name := range []string{"chatml", "chatml-generation", "gemma3", "llama3", "llama3.2", "qwen3", "smollm2"} {
		if rendered[name] < 50 {
			t.Errorf("%s: %d conversations", name, rendered[name])
		}
	}
}

func (r *renderer) bounded() *renderer {
	r.steps, r.bytes = 1<<40, 1<<40
	return r
}

// TestAgreesWithJinja renders small templates, one for each part of the language.
// An error of Jinja's need not be in the same words.
func TestAgreesWithJinja(t *testing.T) {
	cases := readCases(t, "syntax.json.gz")
	var vars *Dict
	for _, c := range cases {
		src := field[string](c, "source")
		v := Values{}
		if d := field[*Dict](c, "variables"); d != nil {
			vars = d
		}
		for _, k := range vars.keys {
			v[k.(string)], _ = vars.Get(k.(string))
		}
		tmpl, err := Parse(src)
		var got string
		if err == nil {
			tmpl.Now = clock
			got, _, err = tmpl.Render(v)
		}
		want, ok := c.Get("text")
		switch {
		case !ok && err == nil:
			t.Errorf("%q: %q, want an error", src, got)
		case ok && err != nil:
			t.Errorf("%q: %v, want %q", src, err, want)
		case ok && got != want:
			t.Errorf("%q: %q, want %q", src, got, want)
		}
	}
	if len(cases) < 300 {
		t.Errorf("only %d cases", len(cases))
	}
}

// TestUnsupported wants what is left out named with its line.
func TestUnsupported(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"a\n{% include 'x' %}", "line 2: the tag include is not supported"},
		{"{% extends 'x' %}", "line 1: the tag extends is not supported"},
		{"\n\n{% block x %}{% endblock %}", "line 3: the tag block is not supported"},
		{"{% import 'x' as y %}", "line 1: the tag import is not supported"},
		{"{% nonsense %}", "line 1: unknown tag nonsense (known: for"},
		{"{{ 1 |\n nonsense }}", "line 2: unknown filter nonsense (known: abs"},
		{"{{ x is\n\n nonsense }}", "unknown test nonsense (known: !="},
		{"{% for x in y recursive %}{% endfor %}", "line 1: recursive loops are not supported"},
		{"{% break %}", "line 1: break outside of a loop"},
		{"{% for x in y %}{% macro m() %}{% continue %}{% endmacro %}{% endfor %}", "continue outside of a loop"},
		{"{% if x %}\n", "if is not ended by elif or else or endif"},
		{"{{ x", "line 1: a tag is not ended by }}"},
		{"{# x", "a comment is not ended"},
		{"{% raw %}", "raw is not ended"},
		{"{{ 'x }}", "a string is not ended"},
		{"{{ (1] }}", "unexpected \"]\", \")\" is due"},
		{"{{ $ }}", "unexpected character '$'"},
		{"{{ }}", "an expression is due before the end of the tag"},
		{"{{ 1 2 }}", "unexpected '2'"},
		{"{% set 1 = 2 %}", "cannot assign to this"},
		{"{% set true = 2 %}", "cannot assign to this"},
		{"{% for loop in x %}{% endfor %}", "cannot assign to the special variable loop"},
		{"{% macro m() %}{% generation %}{% endgeneration %}{% endmacro %}", "generation inside of a macro"},
		{"{% generation %}{% generation %}{% endgeneration %}{% endgeneration %}", "generation inside of generation"},
		{"{{ " + strings.Repeat("(", 300) + "1" + strings.Repeat(")", 300) + " }}", "nested more than 200 deep"},
		{strings.Repeat("{% if 1 %}", 300), "nested more than 200 deep"},
		{"{{ 1" + strings.Repeat("+1", 2000) + " }}", "more than 1000 operators"},
		{"\xff", "not valid UTF-8"},
		{strings.Repeat("x", 1<<20+1), "1048577 bytes; the most is 1048576"},
	} {
		if _, err := Parse(c.src); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: %v, want %q", c.src, err, c.want)
		}
	}
	for _, c := range []struct{ src, want string }{
		{"\n{{ x.y }}", "line 2: 'x' is undefined"},
		{"{{ s.encode() }}", "line 1: the method str.encode is not supported"},
		{"{{ d.pop('a') }}", "the method pop of a dict is not allowed in a template"},
		{"{{ l.append(1) }}", "the method append of a list is not allowed in a template"},
		{"{{ s.__class__ }}", "the attribute __class__ is not allowed in a template"},
		{"{{ s['__class__'] }}", "the attribute __class__ is not allowed in a template"},
		{"{{ lipsum() }}", "the function lipsum is not supported"},
		{"{{ range(100001)|list }}", "range: more than 100000 items"},
		{"{{ 2 ** 63 }}", "more than 64 bits"},
		{"{{ raise_exception('no') }}", "template: line 1: no"},
		{"{{ l|map('upper') }}", "a generator cannot be printed"},
		{"{{ strftime_now('%Q') }}", "%Q is not supported"},
		{"{{ ('a'|safe).upper() }}", "marked safe is not supported"},
		{"{{ '{:>5}'.format(1) }}", "the field {:>5} is not supported"},
	} {
		tmpl, err := Parse(c.src)
		if err != nil {
			t.Errorf("%q: %v", c.src, err)
			continue
		}
		v := Values{"s": "s", "d": NewDict("a", 1), "l": []any{"a"}}
		if got, _, err := tmpl.Render(v); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %q, %v, want %q", c.src, got, err, c.want)
		}
	}
	tmpl, _ := Parse("{{ x }}")
	if _, _, err := tmpl.Render(Values{"x": map[string]any{}}); err == nil || !strings.Contains(err.Error(), "x: a value of the Go type map[string]interface") {
		t.Errorf("a Go map: %v", err)
	}
	var deep any = "x"
	for range 300 {
		deep = []any{deep}
	}
	if _, _, err := tmpl.Render(Values{"x": deep}); err == nil || !strings.Contains(err.Error(), "nested more than 200 deep") {
		t.Errorf("deep data: %v", err)
	}
}

// TestBounds runs templates that would never end or fill the memory.
func TestBounds(t *testing.T) {
	for _, src := range []string{
		"{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
		"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
		"{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
		"{{ 'a' * 10**12 }}",
		"{{ [1] * 10**12 }}",
		"{{ 'a'.ljust(10**12) }}",
		"{{ 'a'.zfill(10**12) }}",
		"{{ 'a'|center(10**12) }}",
		"{{ 'a'|indent(10**6)|indent(10**6, true) * 1000 }}",
		"{{ '%999999d' % 1 * 1000000 }}",
		"{{ '%9999999d' % 1 }}",
		"{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(100) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
		"{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(100) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
		"{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(100) %}{% set ns.x = ns.x.replace('a', ns.x) %}{% endfor %}",
		"{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(100) %}{% set ns.x = [ns.x, ns.x]|join(ns.x) %}{% endfor %}",
		"{% set ns = namespace(x=[1]) %}{% for i in range(100) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
		"{% set ns = namespace(x=[1]) %}{% for i in range(100) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
		"{% set ns = namespace(x=[1]) %}{% for i in range(100) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x|tojson }}",
		"{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(100) %}{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
		"{% set ns = namespace(x=1) %}{% for i in range(10000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
		"{% set ns = namespace(x=1) %}{% for i in range(10000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x == [ns.x] }}",
		"{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}",
		"{% set ns = namespace(x=[1]) %}{% for i in range(1000) %}{% set ns.x = ns.x|map('string') %}{% endfor %}{% for i in range(100000) %}{{ ns.x|list }}{% endfor %}",
		"{% set x = 'a' * 1000000 %}{% for i in range(100000) %}{% if 'b' in x %}{% endif %}{% endfor %}",
		"{% set x = 'a' * 1000000 %}{% for i in range(100000) %}{{ x[-1] }}{% endfor %}",
		"{% set x = 'a' * 1000000 %}{% for i in range(100000) %}{% set y = x|length %}{% endfor %}",
		"{% set x = 'a' * 1000000 %}{% for i in range(100000) %}{% set y = x.find('b') %}{% endfor %}",
		"{% set x = 'a' * 1000000 %}{% for i in range(100000) %}{% set y = x == 'a' * 1000000 %}{% endfor %}",
	} {
		tmpl, err := Parse(src)
		if err != nil {
			t.Errorf("%q: %v", src, err)
			continue
		}
		tmpl.MaxSteps, tmpl.MaxBytes = 200_000, 16<<20
		if _, _, err := tmpl.Render(nil); err == nil {
			t.Errorf("%.80q ended well", src)
		}
	}
}

func TestDict(t *testing.T) {
	d := NewDict("b", 1, "a", 2)
	d.Set("b", 3)
	if x, ok := d.Get("b"); !ok || x != 3 || d.Len() != 2 || !slices.Equal(d.keys, []any{"b", "a"}) {
		t.Errorf("%v of %v", d.values, d.keys)
	}
	for _, c := range []struct{ src, want string }{
		{`{"a": 1`, "EOF"},
		{`[] []`, "more than one document"},
		{strings.Repeat("[", 1000), "nested more than 200 deep"},
		{`{"a" 1}`, "JSON at byte"},
	} {
		if _, err := DecodeJSON([]byte(c.src)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.src, err, c.want)
		}
	}
}

// A filter or a test that is not known is an error where it is reached, and no earlier where a
// condition decides that: what transformers 5.24 (Jinja 3.1.6) renders, "!": it does not.
func TestUnknownWhereReached(t *testing.T) {
	for src, want := range map[string]string{
		"{{ 'a' }}{% if x %}{{ y | from_json }}{% endif %}":                                        "a",
		"{{ 'a' }}{{ y | from_json }}":                                                             "!",
		"{% if x is nosuch %}a{% endif %}":                                                         "!",
		"{% if false %}{{ x is nosuch }}{% endif %}b":                                              "b",
		"{% if false %}{{ nosuch(1) }}{% endif %}b":                                                "b",
		"{{ nosuch(1) }}":                                                                          "!",
		"{{ (y | from_json) if x else 'c' }}":                                                      "c",
		"{{ 1 if x is nosuch else 2 }}":                                                            "!",
		"{{ 'd' if true else y | nosuch }}":                                                        "d",
		"{% filter nosuch %}x{% endfilter %}":                                                      "!",
		"{% if false %}{% filter nosuch %}x{% endfilter %}{% endif %}c":                            "!",
		"{% if false %}{{ ['a'] | map('nosuch') | list }}{% endif %}c":                             "c",
		"{{ x is defined and y is nosuch }}":                                                       "!",
		"{% set f %}{{ y|nosuch }}{% endset %}e":                                                   "!",
		"{% macro m() %}{{ y|nosuch }}{% endmacro %}f":                                             "!",
		"{% if false %}{% for a in [1] %}{{ y|nosuch }}{% endfor %}{% endif %}x":                   "!",
		"{% if false %}{% for a in y|nosuch %}{% endfor %}{% endif %}x":                            "x",
		"{% for a in [1] %}{% if false %}{{ y|nosuch }}{% endif %}{% endfor %}x":                   "x",
		"{% for a in [1] if a is nosuch %}{% endfor %}":                                            "!",
		"{% if false %}{% set z = y|nosuch %}{% endif %}x":                                         "x",
		"{% if false %}{% generation %}{{ y|nosuch }}{% endgeneration %}{% endif %}x":              "!",
		"{% if false %}{% with a=y|nosuch %}{% endwith %}{% endif %}x":                             "x",
		"{% if false %}{% with a=1 %}{{y|nosuch}}{% endwith %}{% endif %}x":                        "!",
		"{% if true %}a{% elif y|nosuch %}{% else %}{{y|nosuch}}{% endif %}x":                      "ax",
		"{{ [1 if true else y|nosuch, 2] }}":                                                       "[1, 2]",
		"{% if true %}{% if false %}{{ y|nosuch }}{% endif %}{{ 1 if true else y|no }}{% endif %}": "1",
	} {
		tmpl, err := Parse(src)
		got := "!"
		if err == nil {
			if got, _, err = tmpl.Render(Values{"y": "q"}); err != nil {
				got = "!"
			}
		}
		if got != want {
			t.Errorf("%q: %q, want %q; %v", src, got, want, err)
		}
	}
}
