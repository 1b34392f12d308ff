// Package template renders chat templates: the Jinja programs in a model's
// tokenizer_config.json that write a conversation as one text.
//
// It implements the part of Jinja 3.1 that chat templates use, with the settings of
// Hugging Face's transformers (trim_blocks, lstrip_blocks, loop controls, its own
// tojson, {% generation %}), and gives the same text. What is not supported is an error
// with the line, when the template is parsed or, where that depends on the data, when it
// is reached: include, import, extends, block, autoescape, recursive loops, filters that
// make HTML.
//
// Templates come from the makers of models and are not trusted. A template can read the
// variables that it is given and nothing else; its steps, its depth and the size of its
// text are limited.
//
// Known differences: integers have 64 bits (greater ones in the data can be printed but
// not computed with); upper and lower map character by character, so that "ß" is kept.
package template

import (
	"fmt"
	"strings"
	"time"
)

// Template is a parsed template. It is safe for concurrent use as long as its fields do
// not change.
type Template struct {
	Now      func() time.Time // the clock of strftime_now; nil: time.Now
	MaxSteps int64            // nodes evaluated and items visited; 0: 10 million
	MaxBytes int64            // text and lists made, output and what leads to it together; 0: 256 MiB

	body  []node
	frame frame
	slots int // of the outermost function
	free  []string
}

// maxSource is the greatest size of a template in bytes. The longest known ones have 40,000.
const maxSource = 1 << 20

// Values are the variables of a template by name: messages, tools,
// add_generation_prompt, bos_token and others. The values may be nil, bool, int, int64,
// float64, string, []any and [*Dict], nested to any depth.
type Values map[string]any

// Span is a half-open range of bytes of the rendered text.
type Span struct{ Start, End int }

// Error is a fault of a template or of its data (exit code 2).
type Error struct {
	Line    int // from 1; 0 if it is of no line
	Message string
	Raised  bool // by the template itself, with raise_exception
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return "template: " + e.Message
	}
	return fmt.Sprintf("template: line %d: %s", e.Line, e.Message)
}

// Parse reads a template. Its error is an [*Error] with the line. An unknown filter or test
// that is reached only under a condition is an error of Render.
func Parse(src string) (t *Template, err error) {
	defer catch(&err)
	if len(src) > maxSource {
		fail(0, "%d bytes; the most is %d", len(src), maxSource)
	}
	tokens := lex(src)
	p := &parser{tokens: tokens}
	body := p.statements(nil)
	if len(p.unknown) > 0 {
		panic(p.unknown[0])
	}
	t = &Template{body: body}
	t.frame, t.slots, t.free = resolve(body)
	return t, nil
}

// Variables lists the names that the template reads and does not set itself.
func (t *Template) Variables() []string { return t.free }

// Render gives the text for v, and the spans of it that are in generation blocks: the text
// that the model is trained to write. Its error is an [*Error] with the line.
func (t *Template) Render(v Values) (text string, generated []Span, err error) {
	defer catch(&err)
	r := &renderer{now: t.Now, steps: t.MaxSteps, bytes: t.MaxBytes, globals: make(map[string]any, len(v))}
	if r.now == nil {
		r.now = time.Now
	}
	if r.steps == 0 {
		r.steps = 10_000_000
	}
	if r.bytes == 0 {
		r.bytes = 256 << 20
	}
	for name, x := range v {
		r.globals[name] = r.adopt(x, name, 0)
	}
	r.out = &strings.Builder{}
	act := newActivation(t.slots, nil)
	r.enter(t.frame, act)
	r.exec(t.body, act)
	return r.out.String(), r.generated, nil
}

// catch turns the panic by which parser and renderer return from deep recursion into an
// error.
func catch(err *error) {
	if x := recover(); x != nil {
		e, ok := x.(*Error)
		if !ok {
			panic(x)
		}
		*err = e
	}
}

// fail ends parsing or rendering.
func fail(line int, format string, args ...any) {
	panic(&Error{Line: line, Message: fmt.Sprintf(format, args...)})
}
