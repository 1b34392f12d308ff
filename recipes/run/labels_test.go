package run

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/data/corpus"
	"hone/data/task"
	"hone/trainer/exec/cpu"
	"hone/trainer/pretrained"
)

func TestMatchLabels(t *testing.T) {
	for _, c := range []struct {
		corpus, model, want []string
		err                 string
	}{
		{[]string{"bad", "good"}, []string{"good", "bad"}, []string{"good", "bad"}, ""},
		{[]string{"bad", "good"}, []string{"good", "none", "bad"}, []string{"good", "none", "bad"}, ""},
		{[]string{"negative", "positive"}, []string{"NEGATIVE", "POSITIVE"}, []string{"negative", "positive"}, ""},
		{[]string{"0", "1"}, []string{"LABEL_0", "LABEL_1", "LABEL_2"}, []string{"0", "1", "LABEL_2"}, ""},
		{[]string{"a", "b"}, []string{"A", "a", "b"}, []string{"A", "a", "b"}, ""},
		{[]string{"bad", "good", "ugly"}, []string{"good", "bad"}, nil, "the labels of corpus c (bad, good, ugly) are not those of the model (good, bad): it has no ugly"},
		{[]string{"X", "x"}, []string{"x", "y"}, nil, "it has no x"},
		{[]string{"a", "b"}, []string{"LABEL_0", "LABEL_1"}, nil, "it has no a, b"},
		{[]string{"0", "1"}, []string{"one", "LABEL_1"}, nil, "it has no 0, 1"},
		{nil, []string{"x", "y"}, nil, "are not those of the model"},
	} {
		from := &corpus.Corpus{Labels: c.corpus}
		from.Provenance.Name = "c"
		got, err := from.MatchLabels(c.model)
		if !slices.Equal(got, c.want) || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q among %q: %q, %v, want %q, %q", c.corpus, c.model, got, err, c.want, c.err)
		}
	}
}

// A trained head stays what it is, whatever the order of its labels: for evaluation and for
// further training.
func TestLabelsInTheModelsOrder(t *testing.T) {
	source := notes(t)
	names := func(labels ...string) map[string]any {
		id2label, label2id := map[string]any{}, map[string]any{}
		for i, l := range labels {
			id2label[fmt.Sprint(i)], label2id[l] = l, i
		}
		return map[string]any{"id2label": id2label, "label2id": label2id}
	}
	one := importAs(t, "distilbert-classifier", "bert", names("neither", "water", "land"))
	two := importAs(t, "distilbert-classifier", "bert", names("neither", "land", "water"))
	accuracy, neither := map[string]float64{}, 0
	o := Options{Console: quiet()}
	o.Cache = filepath.Join(t.TempDir(), "cache")
	for _, dir := range []string{one, two} {
		run, err := Evaluate(context.Background(), dir, &task.Task{Name: "notes", Kind: task.Classification, Spec: corpus.Spec{Name: "notes", From: source}, Split: "train"}, 0, o)
		if err != nil {
			t.Fatal(err)
		}
		accuracy[dir] = float64(run.Evaluations[0].Value)
		c := run.Classifications[0]
		neither = c.Confusion[1][0] + c.Confusion[2][0]
		if want := map[string]string{one: "water", two: "land"}[dir]; c.Labels[1] != want || c.Confusion[0][0]+c.Confusion[0][1]+c.Confusion[0][2] != 0 {
			t.Errorf("labels %q, confusion %v", c.Labels, c.Confusion)
		}
	}
	// What is right under the one order of names is wrong under the other.
	if got, want := accuracy[one]+accuracy[two], 1-float64(neither)/80; got < want-1e-9 || got > want+1e-9 || neither == 80 {
		t.Errorf("accuracies %v add up to %g, not %g", accuracy, got, want)
	}

	text := fmt.Sprintf(fromImported, source, "", "masked", one)
	head, _, _ := strings.Cut(text, "[[stage]]")
	_, direct, _ := strings.Cut(text, "[[stage]]\nname = \"direct\"")
	r, err := parsed("x.toml", head+"[[stage]]\nname = \"direct\""+direct, nil)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	o.Say = func(line string) { said = append(said, line) }
	o.Dir = filepath.Join(t.TempDir(), "run")
	if _, err := Run(context.Background(), r, o); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, "new parameters: []") }) {
		t.Errorf("said %q", said)
	}
	dev, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	m, err := pretrained.Open(dev, filepath.Join(o.Dir, "direct"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"neither", "water", "land"}; !slices.Equal(m.Config.Labels(), want) {
		t.Errorf("labels %q, want %q", m.Config.Labels(), want)
	}
}

