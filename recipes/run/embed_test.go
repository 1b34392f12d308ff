package run

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"hone/eval"
	"hone/recipes"
	"hone/recipes/exchange"
	"hone/trainer/exec/cpu"
	"hone/trainer/pretrained"
)

// embedCase is a model with its vectors by sentence-transformers.
type embedCase struct {
	Model         string
	Pooling       []string
	IncludePrompt bool `json:"include_prompt"`
	Normalize     bool
	MaxLength     int `json:"max_seq_length"`
	Prompt        string
	Width         int
	Vectors       string // float32, little-endian, in base64: one for each sentence
	dst           string // the imported model
}

const sentences = "testdata/embed/sentences.jsonl"

// embedCases imports the tiny models with the files of sentence-transformers.
func embedCases(t *testing.T) (cases []embedCase) {
	t.Helper()
	text, err := os.ReadFile("testdata/embed/embed.json")
	if err != nil {
		t.Fatal(err)
	}
	var values struct{ Cases []embedCase }
	if err := json.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	for _, c := range values.Cases {
		dir := modelCopy(t, c.Model)
		if err := os.Mkdir(filepath.Join(dir, "1_Pooling"), 0o777); err != nil {
			t.Fatal(err)
		}
		modules := `{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}, {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}`
		if c.Normalize {
			modules += `, {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}`
		}
		pooling, _ := json.Marshal(map[string]any{"pooling_mode": c.Pooling, "include_prompt": c.IncludePrompt})
		prompts := "{}"
		if c.Prompt != "" {
			prompts = fmt.Sprintf(`{"prompts": {"query": %q, "empty": ""}, "default_prompt_name": "query"}`, c.Prompt)
		}
		for name, text := range map[string]string{
			"modules.json": "[" + modules + "]", "1_Pooling/config.json": string(pooling),
			"sentence_bert_config.json":         fmt.Sprintf(`{"max_seq_length": %d}`, c.MaxLength),
			"config_sentence_transformers.json": prompts,
		} {
			writeFile(t, filepath.Join(dir, name), []byte(text))
		}
		c.dst = filepath.Join(t.TempDir(), "imported")
		if _, err := exchange.Import(t.Context(), dir, c.dst, quiet()); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	return cases
}

// near compares the vectors in a file of rows with those of sentence-transformers.
func near(t *testing.T, path, want string, width int) {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(want)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, worst := 0, 1.0
	for lines := json.NewDecoder(f); ; rows++ {
		var row struct{ Embedding []float64 }
		if err := lines.Decode(&row); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if len(row.Embedding) != width || len(raw) < 4*width*(rows+1) {
			t.Fatalf("row %d has a vector of %d numbers, want %d", rows, len(row.Embedding), width)
		}
		var product, mine, theirs, apart float64
		for i, x := range row.Embedding {
			y := float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[4*(rows*width+i):])))
			product, mine, theirs, apart = product+x*y, mine+x*x, theirs+y*y, apart+(x-y)*(x-y)
		}
		worst = min(worst, product/math.Sqrt(mine*theirs))
		if off := math.Sqrt(apart / theirs); !(off < 1e-4) {
			t.Errorf("row %d is off by %g of its length", rows, off)
		}
	}
	if 4*width*rows != len(raw) || !(worst >= 0.99999) {
		t.Errorf("%d rows, the least cosine %.7f", rows, worst)
	}
	t.Logf("%d rows, the least cosine %.7f", rows, worst)
}

// Vectors of English and Korean sentences are those of sentence-transformers: all ways to pool,
// encoders, an encoder of two, decoders, models with a head and without.
func TestEmbed(t *testing.T) {
	for _, c := range embedCases(t) {
		t.Run(fmt.Sprint(c.Model, c.Pooling, c.Prompt), func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out.jsonl")
			done, err := Embed(context.Background(), c.dst, EmbedOptions{RowsOptions: RowsOptions{In: sentences, Out: out}}, Options{Console: quiet()})
			if err != nil {
				t.Fatal(err)
			}
			if done.Rows != 50 || done.Truncated == 0 {
				t.Errorf("%+v", done)
			}
			near(t, out, c.Vectors, c.Width)
		})
	}
}

