package source

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// scanned gives the rows of a file, each cell with its column, or the error.
func scanned(t *testing.T, path string, opt Options) (rows []string, format string, err error) {
	t.Helper()
	table, err := Describe(context.Background(), path, opt)
	if err != nil {
		return nil, "", err
	}
	s, err := table.Scan(context.Background())
	if err != nil {
		return nil, "", err
	}
	defer s.Close()
	for {
		b, err := s.Next()
		if err == io.EOF {
			return rows, table.Format, nil
		}
		if err != nil {
			return rows, table.Format, err
		}
		for i := range b.Rows {
			var cells []string
			for k, c := range s.Columns() {
				text, ok := b.Text(k, i)
				if !ok {
					text = "null"
				}
				cells = append(cells, c.Name+"="+text)
			}
			rows = append(rows, strings.Join(cells, " "))
		}
	}
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCoNLL(t *testing.T) {
	for _, c := range []struct {
		name, content string
		opt           Options
		want          []string
	}{
		{"two columns, blank lines with tabs", "Anna\tB-PER\nBerg\tI-PER\n\t\n\n#tag\tO\n#\tO\n", Options{}, []string{
			`words=["Anna","Berg"] tags=["B-PER","I-PER"] text=Anna Berg document=0`, `words=["#tag","#"] tags=["O","O"] text=#tag # document=0`}},
		{"white space, documents, other line ends", "-DOCSTART- -X- O O\r\n\r\nEU NNP I-NP I-ORG\r\n. . O O\r\n\r\n-DOCSTART- -X- O O\r\n\r\nx y O O", Options{}, []string{
			`words=["EU","."] column_2=["NNP","."] column_3=["I-NP","O"] tags=["I-ORG","O"] text=EU . document=0`,
			`words=["x"] column_2=["y"] column_3=["O"] tags=["O"] text=x document=1`}},
		{"characters, comments as KLUE has them", "## a : \\t\n## id-1\t<강원:OG>은 또\n강\tB-OG\n원\tI-OG\n \tO\n또\tO\n\n", Options{}, []string{
			`words=["강","원"," ","또"] tags=["B-OG","I-OG","O","O"] text=강원 또 document=0`}},
		{"names", "a 1 O\nb 2 O\nc 3 O\n", Options{ColumnNames: []string{"w", "n", "t"}}, []string{`w=["a","b","c"] n=["1","2","3"] t=["O","O","O"] text=a b c document=0`}},
	} {
		got, format, err := scanned(t, write(t, "x.conll", c.content), c.opt)
		if err != nil || format != CoNLL || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %s %q, %v; want %q", c.name, format, got, err, c.want)
		}
	}
	for want, content := range map[string]string{
		"line 3: 1 columns, not 2 as before":            "a\tO\nb\tO\nc\n",
		"line 2: -DOCSTART- within a sentence":          "a\tO\n-DOCSTART-\tO\n",
		"no line has a word and a tag":                  "one\ntwo\n",
		`line 1: word 2: column "tags" is empty`:        "a\tO\nb\t\n",
		`line 3: word 1: column "words": invalid UTF-8`: "a\tO\n\n\xff\tO\n",
		"is text in UTF-16":                             "\xff\xfea\x00\n\x00",
	} {
		if _, _, err := scanned(t, write(t, "x.conll", content), Options{}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "x.conll") {
			t.Errorf("%q: %v, want %s", content, err, want)
		}
	}
	// A sentence that cannot be read is skipped where records may be.
	skips := new(Skips)
	got, _, err := scanned(t, write(t, "x.conll", "a\tO\n\n\xff\tO\n\nc\tO\n"), Options{Skips: skips})
	if err != nil || len(got) != 2 {
		t.Errorf("with skips: %q, %v", got, err)
	}
}

func TestCoNLLU(t *testing.T) {
	line := func(cells ...string) string { return strings.Join(cells, "\t") + "\n" }
	text := "# sent_id = s1\n# text = Du pain.\n" + line("1-2", "Du", "_", "_", "_", "_", "_", "_", "_", "_") + line("1", "De", "de", "ADP", "_", "_", "3", "case", "_", "_") +
		line("2", "le", "le", "DET", "_", "Gender=Masc", "3", "det", "_", "_") + line("3", "pain", "pain", "NOUN", "_", "_", "0", "root", "_", "SpaceAfter=No") + line("3.1", "x", "_", "_", "_", "_", "_", "_", "_", "_") +
		line("4", "_", "_", "PUNCT", "_", "_", "3", "punct", "_", "_") + "\n" + line("1", "Oui", "oui", "INTJ", "_", "_", "_", "_", "_", "_")
	want := []string{
		`sent_id=s1 text=Du pain. words=["De","le","pain","_"] lemmas=["de","le","pain","_"] upos=["ADP","DET","NOUN","PUNCT"] xpos=[null,null,null,null] feats=[null,"Gender=Masc",null,null] ` +
			`head=[3,3,0,3] deprel=["case","det","root","punct"] deps=[null,null,null,null] misc=[null,null,"SpaceAfter=No",null]`,
		`sent_id= text=Oui words=["Oui"] lemmas=["oui"] upos=["INTJ"] xpos=[null] feats=[null] head=[null] deprel=[null] deps=[null] misc=[null]`,
	}
	got, format, err := scanned(t, write(t, "x.conllu", text), Options{})
	if err != nil || format != CoNLLU || !reflect.DeepEqual(got, want) {
		t.Errorf("%s %q, %v; want %q", format, got, err, want)
	}
	for want, content := range map[string]string{
		"line 1: 2 columns; CoNLL-U has 10": "1\ta\n",
		`line 1: word "2"; the next number`: line("2", "a", "a", "X", "_", "_", "0", "root", "_", "_"),
		`line 1: head "x" is not a number`:  line("1", "a", "a", "X", "_", "_", "x", "root", "_", "_"),
	} {
		if _, _, err := scanned(t, write(t, "x.conllu", content), Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", content, err, want)
		}
	}
}