// A task of held-out documents alone is scored, but has nothing to fit baselines to.
func TestTaskWithoutTraining(t *testing.T) {
	names := map[string]any{"id2label": map[string]any{"0": "land", "1": "x", "2": "water"}, "label2id": map[string]any{"land": 0, "x": 1, "water": 2}}
	dir := importAs(t, "distilbert-classifier", "bert", names)
	text, err := os.ReadFile(notes(t))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "notes_test.jsonl")
	writeFile(t, path, append(text, "{\"text\": \"no label\", \"label\": \"\"}\n"...))
	o := Options{Console: quiet()}
	o.Cache = filepath.Join(t.TempDir(), "cache")
	var said []string
	o.Say = func(line string) { said = append(said, line) }
	tk := &task.Task{Name: "notes", Kind: task.Classification, Spec: corpus.Spec{Name: "notes", From: path}, Split: "test"}
	run, err := Evaluate(context.Background(), dir, tk, 0, o)
	if err != nil || run.Evaluations[0].N != 80 {
		t.Errorf("%+v, %v", run, err)
	}
	if want := "task notes: left out 1 of the 81 documents of split test, which have no label"; !slices.Contains(said, want) {
		t.Errorf("said %q, not %q", said, want)
	}
	tk.Baselines = []string{"naive_bayes"}
	if _, err := Evaluate(context.Background(), dir, tk, 0, o); err == nil || !strings.Contains(err.Error(), "baseline naive_bayes is fitted to split train, where corpus notes has no documents") {
		t.Errorf("%v", err)
	}
}

// What cannot be compared with labels is refused before any work.
func TestSplitsWithoutLabels(t *testing.T) {
	dir := t.TempDir()
	rows := func(n int, label string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "{\"text\": \"a text of number %d\"%s}\n", i, strings.ReplaceAll(label, "%", string(rune('a'+i%2))))
		}
		return b.String()
	}
	const recipe = `
[corpus.notes]
source = '%s'
[tokenizer]
kind = "byte"
[model]
model_type = "gpt2"
n_layer = 1
n_embd = 16
n_head = 2
n_positions = 32
[[stage]]
name = "labels"
kind = "finetune"
steps = 1
learning_rate = 1e-3
[[stage]]
name = "test"
kind = "evaluate"
models = ["labels"]
split = "%s"
`
	const with = `, "label": "%"`
	for i, c := range []struct{ train, validation, test, split, want string }{
		{rows(8, with), rows(4, with), rows(4, ""), "test", "stage test: no document of split test of corpus notes has a label to compare with"},
		{rows(8, with), rows(4, with), rows(4, `, "label": ""`), "test", "no document of split test"},
		{rows(8, with), rows(4, ""), rows(4, with), "test", "stage labels: no document of split validation of corpus notes has a label to validate the training"},
		{rows(8, ""), rows(4, with), rows(4, with), "test", "stage labels: no document of split train of corpus notes has a label to learn"},
		{rows(8, with), rows(4, with), rows(4, ""), "validation", ""},
		{"", rows(4, with), rows(4, with), "test", "corpus notes has no documents in split train: it has train 0, validation 4, test 4"},
	} {
		from := filepath.Join(dir, fmt.Sprint(i))
		for name, text := range map[string]string{"train": c.train, "dev": c.validation, "test": c.test} {
			if text != "" {
				if err := os.MkdirAll(from, 0o755); err != nil {
					t.Fatal(err)
				}
				writeFile(t, filepath.Join(from, name+".jsonl"), []byte(text))
			}
		}
		r, err := parsed("x.toml", fmt.Sprintf(recipe, from, c.split), nil)
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Console: quiet()}
		o.Cache, o.Dir = filepath.Join(dir, "cache"), filepath.Join(dir, fmt.Sprint("run", i))
		_, err = Check(context.Background(), r, o)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("check %d: %v, want %q", i, err, c.want)
		}
		if c.want == "" {
			continue
		}
		if _, err := Run(context.Background(), r, o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("run %d: %v, want %q", i, err, c.want)
		}
	}
}
