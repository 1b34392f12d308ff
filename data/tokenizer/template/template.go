// Package template renders chat templates: the Jinja programs in a model's
// tokenizer_config.json that write a conversation as one text.
//
// It is the part of Jinja 3.1 that chat templates use, under the settings of
// Hugging Face's transformers (trim_blocks, lstrip_blocks, loop controls, its own
// tojson, {% generation %}), and renders what they render. What is left out is
// named by an error with its line when the template is parsed, or, where only the
// data can tell, when it is reached: include, import, extends, block, autoescape,
// recursive loops, filters that make HTML.
//
// A template comes from whoever made the model. It can read what it is given and
// nothing else, and its steps, its depth and the text that it makes are bounded.
//
// Known differences: integers are of 64 bits (greater ones in the data can be
// printed, not computed with); upper and lower map character by character, so
// that "ß" stays.
package template

import (
	"fmt"
	"strings"
	"time"
)

// Template is a parsed template. It is safe for concurrent use as long as its
// fields stay.
type Template struct {
	Now      func() time.Time // the clock of strftime_now; nil: time.Now
	MaxSteps int64            // nodes evaluated and items visited; 0: 10 million
	MaxBytes int64            // text and lists made, output and what leads to it together; 0: 256 MiB

	body  []node
	frame frame
	slots int // of the outermost function
}

// maxSource bounds a template's source, in bytes. The longest known are of 40,000.
const maxSource = 1 << 20

// Values are the variables that a template sees, by name: messages, tools,
// add_generation_prompt, bos_token and what else the caller knows. Allowed are
// nil, bool, int, int64, float64, string, []any and [*Dict], nested at will.
type Values map[string]any

// Span is a half-open range of bytes of the rendered text.
type Span struct{ Start, End int }

// Error is a fault of a template, or of its data.
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

// Parse reads a template. The error names the line and what is unknown there; a filter or a
// test that a condition may keep from being reached is a fault of Render.
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
	t.frame, t.slots = resolve(body)
	return t, nil
}

// Render gives the text for v, and the spans of it that stood in generation
// blocks: what the model is to learn to say.
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

// catch turns the panic by which the parser and the renderer leave a deep nest of
// calls into an error.
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
