package source

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/parquet-go/parquet-go"
)

const dottedRows = `{"doc": {"text": "one", "by": {"name": "x"}}, "doc.title": "top", "score": NaN}
{"doc": null, "doc.title": "a", "score": 1.5}
{"doc": {"text": null, "title": "hidden"}, "doc.title": null, "score": -Infinity}
{"doc": {"text": "NaN four", "by": null}, "score": 2}
`

// scanColumn reads a column as texts, nil for null.
func scanColumn(t *testing.T, path string, opt Options, names ...string) (rows [][]any) {
	t.Helper()
	table, err := Describe(context.Background(), path, opt)
	if err != nil {
		t.Fatal(err)
	}
	s, err := table.Scan(context.Background(), names...)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for {
		b, err := s.Next()
		if err != nil {
			return rows
		}
		for r := range b.Rows {
			var row []any
			for c := range names {
				if v, ok := b.Text(c, r); ok {
					row = append(row, strings.Clone(v))
				} else {
					row = append(row, nil)
				}
			}
			rows = append(rows, row)
		}
	}
}

func writeArrow(t *testing.T, path string, rec arrow.Record, opts ...ipc.Option) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := ipc.NewFileWriter(f, append(opts, ipc.WithSchema(rec.Schema()))...)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(rec); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestFields reads fields of structs by dotted names, of every format that has structs:
// twice of one column, below a null, and not where a column has that name.
func TestFields(t *testing.T) {
	dir := t.TempDir()
	paths := []string{filepath.Join(dir, "x.jsonl"), filepath.Join(dir, "x.arrow"), filepath.Join(dir, "x.parquet")}
	if err := os.WriteFile(paths[0], []byte(dottedRows), 0o644); err != nil {
		t.Fatal(err)
	}
	by := arrow.StructOf(arrow.Field{Name: "name", Type: arrow.BinaryTypes.String, Nullable: true})
	doc := arrow.StructOf(arrow.Field{Name: "text", Type: arrow.BinaryTypes.String, Nullable: true}, arrow.Field{Name: "by", Type: by, Nullable: true}, arrow.Field{Name: "title", Type: arrow.BinaryTypes.String, Nullable: true})
	schema := arrow.NewSchema([]arrow.Field{{Name: "doc", Type: doc, Nullable: true}, {Name: "doc.title", Type: arrow.BinaryTypes.String, Nullable: true}}, nil)
	rows := `[{"doc": {"text": "one", "by": {"name": "x"}}, "doc.title": "top"}, {"doc": {"text": "under a null", "by": {"name": "y"}}, "doc.title": "a"},
		{"doc": {"text": null, "title": "hidden"}, "doc.title": null}, {"doc": {"text": "NaN four", "by": null}}]`
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(rows))
	if err != nil {
		t.Fatal(err)
	}
	// As pyarrow writes it: values are there below the null.
	d := rec.Column(0).Data()
	buffers := []*memory.Buffer{memory.NewBufferBytes([]byte{0b1101})}
	masked := array.MakeFromData(array.NewData(doc, d.Len(), buffers, d.Children(), 1, 0))
	rec = array.NewRecord(schema, []arrow.Array{masked, rec.Column(1)}, 4)
	writeArrow(t, paths[1], rec)
	type who struct {
		Name *string `parquet:"name,optional"`
	}
	type document struct {
		Text  *string `parquet:"text,optional"`
		By    *who    `parquet:"by,optional"`
		Title *string `parquet:"title,optional"`
	}
	type row struct {
		Doc   *document `parquet:"doc,optional"`
		Title *string   `parquet:"doc.title,optional"`
	}
	s := func(s string) *string { return &s }
	if err := parquet.WriteFile(paths[2], []row{
		{&document{s("one"), &who{s("x")}, nil}, s("top")}, {nil, s("a")}, {&document{nil, nil, s("hidden")}, nil}, {&document{s("NaN four"), nil, nil}, nil},
	}); err != nil {
		t.Fatal(err)
	}
	want := [][]any{{"one", "x", "top", "one"}, {nil, nil, "a", nil}, {nil, nil, nil, nil}, {"NaN four", nil, nil, "NaN four"}}
	names := []string{"doc.text", "doc.by.name", "doc.title", "doc.text"}
	for _, path := range paths {
		if got := scanColumn(t, path, Options{}, names...); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	// At random too.
	a, err := Open(paths[1])
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := a.Select(names...); err != nil {
		t.Fatal(err)
	}
	for i, w := range want {
		b, r, err := a.Row(int64(i))
		if err != nil {
			t.Fatal(err)
		}
		for c := range names {
			if v, ok := b.Text(c, r); ok != (w[c] != nil) || ok && v != w[c] {
				t.Errorf("row %d, %s: %q %v, want %v", i, names[c], v, ok, w[c])
			}
		}
	}
	// Numbers that JSON lacks are missing, or text.
	if got, want := scanColumn(t, paths[0], Options{}, "score"), [][]any{{nil}, {"1.5"}, {"-Infinity"}, {"2"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("score: %q, want %q", got, want)
	}
	table, err := Describe(context.Background(), paths[0], Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"doc.body": `no column "doc.body"`, "doc.text.x": "no column", "text": "no column"} {
		if _, err := table.Scan(context.Background(), name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	c, err := table.Column("doc")
	if err != nil || c.NotText() == nil || !strings.Contains(c.NotText().Error(), "struct<") || !strings.Contains(c.NotText().Error(), "doc.text") {
		t.Errorf("%v, %v", err, c.NotText())
	}
}

// TestRows reads arrays of rows inside of objects.
func TestRows(t *testing.T) {
	dir := t.TempDir()
	read := func(content, rows string) error {
		path := filepath.Join(dir, "x.json")
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := readAll(path, Options{Rows: rows})
		return err
	}
	const nested = `{"version": "1.1", "a]": [{"b": [1, "}"]}, NaN],
		"data": {"more": {}, "rows" : [ {"text": "one"},
		{"text": "two", "in": {"rows": [{"text": "no"}]}} ], "after": [{"text": "no"}]}, "end": "]}"}
	`
	path := filepath.Join(dir, "nested.json")
	for _, end := range []string{"\n", "\r\n", "\r"} {
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(nested, "\n", end)), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, want := scanColumn(t, path, Options{Rows: "data.rows"}, "text"), [][]any{{"one"}, {"two"}}; !reflect.DeepEqual(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for _, c := range []struct{ content, rows, want string }{
		{nested, "data.lines", `no member "data.lines"`},
		{nested, "version", `'"' where '[' is expected`},
		{nested, "version.x", `'"' where '{' is expected`},
		{`{"data": [{"a": 1}`, "data", "truncated"},
		{`{"data": [{"a": 1}], "b": {`, "data", "truncated"},
		{`{"data": [{"a": 1}]} {"data": []}`, "data", "text after the end"},
		{`{"data": [{"a": 1}, 2]}`, "data", "a value that is not an object"},
		{`{"data": [{"a": 1}], "b": }`, "data", "'}' where a value is expected"},
	} {
		if err := read(c.content, c.rows); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s: %v, want %s", c.content, c.rows, err, c.want)
		}
	}
	if err := os.WriteFile(path, []byte(`{"data": [{"text": "one"}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	table, err := Describe(context.Background(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Scan(context.Background(), "text"); err == nil || !strings.Contains(err.Error(), `rows = "data"`) {
		t.Errorf("no hint: %v", err)
	}
}

// TestSameNames refuses two columns of one name, of every format.
func TestSameNames(t *testing.T) {
	dir := t.TempDir()
	csv, shards := filepath.Join(dir, "x.csv"), filepath.Join(dir, "x.arrow")
	if err := os.WriteFile(csv, []byte("text,text\na,b\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	schema := arrow.NewSchema([]arrow.Field{{Name: "text", Type: arrow.BinaryTypes.String}, {Name: "text", Type: arrow.BinaryTypes.String}}, nil)
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(`[]`))
	if err != nil {
		t.Fatal(err)
	}
	writeArrow(t, shards, rec)
	a, err := Open(shards)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	_, fromCSV := Describe(context.Background(), csv, Options{})
	_, fromArrow := Describe(context.Background(), shards, Options{})
	_, fromParquet := Describe(context.Background(), "testdata/parquet/same_names.parquet", Options{})
	for i, err := range []error{fromCSV, fromArrow, fromParquet, a.Select("text")} {
		if err == nil || !strings.Contains(err.Error(), `two columns are named "text"`) {
			t.Errorf("%d: %v", i, err)
		}
	}
}