// Vectors of all-MiniLM-L6-v2, imported to a directory, are those of sentence-transformers:
//
//	HONE_MINILM=DIR go test ./recipes/run -run EmbedMiniLM -v
func TestEmbedMiniLM(t *testing.T) {
	dir := os.Getenv("HONE_MINILM")
	if dir == "" {
		t.Skip("set HONE_MINILM to the directory of an imported all-MiniLM-L6-v2")
	}
	text, err := os.ReadFile("testdata/embed/embed.json")
	if err != nil {
		t.Fatal(err)
	}
	var values struct{ MiniLM embedCase }
	if err := json.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out.jsonl")
	if _, err := Embed(context.Background(), dir, EmbedOptions{RowsOptions: RowsOptions{In: sentences, Out: out}}, Options{Console: quiet()}); err != nil {
		t.Fatal(err)
	}
	near(t, out, values.MiniLM.Vectors, 384)
}

// A vector has the same bits alone and among any others, in any order, and with any number of threads.
func TestEmbedSameBits(t *testing.T) {
	texts := sentenceTexts(t)
	for _, c := range embedCases(t) {
		var want [][]float32
		for _, threads := range []int{1, 2, 3} {
			if testing.Short() && threads != 2 {
				continue
			}
			dev, err := cpu.New(cpu.Options{Threads: threads})
			if err != nil {
				t.Fatal(err)
			}
			m, err := pretrained.OpenWith(dev, c.dst, pretrained.Options{Body: true})
			if err != nil {
				t.Fatal(err)
			}
			how, err := pretrained.ReadSentence(m.Checkpoint)
			if err != nil {
				t.Fatal(err)
			}
			e, err := eval.NewEmbedder(m, how, c.Prompt)
			if err != nil {
				t.Fatal(err)
			}
			backwards := slices.Clone(texts)
			slices.Reverse(backwards)
			got, _, err := e.Embed(context.Background(), backwards)
			if err != nil {
				t.Fatal(err)
			}
			slices.Reverse(got)
			if want == nil {
				want = got
			}
			for _, together := range []int{1, 7, len(texts)} {
				var parts [][]float32
				for part := range slices.Chunk(texts, together) {
					v, _, err := e.Embed(context.Background(), part)
					if err != nil {
						t.Fatal(err)
					}
					parts = append(parts, v...)
				}
				if !reflect.DeepEqual(parts, want) || !reflect.DeepEqual(got, want) {
					t.Errorf("%s %v: %d threads, %d texts at a time: other bits", c.Model, c.Pooling, threads, together)
				}
			}
			dev.Close()
		}
	}
}

func sentenceTexts(t *testing.T) (texts []string) {
	t.Helper()
	f, err := os.Open(sentences)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := json.NewDecoder(f); ; {
		var row struct{ Text string }
		if err := lines.Decode(&row); err == io.EOF {
			return texts
		} else if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, row.Text)
	}
}

// stopping is a bar that ends a context after so many calls.
type stopping struct {
	left *int
	stop func()
}

func (s stopping) Set(int64, int64, string) {
	if *s.left--; *s.left == 0 {
		s.stop()
	}
}

func (stopping) Close() {}

