package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// DecodeJSON reads one JSON document as values for a template: objects become
// dictionaries that keep the order of their keys. Errors mean that the document is wrong
// (exit code 2).
func DecodeJSON(src []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(src))
	d.UseNumber()
	x, err := decode(d, 0)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("more than one document")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("template: JSON at byte %d: %w", d.InputOffset(), err)
	}
	return x, nil
}

func decode(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested more than %d deep", maxDepth)
	}
	t, err := d.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '[' {
			list := []any{}
			for d.More() {
				x, err := decode(d, depth+1)
				if err != nil {
					return nil, err
				}
				list = append(list, x)
			}
			_, err := d.Token()
			return list, err
		}
		dict := &Dict{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			x, err := decode(d, depth+1)
			if err != nil {
				return nil, err
			}
			dict.Set(key.(string), x)
		}
		_, err := d.Token()
		return dict, err
	case json.Number:
		if strings.ContainsAny(t.String(), ".eE") {
			f, err := t.Float64()
			if math.IsInf(f, 0) {
				return f, nil // as Python reads 1e999
			}
			return f, err
		}
		if i, err := t.Int64(); err == nil {
			return i, nil
		}
		b, ok := new(big.Int).SetString(t.String(), 10)
		if !ok {
			return nil, fmt.Errorf("number %s", t)
		}
		return b, nil
	}
	return t, nil
}

// jsonWriter writes JSON as Python's json.dumps does.
type jsonWriter struct {
	*renderer
	b          strings.Builder
	line       int
	ascii      bool
	sort       bool
	indent     string
	indented   bool
	item, pair string
}

func (r *renderer) tojson(c *call, x any, a []any) any {
	w := &jsonWriter{renderer: r, line: c.line, ascii: c.bool(a[0], false), sort: c.bool(a[3], false), item: ", ", pair: ": "}
	switch v := a[1].(type) {
	case nil:
	case string:
		w.indent, w.indented = v, true
	default:
		if v != missing {
			n := c.int(v, 0)
			w.indent, w.indented = r.repeat(c.line, " ", int(max(0, min(n, 1<<20)))), true
		}
	}
	if w.indented {
		w.item = ","
	}
	if a[2] != missing && a[2] != nil {
		s := r.list(c.line, a[2])
		if len(s) != 2 {
			fail(c.line, "tojson: separators are two strings")
		}
		w.item, w.pair = c.string(s[0], ""), c.string(s[1], "")
	}
	w.value(x, 0)
	return w.b.String()
}

func (w *jsonWriter) newline(depth int) {
	if w.indented {
		w.made(w.line, 1+depth*len(w.indent))
		w.b.WriteByte('\n')
		for range depth {
			w.b.WriteString(w.indent)
		}
	}
}

func (w *jsonWriter) value(x any, depth int) {
	if depth > maxDepth {
		fail(w.line, "tojson: nested more than %d deep", maxDepth)
	}
	w.step(w.line)
	w.made(w.line, 8)
	switch x := x.(type) {
	case nil:
		w.b.WriteString("null")
	case bool:
		w.b.WriteString(strconv.FormatBool(x))
	case int64:
		w.b.WriteString(strconv.FormatInt(x, 10))
	case *big.Int:
		s := x.String()
		w.made(w.line, len(s))
		w.b.WriteString(s)
	case float64:
		w.b.WriteString(jsonFloat(x))
	case string:
		w.string(x)
	case markup:
		w.string(string(x))
	case []any:
		w.list(x, depth)
	case tuple:
		w.list(x, depth)
	case *group:
		w.list([]any{x.key, x.items}, depth)
	case *Dict:
		w.dict(x, depth)
	default:
		w.defined(w.line, x)
		fail(w.line, "tojson: a %s is not JSON", typeName(x))
	}
}

func jsonFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return floatText(f)
}

func (w *jsonWriter) list(list []any, depth int) {
	if len(list) == 0 {
		w.b.WriteString("[]")
		return
	}
	w.b.WriteByte('[')
	for i, x := range list {
		if i > 0 {
			w.b.WriteString(w.item)
		}
		w.newline(depth + 1)
		w.value(x, depth+1)
	}
	w.newline(depth)
	w.b.WriteByte(']')
}

func (w *jsonWriter) dict(d *Dict, depth int) {
	if len(d.keys) == 0 {
		w.b.WriteString("{}")
		return
	}
	items := w.items(w.line, d)
	if w.sort {
		items = w.sorted(&call{r: w.renderer, line: w.line}, items, false, func(x any) any { return x.(tuple)[0] })
	}
	w.b.WriteByte('{')
	for i, pair := range items {
		if i > 0 {
			w.b.WriteString(w.item)
		}
		w.newline(depth + 1)
		switch k := pair.(tuple)[0].(type) {
		case string:
			w.string(k)
		case markup:
			w.string(string(k))
		case nil:
			w.string("null")
		case bool:
			w.string(strconv.FormatBool(k))
		case int64:
			w.string(strconv.FormatInt(k, 10))
		case float64:
			w.string(jsonFloat(k))
		default:
			fail(w.line, "tojson: a %s as a key", typeName(k))
		}
		w.b.WriteString(w.pair)
		w.value(pair.(tuple)[1], depth+1)
	}
	w.newline(depth)
	w.b.WriteByte('}')
}

func (w *jsonWriter) string(s string) {
	w.made(w.line, len(s)+2)
	b := &w.b
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\b':
			b.WriteString(`\b`)
		case c == '\f':
			b.WriteString(`\f`)
		case c < ' ' || w.ascii && c >= 0x7f && c < 0x10000 && c != 0x7f:
			fmt.Fprintf(b, `\u%04x`, c)
		case w.ascii && c >= 0x10000:
			fmt.Fprintf(b, `\u%04x\u%04x`, 0xd800+(c-0x10000)>>10, 0xdc00+(c-0x10000)&0x3ff)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
}
