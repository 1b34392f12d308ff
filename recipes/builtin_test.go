package recipes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"hone/checkpoint"
	"hone/data/hub"
)

// whereBuiltinsRun goes to a directory where the files lie that built-in recipes read, and gives a host that has
// imported the models that they start from.
func whereBuiltinsRun(t *testing.T) Host {
	t.Helper()
	t.Chdir(t.TempDir())
	write := func(path, text string) {
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range Builtin() {
		var r struct {
			Corpus map[string]struct{ Source string }
		}
		text, _ := builtin(name)
		if _, err := toml.Decode(text, &r); err != nil {
			t.Fatal(err)
		}
		for _, c := range r.Corpus {
			if !strings.Contains(c.Source, ":") { // of goroot: and of hf: there is no file
				before, names, _ := strings.Cut(strings.ReplaceAll(c.Source, "*", "x"), "{")
				names, after, _ := strings.Cut(names, "}")
				for name := range strings.SplitSeq(names, ",") { // of parallel lines; else of one file
					write(before+name+after, "ACGT")
				}
			}
		}
	}
	const model = "model"
	write(filepath.Join(model, checkpoint.ManifestFile), "{}")
	write(filepath.Join(model, checkpoint.ConfigFile), `{"architectures": ["BertModel"], "model_type": "bert", "vocab_size": 4, "hidden_size": 4,
		"num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 4, "max_position_embeddings": 512, "hidden_act": "gelu"}`)
	write(filepath.Join(model, checkpoint.TokenizerFile), `{"version": "1.0", "added_tokens": [
		{"id": 0, "content": "[PAD]", "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false},
		{"id": 1, "content": "[CLS]", "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false},
		{"id": 2, "content": "[SEP]", "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false}],
		"pre_tokenizer": {"type": "Whitespace"},
		"post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]},
		"model": {"type": "WordPiece", "unk_token": "[PAD]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
			"vocab": {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3}}}`)
	h := anyHost
	h.Model = func(name string) (string, error) {
		if strings.HasPrefix(name, hub.Scheme) {
			return model, nil
		}
		return "", nil
	}
	return h
}

// Recipes and tasks share one name space.
func TestNamesOfBuiltins(t *testing.T) {
	for _, name := range Tasks() {
		if _, ok := builtin(name); ok {
			t.Errorf("%s is a recipe and a task", name)
		}
	}
}
