package corpus

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/data/clean"
	"hone/data/source"
	"hone/data/tokenizer"
)

// TestKeysConvertAgain changes a key of how a file is read: what the cache holds of it,
// cleaned texts and tokens too, is not that of the other key, though rows and names are.
func TestKeysConvertAgain(t *testing.T) {
	cache := t.TempDir()
	path := filepath.Join(t.TempDir(), "x.tsv")
	if err := os.WriteFile(path, []byte("text\tlabel\n\"say \"\"hi\"\"\"\ta\nplain\tb\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Train(slices.Values([]string{"x"}), tokenizer.TrainOptions{Kind: "byte"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, rules := range []clean.Rules{{}, {MinLength: 1}} {
		for _, c := range []struct{ quote, want string }{{"csv", `say "hi"`}, {"none", `"say ""hi"""`}, {"", `say "hi"`}} {
			corpus, err := Prepare(t.Context(), Spec{From: path, Rules: rules, Read: source.Options{Quote: c.quote}}, cache, nil)
			if err != nil {
				t.Fatal(err)
			}
			r, err := corpus.Train.Record(0)
			if err != nil || r.Text != c.want {
				t.Errorf("quote %q, rules %+v: %q (%v), want %q", c.quote, rules, r.Text, err, c.want)
			}
			tokens, err := corpus.CacheTokens(t.Context(), corpus.Train, tok, "tok", cache, nil)
			if err != nil {
				t.Fatal(err)
			}
			ids, err := tokens.Record(0)
			if err != nil || tok.Decode(ids.IDs) != c.want {
				t.Errorf("quote %q, rules %+v: tokens of %q (%v), want %q", c.quote, rules, tok.Decode(ids.IDs), err, c.want)
			}
			tokens.Close()
			corpus.Close()
		}
	}
}

// TestNotText names columns that hold no texts, in every format and way to read them.
func TestNotText(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	jsonl := write("x.jsonl", `{"text": "a", "doc": {"text": "inside", "n": 1}, "list": ["b"], "label": "x", "odd": NaN}`+"\n")
	ragged := write("text.jsonl", `{"text": ["a"]}`+"\n")
	if _, err := Convert(t.Context(), jsonl, filepath.Join(dir, "converted"), ConvertOptions{}, nil); err != nil {
		t.Fatal(err)
	}
	arrow, err := filepath.Glob(filepath.Join(dir, "converted", "*.arrow"))
	if err != nil || len(arrow) != 1 {
		t.Fatal(arrow, err)
	}
	for _, c := range []struct{ path, text, label, want string }{
		{jsonl, "doc", "", `column "doc" is struct<text: utf8, n: int64>, not text (hint: name a field of it, as doc.text)`},
		{jsonl, "list", "", `column "list" is list<utf8>, not text`},
		{jsonl, "text", "list", `column "list" is list<utf8>, not text`},
		{ragged, "", "", `column "text" is list<utf8>, not text`},
		{arrow[0], "doc", "", `column "doc" is struct<text: utf8, n: int64>, not text`},
		{arrow[0], "list", "", `column "list" is list<utf8>, not text`},
		{arrow[0], "text", "doc", `column "doc" is struct<`},
	} {
		_, prepare := Prepare(t.Context(), Spec{From: c.path, Text: c.text, Label: c.label}, t.TempDir(), nil)
		_, convert := Convert(t.Context(), c.path, filepath.Join(t.TempDir(), "c"), ConvertOptions{Text: c.text, Label: c.label}, nil)
		errs := []error{prepare, convert}
		if c.path != ragged { // which has no column of text, to look at
			_, inspect := Inspect(t.Context(), []string{c.path}, InspectOptions{Text: c.text, Label: c.label}, nil)
			errs = append(errs, inspect)
		}
		for i, err := range errs {
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.path) {
				t.Errorf("%s, %q, %d: %v, want %s", c.path, c.text, i, err, c.want)
			}
		}
	}
	for _, path := range []string{jsonl, arrow[0]} {
		c, err := Prepare(t.Context(), Spec{From: path, Text: "doc.text", Label: "doc.n"}, t.TempDir(), nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Train.Record(0)
		if err != nil || r.Text != "inside" || r.Label != "1" {
			t.Errorf("%s: %+v, %v", path, r, err)
		}
		c.Close()
	}
}

// TestReadKeysDisturb finds keys that would change nothing.
func TestReadKeysDisturb(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.jsonl")
	if err := os.WriteFile(path, []byte(`{"text": "a"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, o := range []source.Options{{Delimiter: ";"}, {Separator: "\n"}, {ColumnNames: []string{"text"}}, {Quote: "csv"}} {
		if _, err := Prepare(t.Context(), Spec{From: path, Read: o}, t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "no file of the corpus has that format") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// TestUnreadColumns has faults in columns that nobody reads.
func TestUnreadColumns(t *testing.T) {
	dir := t.TempDir()
	csv := filepath.Join(dir, "x.csv")
	if err := os.WriteFile(csv, []byte("text,other\none,\xff\xfe\ntwo,b\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	jsonl := filepath.Join(dir, "x.jsonl")
	if err := os.WriteFile(jsonl, []byte(`{"text": "one", "x": [{"y": NaN}]}`+"\n"+`{"text": "two", "x": Infinity}`+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile("../source/testdata/parquet/mixed.parquet")
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-8-int(binary.LittleEndian.Uint32(b[len(b)-8:]))-4] ^= 0xff // in the pages of ids, the last column
	parquet := filepath.Join(dir, "x.parquet")
	if err := os.WriteFile(parquet, b, 0o644); err != nil {
		t.Fatal(err)
	}
	for path, bad := range map[string]bool{csv: true, jsonl: false, parquet: true} {
		c, err := Prepare(t.Context(), Spec{From: path}, t.TempDir(), nil)
		if err != nil {
			t.Error(err)
			continue
		}
		if c.Train.Rows() < 2 {
			t.Errorf("%s: %d rows", path, c.Train.Rows())
		}
		c.Close()
		// What keeps all columns reads them all.
		if _, err := Convert(t.Context(), path, filepath.Join(t.TempDir(), "c"), ConvertOptions{}, nil); (err != nil) != bad {
			t.Errorf("%s: %v", path, err)
		}
	}
}
