package source

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// addedColumns and addedValues are those that rows.py expects.
var addedColumns = []Column{
	Vectors("embedding"), Texts("prediction"), Structs("probabilities", Numbers("no"), Numbers("yes")),
	Lists(Structs("entities", Texts("text"), Integers("start"))),
}

var addedValues = [][]any{
	{[]float32{0.5, -1}, "a", []any{0.25, 0.75}, []any{}},
	{[]float32{}, nil, nil, []any{[]any{"x", int64(1)}}},
	{nil, "c", []any{0.0, 1.0}, nil},
	{[]float32{3}, "d", []any{0.5, 0.5}, []any{}},
}

// copyRows writes the rows of a file, with the added columns, into another one.
func copyRows(t *testing.T, from, to string, columns []Column, values [][]any) {
	t.Helper()
	format, err := RowsFormat(to)
	if err != nil {
		t.Fatal(err)
	}
	table, err := Describe(context.Background(), from, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := table.ScanRows(context.Background(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var out bytes.Buffer
	rows, err := NewRows(&out, format, table, columns...)
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for {
		b, err := s.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for first := 0; first < b.Rows; first += 2 { // not all at once
			n := min(2, b.Rows-first)
			rows.Append(b, first, values[at:at+n])
			at += n
		}
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, out.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

// values are the rows of a file, each value as JSON, behind a line of the names and types that they
// are written with.
func values(t *testing.T, path string) (text string) {
	t.Helper()
	table, err := Describe(context.Background(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	fields, err := table.carried()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		text += f.Name + " " + strings.ReplaceAll(f.Type.String(), "element", "item") + "; "
	}
	s, err := table.ScanRows(context.Background(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for {
		b, err := s.Next()
		if err == io.EOF {
			return text
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Rows {
			text += "\n"
			for _, c := range b.columns {
				text += string(appendValueJSON(nil, c, i)) + " "
			}
		}
	}
}

// Every type survives on the way from Arrow and Parquet to Arrow and Parquet, and back.
func TestRowsKeepTypes(t *testing.T) {
	want := values(t, filepath.Join("testdata", "rows", "types.arrow"))
	for _, from := range []string{"types.arrow", "types.parquet"} {
		for _, to := range []string{"o.arrow", "o.arrows", "o.parquet"} {
			path, again := filepath.Join(t.TempDir(), to), filepath.Join(t.TempDir(), "again.arrow")
			copyRows(t, filepath.Join("testdata", "rows", from), path, nil, make([][]any, 4))
			copyRows(t, path, again, nil, make([][]any, 4))
			if got := values(t, again); got != want {
				t.Errorf("%s to %s:\n%s\nwant\n%s", from, to, got, want)
			}
		}
	}
}

// As pyarrow, pandas and datasets read what was written:
//
//	HONE_PYARROW=/path/to/python go test ./data/source -run RowsPyarrow
func TestRowsPyarrow(t *testing.T) {
	python := os.Getenv("HONE_PYARROW")
	if python == "" {
		t.Skip("set HONE_PYARROW to a Python with pyarrow, pandas and datasets")
	}
	for _, from := range []string{"types.arrow", "types.parquet"} {
		for _, to := range []string{"o.arrow", "o.arrows", "o.parquet"} {
			made, path := filepath.Join("testdata", "rows", from), filepath.Join(t.TempDir(), to)
			copyRows(t, made, path, addedColumns, addedValues)
			out, err := exec.Command(python, "testdata/rows/rows.py", "check", made, path).Output()
			if err != nil || strings.TrimSpace(string(out)) != "ok" {
				t.Errorf("%s to %s: %v\n%s", from, to, err, out)
			}
		}
	}
}

// What JSON and CSV make of each type.
func TestRowsAsText(t *testing.T) {
	for to, want := range map[string]string{
		"o.jsonl": `{"text": "둘, \"two\"\nlines", "large": null, "class": 1, "i8": 127, "i16": 32767, "i32": 2147483647, "i64": 9223372036854775807, ` +
			`"u8": 255, "u16": 65535, "u32": 4294967295, "u64": 18446744073709551615, "f16": -1.0, "f32": 1e-10, "f64": 1e+300, "bool": false, ` +
			`"binary": "", "large_binary": "", "fixed": "AAEC/w==", "dec": "-99999999.99", "dec38": "99999999999999999999999999999999999999", ` +
			`"dec76": "999999999999999999999999999999999999999999999999999999999999.5", "date32": "2026-11-30", "time32": "23:59:59.999", ` +
			`"time64": "23:59:59.999999", "ms": "2026-11-30T01:02:03.004", "us": "2026-11-30T01:02:03.000004Z", "ns": "2009-02-13T23:31:30.123456789Z", ` +
			`"duration": "-5us", "nothing": null, "list": [], "large_list": [], "pair": [3.0, 4.0], "nested": [], "image": {"bytes": null, "path": null}, ` +
			`"embedding": [], "prediction": null, "probabilities": null, "entities": [{"text": "x", "start": 1}]}`,
		"o.csv": "\"둘, \"\"two\"\"\nlines\",,1,127,32767,2147483647,9223372036854775807,255,65535,4294967295,18446744073709551615,-1.0,1e-10,1e+300,false," +
			"," + ",AAEC/w==,-99999999.99,99999999999999999999999999999999999999,999999999999999999999999999999999999999999999999999999999999.5,2026-11-30,23:59:59.999," +
			`23:59:59.999999,2026-11-30T01:02:03.004,2026-11-30T01:02:03.000004Z,2009-02-13T23:31:30.123456789Z,-5us,,[],[],"[3.0, 4.0]",[],"{""bytes"": null, ""path"": null}",` +
			`[],,,"[{""text"": ""x"", ""start"": 1}]"`,
	} {
		path := filepath.Join(t.TempDir(), to)
		copyRows(t, filepath.Join("testdata", "rows", "types.arrow"), path, addedColumns, addedValues)
		got, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(got), "\n"+want+"\n") {
			t.Errorf("%s: %v\n%s\nwant the row\n%s", to, err, got, want)
		}
	}
}

// Objects of JSON keep their members as they were written, on one line.
func TestRowsKeepObjects(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.json")
	text := "[{\"a\": 1e2, \"b\": {\"x\": 1.50}},\n {\n  \"b\": {\"y\": \"\\u00fc ü\"},\n  \"c\": 123456789012345678901234567890 },{}, { \"a\":null}]"
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "out.jsonl")
	copyRows(t, path, to, addedColumns[1:2], [][]any{{"p"}, {nil}, {"q"}, {"r"}})
	got, err := os.ReadFile(to)
	const want = `{"a": 1e2, "b": {"x": 1.50}, "prediction": "p"}
{"b":{"y":"\u00fc ü"},"c":123456789012345678901234567890, "prediction": null}
{"prediction": "q"}
{ "a":null, "prediction": "r"}
`
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
}

func TestRowsRefuse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.jsonl")
	if err := os.WriteFile(path, []byte("{\"text\": \"a\", \"n\": 1, \"prediction\": \"x\", \"mixed\": \"x\"}\n\n{\"mixed\": 5}\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	table, err := Describe(context.Background(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	fails := func(err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	_, err = NewRows(io.Discard, JSON, table, Texts("prediction"))
	fails(err, `in.jsonl: it has a column "prediction" already`)
	_, err = RowsFormat("out.xlsx")
	fails(err, "out.xlsx: the end of the name says no format that rows are written in (known: .jsonl,")
	_, err = RowsFormat("out.csv.gz")
	fails(err, "out.csv.gz: the end")
	_, err = table.ScanRows(context.Background(), []string{"txt"}, nil)
	fails(err, `no column "txt" (did you mean "text"?)`)
	_, err = table.ScanRows(context.Background(), []string{"n"}, nil)
	fails(err, `column "n" is int64, not text (columns of text: text, prediction, mixed)`)
	s, err := table.ScanRows(context.Background(), []string{"mixed"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = s.Next()
	fails(err, `in.jsonl: line 3: column "mixed": 5 is not a string`)
	s, err = table.ScanRows(context.Background(), []string{"text"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b, err := s.Next()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := b.Text(len(table.Columns), 1); ok || b.Where(1) != "line 3" {
		t.Errorf("the missing text is at %s, %v", b.Where(1), ok)
	}
}
