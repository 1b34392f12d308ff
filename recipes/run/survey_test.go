package run

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"hone/data"
)

const splitsRecipe = `
[corpus.notes]
source = '%s'
validation = 0.25
[tokenizer]
kind = "byte"
[model]
model_type = "gpt2"
n_layer = 1
n_embd = 16
n_head = 2
n_positions = 64
[[stage]]
name = "text"
kind = "pretrain"
batch_size = 4
steps = 30
learning_rate = 1e-3
[[stage]]
name = "labels"
kind = "finetune"
batch_size = 4
steps = 30
learning_rate = 1e-3
[[stage]]
name = "task"
kind = "finetune"
task = "twice"
batch_size = 4
steps = 30
learning_rate = 1e-3
[task.twice]
kind = "classification"
template.text = "{{ text }} {{ text }}"
`

// The plan says how many documents a step sees and how often all are seen, as the loader then
// does, whatever a task reads of them; and which texts of the validation split are in training too.
func TestPlanOfSplits(t *testing.T) {
	r, err := parsed("x.toml", fmt.Sprintf(splitsRecipe, notes(t)), nil)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Console: quiet()}
	o.Cache = t.TempDir()
	p, err := Check(context.Background(), r, o)
	if err != nil {
		t.Fatal(err)
	}
	corpora, err := openCorpora(context.Background(), r, o)
	if err != nil {
		t.Fatal(err)
	}
	corpus := corpora["notes"]
	if len(p.Splits) != 2 || p.Splits[0].Documents != corpus.Train.Rows() || p.Splits[1].Documents != corpus.Validation.Rows() ||
		p.Splits[0].TextBytes != int64(p.Splits[0].Tokens) || p.Splits[0].Files != 1 || len(p.Warnings) != 0 {
		t.Errorf("splits %+v, warnings %q", p.Splits, p.Warnings)
	}
	tok, err := plannedTokenizer(r)
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.Stages {
		l, err := data.NewLoader(trainConfig(r, &r.Stages[i], corpora, tok), data.Cursor{})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		var at data.Cursor
		labelled := 0
		for range r.Stages[i].Steps {
			b, err := l.Next(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			at, labelled = b.Cursor, labelled+len(b.Seqs)
		}
		rows := float64(corpus.Train.Rows())
		epochs := float64(at.Epoch) + float64(at.Position)/rows
		if r.Stages[i].Kind == "finetune" {
			epochs = float64(labelled) / rows // a packing window is a whole epoch here
		}
		perStep := epochs * rows / float64(r.Stages[i].Steps)
		if s := p.Stages[i]; s.Epochs < 0.85*epochs || s.Epochs > 1.15*epochs || s.DocumentsPerStep < 0.85*perStep || s.DocumentsPerStep > 1.15*perStep {
			t.Errorf("stage %s: %.3g documents a step, %.3g epochs, in truth %.3g and %.3g", s.Name, s.DocumentsPerStep, s.Epochs, perStep, epochs)
		}
	}

	dir := t.TempDir()
	for name, text := range map[string]string{"train": "one\ntwo\nthree\nfour\n", "dev": "two\nfive\nsix\n"} {
		writeFile(t, filepath.Join(dir, name+".txt"), []byte(text))
	}
	text, _, _ := strings.Cut(strings.Replace(fmt.Sprintf(splitsRecipe, dir), "validation = 0.25", `separator = "\n"`, 1), "[[stage]]\nname = \"labels\"")
	if r, err = parsed("x.toml", text, nil); err != nil {
		t.Fatal(err)
	}
	if p, err = Check(context.Background(), r, o); err != nil {
		t.Fatal(err)
	}
	if want := "corpus notes: 1 of the 3 texts of split validation are in a training split too"; len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], want) {
		t.Errorf("warnings %q, want %q", p.Warnings, want)
	}
	var printed strings.Builder
	if err := p.Print(&printed); err != nil || !strings.Contains(printed.String(), "warning: corpus notes: 1 of") || !strings.Contains(printed.String(), "1 of 3\n") {
		t.Errorf("%v: %s", err, printed.String())
	}
}

// Rows of documents that are longer than a step begin at random places, where no key says
// otherwise: else a step would see one piece of one document.
func TestLongDocuments(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"one.txt", "two.txt", "dev.txt"} {
		var b strings.Builder
		for n := range 3000 {
			fmt.Fprintf(&b, "book %d line %d\n", i, n)
		}
		writeFile(t, filepath.Join(dir, name), []byte(b.String()))
	}
	text, _, _ := strings.Cut(strings.Replace(fmt.Sprintf(splitsRecipe, dir), "validation = 0.25", "", 1), "[[stage]]\nname = \"labels\"")
	for _, c := range []struct {
		set, warning string
		neighbours   bool
	}{
		{"", "rows begin at random places of the text instead", false},
		{"stage.text.random_windows=true", "", false},
		{"stage.text.random_windows=false", "its 4 rows come mostly from one document", true},
		{`corpus.notes.separator="\n"`, "", false},
	} {
		var set []string
		if c.set != "" {
			set = []string{c.set}
		}
		r, err := parsed("x.toml", text, set)
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Console: quiet()}
		o.Cache = t.TempDir()
		p, err := Check(context.Background(), r, o)
		if err != nil {
			t.Fatal(err)
		}
		if warnings := strings.Join(p.Warnings, "\n"); (warnings == "") != (c.warning == "") || !strings.Contains(warnings, c.warning) {
			t.Errorf("%s: warnings %q, want %q", c.set, warnings, c.warning)
		}
		corpora, err := openCorpora(context.Background(), r, o)
		if err != nil {
			t.Fatal(err)
		}
		tok, err := plannedTokenizer(r)
		if err != nil {
			t.Fatal(err)
		}
		l, err := data.NewLoader(trainConfig(r, &r.Stages[0], corpora, tok), data.Cursor{})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		b, err := l.Next(context.Background())
		if err != nil && err != io.EOF {
			t.Fatal(err)
		}
		// Neighbours: what a row ends with, the next begins with.
		follows := 0
		for row := range b.B - 1 {
			last := b.Targets[(row+1)*b.Dec.T-1]
			if b.Dec.Tokens[(row+1)*b.Dec.T] == last && b.Seqs[row].Doc == b.Seqs[row+1].Doc {
				follows++
			}
		}
		if (follows == b.B-1) != c.neighbours {
			t.Errorf("%s: %d of %d rows go on in the next", c.set, follows, b.B-1)
		}
	}
}