// An interrupted command goes on after the rows that are kept, with the same bytes; a line that was
// being written counts as none, and whatever has changed is named.
func TestEmbedResume(t *testing.T) {
	c := embedCases(t)[2] // with a prompt
	dir := t.TempDir()
	in := filepath.Join(dir, "in.csv")
	text := "id,text\n"
	for i := range 1200 {
		text += fmt.Sprintf("%d,\"text, %d\"\n", i, i)
	}
	writeFile(t, in, []byte(text))
	embed := func(ctx context.Context, e EmbedOptions, bar recipes.Bar) (*Rowed, error) {
		o := Options{Console: quiet()}
		if bar != nil {
			o.Bar = func(string, string) recipes.Bar { return bar }
		}
		e.In = in
		return Embed(ctx, c.dst, e, o)
	}
	whole := filepath.Join(dir, "whole.parquet")
	if _, err := embed(context.Background(), EmbedOptions{RowsOptions: RowsOptions{Out: whole}}, nil); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out.parquet")
	interrupt := func(chunks int) {
		t.Helper()
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		if _, err := embed(ctx, EmbedOptions{RowsOptions: RowsOptions{Out: out}}, stopping{&chunks, stop}); !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted: %v", err)
		}
		if _, err := os.Stat(out); !os.IsNotExist(err) {
			t.Fatalf("%s is there: %v", out, err)
		}
	}
	interrupt(1)
	f, err := os.OpenFile(out+".part", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"Values":[[0.1,0.`)
	f.Close()
	none := ""
	_, err = embed(context.Background(), EmbedOptions{RowsOptions: RowsOptions{Out: out}, Prompt: &none}, nil)
	if !errors.Is(err, recipes.ErrInput) || !strings.Contains(fmt.Sprint(err), "out.parquet.part holds rows of an interrupted run, and since then has changed: prompt (hint: --fresh") {
		t.Errorf("%v", err)
	}
	interrupt(2) // the kept rows, and more
	done, err := embed(context.Background(), EmbedOptions{RowsOptions: RowsOptions{Out: out}}, nil)
	if err != nil || done.Resumed != 1024 || done.Rows != 1200 {
		t.Fatalf("%+v, %v", done, err)
	}
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, want) {
		t.Errorf("other bytes than of an uninterrupted command: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*part*"))
	if hidden, _ := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left)+len(hidden) > 0 {
		t.Errorf("left behind: %v %v", left, hidden)
	}
	_, err = embed(context.Background(), EmbedOptions{RowsOptions: RowsOptions{Out: out}}, nil)
	if !errors.Is(err, recipes.ErrInput) || !strings.Contains(fmt.Sprint(err), "out.parquet is there already (hint: --fresh replaces it)") {
		t.Errorf("%v", err)
	}
	_, err = embed(context.Background(), EmbedOptions{RowsOptions: RowsOptions{Out: in, Fresh: true}}, nil)
	if !errors.Is(err, recipes.ErrInput) || !strings.Contains(fmt.Sprint(err), "in.csv is the file that is read") {
		t.Errorf("%v", err)
	}
	if done, err := embed(context.Background(), EmbedOptions{RowsOptions: RowsOptions{Out: out, Fresh: true}}, nil); err != nil || done.Resumed != 0 {
		t.Errorf("%+v, %v", done, err)
	}
}

func TestEmbedRefuses(t *testing.T) {
	with := embedCases(t)[2].dst
	without := filepath.Join(t.TempDir(), "imported")
	if _, err := exchange.Import(t.Context(), modelCopy(t, "bert"), without, quiet()); err != nil {
		t.Fatal(err)
	}
	unframed := filepath.Join(t.TempDir(), "imported") // no special tokens stand around a text
	if _, err := exchange.Import(t.Context(), modelCopy(t, "gpt2-base"), unframed, quiet()); err != nil {
		t.Fatal(err)
	}
	no := "no"
	in := filepath.Join(t.TempDir(), "in.jsonl")
	for _, c := range []struct {
		model, rows string
		o           EmbedOptions
		want        string
	}{
		{without, `{"text": "a"}`, EmbedOptions{}, "does not say how it makes vectors of texts, as models of sentence-transformers do (hint: --pooling mean"},
		{without, `{"text": "a"}`, EmbedOptions{Pooling: "average"}, `pooling "average" is not known`},
		{with, `{"text": "a"}`, EmbedOptions{Pooling: "cls"}, "says already: vectors of texts: max pooling"},
		{with, `{"text": "a"}`, EmbedOptions{Prompt: &no}, `has no prompt "no" (known: empty, query)`},
		{without, `{"text": "a"}`, EmbedOptions{Pooling: "mean", Prompt: &no}, `has no prompts, so that there is none named "no"`},
		{with, `{"text": "a"}`, EmbedOptions{RowsOptions: RowsOptions{Text: []string{"txt"}}}, `in.jsonl: no column "txt" (did you mean "text"?)`},
		{with, `{"text": "a", "embedding": 1}`, EmbedOptions{}, `it has a column "embedding" already`},
		{with, "{\"text\": \"a\"}\n{\"text\": null}", EmbedOptions{}, `in.jsonl: line 2: column "text" has no text: it is null or missing`},
		{with, "{\"text\": \"a\"}\n\n{\"text\": 5}", EmbedOptions{}, `in.jsonl: line 3: column "text": 5 is not a string`},
		{with, "{\"text\": \"a\"}\n{\"text\": \"\xff\"}", EmbedOptions{}, "in.jsonl: line 2: invalid UTF-8"},
		{with, `{"a": "a", "b": "b"}`, EmbedOptions{}, "in.jsonl: several columns are text: a, b (hint: --text a"},
		{with, `{"a": 1}`, EmbedOptions{}, "in.jsonl: no column is text"},
		{unframed, "{\"text\": \"a\"}\n{\"text\": \"\"}", EmbedOptions{Pooling: "mean"}, "in.jsonl: line 2: the text has no tokens"},
		{with, `{"text": "a"}`, EmbedOptions{RowsOptions: RowsOptions{Out: "o.xlsx"}}, "o.xlsx: the end of the name says no format"},
	} {
		writeFile(t, in, []byte(c.rows))
		c.o.In, c.o.Stdout = in, io.Discard
		_, err := Embed(context.Background(), c.model, c.o, Options{Console: quiet()})
		if !errors.Is(err, recipes.ErrInput) || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: %v, want %q", c.rows, err, c.want)
		}
	}
}
