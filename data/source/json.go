package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
)

// jsonReader reads JSON objects: one a line, one after the other over several
// lines, or the elements of one array.
type jsonReader struct {
	in     io.Reader
	lines  *lineReader // nil until the form is known
	values *valueReader
	root   *shape
	record int64
	line   int64 // of the object that was read
}

func newJSONReader(in io.Reader, root *shape) *jsonReader {
	return &jsonReader{in: in, root: root}
}

func (j *jsonReader) columns() []Column {
	if j.root == nil {
		return nil
	}
	list := make([]Column, len(j.root.names))
	for i, name := range j.root.names {
		t := j.root.fields[i].resolve(0)
		list[i] = Column{Name: name, Type: typeName(t), Nullable: true, arrow: t}
	}
	return list
}

func (j *jsonReader) count() int64 { return -1 }
func (j *jsonReader) close() error { return nil }

// typeName names an Arrow type as arrowField.kind does.
func typeName(t arrow.DataType) string {
	switch t := t.(type) {
	case *arrow.StructType:
		var s []string
		for _, f := range t.Fields() {
			s = append(s, f.Name+": "+typeName(f.Type))
		}
		return "struct<" + strings.Join(s, ", ") + ">"
	case *arrow.LargeListType:
		return "large_list<" + typeName(t.Elem()) + ">"
	case *arrow.FixedSizeListType:
		return "fixed_size_list<" + typeName(t.Elem()) + ">"
	case arrow.ListLikeType:
		return "list<" + typeName(t.Elem()) + ">"
	}
	if t == nil {
		return "unknown"
	}
	if t.ID() == arrow.LARGE_STRING {
		return "large_utf8"
	}
	return t.Name()
}

// read returns the text of the next object, and where it begins.
func (j *jsonReader) read(s *Scanner) ([]byte, string, error) {
	if j.lines == nil && j.values == nil {
		j.begin(s)
	}
	for {
		var b []byte
		var err error
		var line int64
		if j.lines != nil {
			b, err = j.lines.next()
			line = j.lines.line
		} else {
			b, line, err = j.values.next()
		}
		if err == io.EOF {
			return nil, "", err
		}
		if err == nil {
			if b = bytes.TrimSpace(b); len(b) == 0 {
				continue
			}
		}
		j.record++
		j.line = line
		where := fmt.Sprintf("line %d", line)
		if err != nil {
			return nil, where, fmt.Errorf("%s: %w", where, err)
		}
		switch {
		case !utf8.Valid(b):
			err = errInvalidUTF8
		case !json.Valid(b):
			if c := withoutNaN(b); json.Valid(c) {
				b = c
				break
			}
			err = json.Unmarshal(b, new(json.RawMessage))
			var at *json.SyntaxError
			if errors.As(err, &at) {
				err = fmt.Errorf("byte %d: %w", at.Offset, err)
			}
		case b[0] != '{':
			err = errors.New("a value that is not an object")
		}
		if err != nil {
			return nil, where, &recordError{fmt.Errorf("%s: %w", where, err)}
		}
		return b, where, nil
	}
}

// begin determines the form: one object per line, unless the text begins with an array, or
// with an object that goes beyond its first line.
func (j *jsonReader) begin(s *Scanner) {
	l := newLineReader(j.in, s.table.opt.bound())
	head, _ := l.r.Peek(1 << 16)
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n")
	first, _, whole := bytes.Cut(head, []byte("\n"))
	name := strings.ToLower(s.table.Path)
	for _, e := range []string{".gz", ".zst", ".zstd"} {
		name = strings.TrimSuffix(name, e)
	}
	lines := filepath.Ext(name) == ".jsonl" || filepath.Ext(name) == ".ndjson"
	if s.table.opt.Rows != "" {
		j.values = &valueReader{lines: l, path: strings.Split(s.table.opt.Rows, ".")}
		return
	}
	if bytes.HasPrefix(first, []byte("[")) || !lines && whole && !json.Valid(first) {
		j.values = &valueReader{lines: l}
		return
	}
	j.lines = l
}

