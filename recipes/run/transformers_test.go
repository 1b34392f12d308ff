package run

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"hone/checkpoint"
	hexec "hone/trainer/exec"
	"hone/trainer/exec/cpu"
	"hone/trainer/model"
	"hone/trainer/pretrained"
)

// TestTransformers compares a finished run's two models with transformers: ids of the
// tokenizer, logits of both heads. It needs Python with torch and transformers:
//
//	HONE_TRANSFORMERS=/path/to/python HONE_RUN=runs/quickstart go test ./recipes/run -run Transformers -v
func TestTransformers(t *testing.T) {
	python, run := os.Getenv("HONE_TRANSFORMERS"), os.Getenv("HONE_RUN")
	if python == "" || run == "" {
		t.Skip("set HONE_TRANSFORMERS to a Python with torch and transformers, and HONE_RUN to the directory of a finished run")
	}
	dev, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	lm, err := pretrained.Open(dev, filepath.Join(run, "pretrain"), 0)
	if err != nil {
		t.Fatal(err)
	}
	classifier, err := pretrained.Open(dev, filepath.Join(run, "finetune"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if lm.Head != model.LanguageModel || classifier.Head != model.Classifier {
		t.Fatalf("pretrain is a %v, finetune a %v", lm.Head, classifier.Head)
	}
	type values struct {
		Texts       []string    `json:"texts"`
		IDs         [][]int32   `json:"ids"`
		LMLogits    [][]float32 `json:"lm_logits_last"`
		ClassLogits [][]float32 `json:"class_logits"`
	}
	v := values{Texts: []string{
		"Package http provides HTTP client and server implementations.",
		"Reader is the interface that wraps the basic Read method.",
		"x", " ", "\n\n\tindented code(a, b) // and a comment\n",
		"It returns an error if the file does not exist, or cannot be read.",
		"Häuser, naïve façade, Straße", "집에 가고 싶다", "家 山 水", "🙂 emoji 👩‍👩‍👧 joined",
		"0123456789 3.14159 0xdeadbeef 1e-9", "a  b   c    d", "ALL CAPS AND CamelCase and snake_case",
		"don't can't we're I'll they'd", "func (r *Reader) Read(p []byte) (n int, err error)",
		"https://go.dev/ref/spec#Method_sets?q=1&r=2", "\"quoted\" `raw` 'single' «guillemets»",
		"e\u0301 and é are not the same bytes", "trailing spaces   ",
		"Deprecated: Use the other one. It is a common mistake to close a channel twice, or to send on it after it was closed.",
	}}
	for _, text := range v.Texts {
		ids := lm.Tokenizer.Encode(nil, text)
		if len(ids) == 0 || len(ids) > lm.Config.MaxLength() {
			t.Fatalf("%q has %d tokens", text, len(ids))
		}
		v.IDs = append(v.IDs, ids)
		v.LMLogits = append(v.LMLogits, lastLogits(t, lm, ids))
		v.ClassLogits = append(v.ClassLogits, lastLogits(t, classifier, ids))
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "hone.json")
	if err := os.WriteFile(file, b, 0o666); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join("..", "..", "checkpoint", "testdata", "transformers_check.py")
	out, err := exec.Command(python, script, checkpoint.FinalDir(filepath.Join(run, "pretrain")), checkpoint.FinalDir(filepath.Join(run, "finetune")), file).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

// lastLogits are what a model's head gives at the last of the tokens.
func lastLogits(t *testing.T, m *pretrained.Model, ids []int32) []float32 {
	t.Helper()
	n := len(ids)
	x, err := m.Net.Executor(model.Evaluate, 1, n, 1)
	if err != nil {
		t.Fatal(err)
	}
	f := &model.Feed{
		Tokens: ids, Segments: make([]int32, n), Positions: make([]int32, n), Order: make([]int32, n),
		Pool: []int32{int32(n - 1)},
	}
	for i := range n {
		f.Positions[i], f.Order[i] = int32(i), int32(i)
	}
	width := m.Config.VocabSize
	if m.Head == model.Classifier {
		f.Labels, f.LabelWeights = []int32{-1}, []float32{1}
		width = len(m.Config.Labels())
	}
	if err := m.Net.Feed(x, f); err != nil {
		t.Fatal(err)
	}
	if err := x.Run(); err != nil {
		t.Fatal(err)
	}
	logits := make([]float32, width)
	if err := hexec.Read(x, "logits", logits); err != nil {
		t.Fatal(err)
	}
	return logits
}