func TestSQuAD(t *testing.T) {
	text := `{"version": "v2.0", "data": [
		{"title": "T", "paragraphs": [{"context": "Anna wohnt in Köln.", "qas": [
			{"id": "a", "question": "Wo?", "answers": [{"text": "Köln", "answer_start": 14}, {"text": "in Köln", "answer_start": 11}]},
			{"id": 7, "question": "Wer?", "is_impossible": true, "answers": [], "plausible_answers": [{"text": "Anna", "answer_start": 0}]}]}]},
		{"paragraphs": [{"qas": [{"id": "c", "question": "What?"}], "context": "x"}]}]}`
	want := []string{
		`id=a title=T context=Anna wohnt in Köln. question=Wo? answers={"text":["Köln","in Köln"],"answer_start":[14,11]}`,
		`id=7 title=T context=Anna wohnt in Köln. question=Wer? answers={"text":[],"answer_start":[]}`,
		`id=c title= context=x question=What? answers=null`,
	}
	got, format, err := scanned(t, write(t, "x.json", text), Options{})
	if err != nil || format != SQuAD {
		t.Fatalf("%s, %v", format, err)
	}
	for i := range got { // the order of a struct's fields in JSON is Arrow's
		got[i] = strings.Replace(got[i], `{"answer_start":[14,11],"text":["Köln","in Köln"]}`, `{"text":["Köln","in Köln"],"answer_start":[14,11]}`, 1)
		got[i] = strings.Replace(got[i], `{"answer_start":[],"text":[]}`, `{"text":[],"answer_start":[]}`, 1)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if _, format, err := scanned(t, write(t, "x.json", text), Options{Rows: "data"}); err != nil || format != JSON {
		t.Errorf("rows as they are: %s, %v", format, err)
	}
	for want, content := range map[string]string{
		`question 1 of paragraph 1 (a) has an answer without`: `{"data": [{"paragraphs": [{"context": "c", "qas": [{"id": "a", "question": "q", "answers": [{"text": "c"}]}]}]}]}`,
		"has no context": `{"data": [{"paragraphs": [{"qas": [{"id": "a", "question": "q", "answers": []}]}]}]}`,
		"article 1:":     `{"data": [{"paragraphs": [{"context": 3}]}]}`,
		"truncated":      `{"data": [{"paragraphs": [{"context": "c"`,
	} {
		if _, _, err := scanned(t, write(t, "x.json", content), Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", content, err, want)
		}
	}
}

// The files of shared data sets have the sentences and questions that their descriptions say.
func TestSharedLabelled(t *testing.T) {
	const dir = "../../../shared/data/"
	for _, c := range []struct {
		path, format string
		rows         int
	}{
		{"wnut17/wnut17train.conll", CoNLL, 3394},
		{"wnut17/emerging.dev.conll", CoNLL, 1009},
		{"wnut17/emerging.test.annotated", CoNLL, 1287},
		{"klue_ner/klue-ner-v1.1_dev.tsv.gz", CoNLL, 5000},
		{"korquad1/KorQuAD_v1.0_dev.json.gz", SQuAD, 5774},
		{"xquad/xquad.en.json", SQuAD, 1190},
	} {
		if _, err := os.Stat(dir + c.path); err != nil {
			t.Skip("no shared data sets")
		}
		opt := Options{}
		if strings.HasPrefix(c.path, "klue") {
			opt.Format = CoNLL // by its name it is TSV
		}
		rows, format, err := scanned(t, dir+c.path, opt)
		if err != nil || format != c.format || len(rows) != c.rows {
			first := ""
			if len(rows) > 0 {
				first = fmt.Sprintf(" %.200s", rows[0])
			}
			t.Errorf("%s: %s, %d rows, want %s, %d; %v%s", c.path, format, len(rows), c.format, c.rows, err, first)
		}
	}
}