// infer reads all of the file to find the columns and their types.
func (j *jsonReader) infer(ctx context.Context, s *Scanner) error {
	left := maxShapes
	j.root = &shape{left: &left}
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		b, _, err := j.read(s)
		if err == io.EOF {
			break
		}
		var fault *recordError
		if errors.As(err, &fault) && s.table.opt.Skips != nil {
			continue // counted when it is read
		}
		if err != nil {
			return err
		}
		j.root.see(b, 0)
		if j.root.wide {
			return fmt.Errorf("more than %d columns", maxFields)
		}
	}
	if len(j.root.names) == 0 {
		return errors.New("no objects with members")
	}
	s.table.shape = j.root
	return nil
}

func (j *jsonReader) next(s *Scanner) (*Batch, error) {
	b := newRowBuilder(s)
	// The selected column of each column of the file.
	to := make([]int, len(j.root.names))
	for i := range to {
		to[i] = -1
	}
	for i, c := range s.selected {
		to[c] = i
	}
	cells := make([][]byte, len(s.selected))
	for !b.full() {
		text, where, err := j.read(s)
		if err == io.EOF {
			if b.rows == 0 {
				return nil, io.EOF
			}
			break
		}
		if err != nil {
			var fault *recordError
			if !errors.As(err, &fault) {
				return nil, err
			}
			if err := s.skip(err); err != nil {
				return nil, err
			}
			continue
		}
		clear(cells)
		known := true
		eachMember(text, func(key, value []byte) {
			i, ok := j.root.index[unquote(key)]
			if known = known && ok; ok && to[i] >= 0 {
				cells[to[i]] = value // the last of several wins
			}
		})
		if !known {
			return nil, fmt.Errorf("%s: the file changed while it was read", where)
		}
		for i, c := range s.selected {
			if err := appendJSON(b.Field(i), cells[i], j.root.fields[c]); err != nil {
				return nil, fmt.Errorf("%s: column %q: %w", where, j.root.names[c], err)
			}
		}
		if b.whole != nil {
			for _, p := range s.texts {
				if v := cells[p.at]; len(p.path) == 0 && len(v) > 0 && v[0] != '"' && v[0] != 'n' {
					return nil, fmt.Errorf("%s: column %q: %.40s is not a string", where, p.column.Name, v)
				}
			}
			b.whole.objects = append(b.whole.objects, bytes.Clone(text))
			b.whole.lines = append(b.whole.lines, j.line)
		}
		b.bytes += len(text)
		b.rows++
	}
	return b.batch(), nil
}

// valueReader finds the ends of values that stand one after the other, or in one
// array, over any number of lines.
type valueReader struct {
	lines *lineReader
	line  []byte // what is left of the line
	buf   []byte
	path  []string // of the array, through objects; nil: it is not in one
	array bool
	ended bool
}

func (v *valueReader) next() (value []byte, line int64, err error) {
	if len(v.path) > 0 && !v.array {
		if err := v.enter(); err != nil {
			return nil, v.lines.line, err
		}
	}
	if v.ended {
		return v.rest()
	}
	v.buf = v.buf[:0]
	depth, quoted, escaped := 0, false, false
	for {
		for i, c := range v.line {
			switch {
			case escaped:
				escaped = false
			case quoted:
				escaped = c == '\\'
				quoted = c != '"'
			case c == '"':
				quoted = true
			case c == '[' && !v.array && depth == 0 && line == 0:
				v.array = true
				v.line = v.line[i+1:]
				return v.next() // this once
			case c == '{' || c == '[':
				depth++
			case c == '}' || c == ']':
				depth--
			}
			if line == 0 && c != ' ' && c != '\t' {
				line = v.lines.line
			}
			if quoted || depth > 0 {
				continue
			}
			end := i
			switch {
			case v.array && c == ']' && depth < 0:
				v.ended = true
			case v.array && c == ',':
			case depth < 0, !v.array && (c == '}' || c == ']'):
				end++ // the bracket belongs to the value
			default:
				continue
			}
			v.buf = append(v.buf, v.line[:end]...)
			v.line = v.line[i+1:]
			if len(bytes.TrimSpace(v.buf)) == 0 {
				if v.ended {
					return v.rest()
				}
				return []byte{c}, line, nil // an error, as text
			}
			return v.buf, line, nil
		}
		if len(v.buf) > 0 || len(bytes.TrimSpace(v.line)) > 0 {
			v.buf = append(append(v.buf, v.line...), '\n')
		}
		if len(v.buf) > v.lines.most.record() {
			return nil, line, v.lines.most.errRecord()
		}
		v.line, err = v.lines.next()
		if err == io.EOF {
			if v.array || len(bytes.TrimSpace(v.buf)) > 0 {
				return nil, line, errors.New("truncated: the value does not end")
			}
			return nil, 0, io.EOF
		}
		if err != nil {
			return nil, v.lines.line, err
		}
	}
}

// rest refuses text after an array.
func (v *valueReader) rest() ([]byte, int64, error) {
	if err := v.leave(); err != nil {
		return nil, v.lines.line, err
	}
	for {
		if len(bytes.TrimSpace(v.line)) > 0 {
			return nil, v.lines.line, errors.New("text after the end of the array")
		}
		var err error
		if v.line, err = v.lines.next(); err != nil {
			return nil, v.lines.line, err
		}
	}
}

// maxFields is the greatest number of columns of a file, maxMembers that of members of an
// object in a column (an object with more is a map, kept as JSON text), and maxShapes that
// of all of them, at any depth.
const (
	maxFields  = 4096
	maxMembers = 256
	maxShapes  = 1 << 16
)

const (
	sawBool = 1 << iota
	sawInt
	sawFloat
	sawText
	sawList
	sawObject
)

// shape records the kinds of values of a column.
type shape struct {
	saw    uint8
	elem   *shape // of lists
	names  []string
	fields []*shape
	index  map[string]int
	wide   bool
	left   *int // how many more there may be
}

func (s *shape) new() *shape {
	*s.left--
	return &shape{left: s.left}
}

// see records a value of valid JSON.
func (s *shape) see(v []byte, depth int) {
	switch v[0] {
	case 'n':
	case 't', 'f':
		s.saw |= sawBool
	case '"':
		s.saw |= sawText
	case '[':
		s.saw |= sawList
		if s.elem == nil && *s.left <= 0 {
			s.saw |= sawText
			return
		}
		if s.elem == nil {
			s.elem = s.new()
		}
		if depth < maxDepth {
			eachElement(v, func(e []byte) { s.elem.see(e, depth+1) })
		}
	case '{':
		s.saw |= sawObject
		if depth >= maxDepth || s.wide {
			return
		}
		eachMember(v, func(key, value []byte) {
			i, ok := s.index[string(key[1:len(key)-1])] // no allocation where there is no escape
			if !ok || bytes.IndexByte(key, '\\') >= 0 {
				name := unquote(key)
				if i, ok = s.index[name]; !ok {
					if depth > 0 && (len(s.names) == maxMembers || *s.left <= 0) || len(s.names) == maxFields {
						s.wide = true
						return
					}
					if s.index == nil {
						s.index = map[string]int{}
					}
					i = len(s.names)
					s.index[name] = i
					s.names = append(s.names, name)
					s.fields = append(s.fields, s.new())
				}
			}
			s.fields[i].see(value, depth+1)
		})
	default:
		if _, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			s.saw |= sawInt
		} else if bytes.ContainsAny(v, ".eE") {
			s.saw |= sawFloat
			if f, err := strconv.ParseFloat(string(v), 64); err != nil || math.IsInf(f, 0) {
				s.saw |= sawText
			}
		} else {
			s.saw |= sawInt | sawText // beyond 64 bits: kept as digits
		}
	}
}

// resolve returns a type for all the values: text where they are of several kinds, and JSON
// text where lists or objects are among them.
func (s *shape) resolve(depth int) arrow.DataType {
	switch {
	case s.saw == sawBool:
		return arrow.FixedWidthTypes.Boolean
	case s.saw == sawInt:
		return arrow.PrimitiveTypes.Int64
	case s.saw == sawFloat, s.saw == sawInt|sawFloat:
		return arrow.PrimitiveTypes.Float64
	case s.saw == sawList && depth < maxDepth:
		return arrow.ListOfField(arrow.Field{Name: "item", Type: s.elem.resolve(depth + 1), Nullable: true})
	case s.saw == sawObject && depth < maxDepth && !s.wide && len(s.names) > 0:
		fields := make([]arrow.Field, len(s.names))
		for i, n := range s.names {
			fields[i] = arrow.Field{Name: n, Type: s.fields[i].resolve(depth + 1), Nullable: true}
		}
		return arrow.StructOf(fields...)
	}
	return arrow.BinaryTypes.String
}

// appendJSON appends a value of valid JSON, nil: null.
func appendJSON(b array.Builder, v []byte, s *shape) error {
	if len(v) == 0 || v[0] == 'n' && s.saw&(sawList|sawObject) == 0 || string(v) == "null" {
		b.AppendNull()
		return nil
	}
	changed := errors.New("the file changed while it was read")
	switch b := b.(type) {
	case *array.StringBuilder:
		switch {
		case v[0] == '"' && s.saw&(sawList|sawObject) == 0:
			b.Append(unquote(v))
		default:
			b.Append(string(v))
		}
	case *array.BooleanBuilder:
		b.Append(v[0] == 't')
	case *array.Int64Builder:
		n, err := strconv.ParseInt(string(v), 10, 64)
		if err != nil {
			return changed
		}
		b.Append(n)
	case *array.Float64Builder:
		f, err := strconv.ParseFloat(string(v), 64)
		if err != nil {
			return changed
		}
		b.Append(f)
	case *array.ListBuilder:
		if v[0] != '[' {
			return changed
		}
		b.Append(true)
		var err error
		eachElement(v, func(e []byte) {
			if err == nil {
				err = appendJSON(b.ValueBuilder(), e, s.elem)
			}
		})
		return err
	case *array.StructBuilder:
		if v[0] != '{' {
			return changed
		}
		b.Append(true)
		cells := make([][]byte, len(s.names))
		eachMember(v, func(key, value []byte) {
			if i, ok := s.index[unquote(key)]; ok {
				cells[i] = value
			}
		})
		for i, c := range cells {
			if err := appendJSON(b.FieldBuilder(i), c, s.fields[i]); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("no column of type %s", b.Type())
	}
	return nil
}

// eachMember calls f for the members of an object of valid JSON; the keys are
// still quoted.
func eachMember(v []byte, f func(key, value []byte)) {
	i := skipSpace(v, 1)
	for v[i] != '}' {
		end := skipValue(v, i)
		key := v[i:end]
		i = skipSpace(v, end) // the colon
		i = skipSpace(v, i+1) // the value
		end = skipValue(v, i) //
		f(key, v[i:end:end])  //
		i = skipSpace(v, end) // a comma, or the end
		if v[i] == ',' {
			i = skipSpace(v, i+1)
		}
	}
}

// eachElement calls f for the elements of an array of valid JSON.
func eachElement(v []byte, f func(value []byte)) {
	i := skipSpace(v, 1)
	for v[i] != ']' {
		end := skipValue(v, i)
		f(v[i:end:end])
		i = skipSpace(v, end)
		if v[i] == ',' {
			i = skipSpace(v, i+1)
		}
	}
}

func skipSpace(v []byte, i int) int {
	for v[i] == ' ' || v[i] == '\t' || v[i] == '\n' || v[i] == '\r' {
		i++
	}
	return i
}

// skipValue returns the end of the value of valid JSON that begins at i.
func skipValue(v []byte, i int) int {
	switch v[i] {
	case '"':
		for i++; v[i] != '"'; i++ {
			if v[i] == '\\' {
				i++
			}
		}
		return i + 1
	case '{', '[':
		for depth := 0; ; {
			switch v[i] {
			case '"':
				i = skipValue(v, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
	}
	for i < len(v) && strings.IndexByte(",]} \t\r\n", v[i]) < 0 {
		i++
	}
	return i
}

// unquote decodes a string of valid JSON. Half of a surrogate pair becomes
// U+FFFD, as in encoding/json.
func unquote(v []byte) string {
	inner := v[1 : len(v)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	var s string
	if json.Unmarshal(v, &s) != nil {
		return string(inner) // not for valid JSON
	}
	return s
}
