package exchange

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"hone/checkpoint"
	"hone/data/tokenizer"
	"hone/trainer/pretrained"
)

// sentenceDir is the directory of a model with files of sentence-transformers beside it.
func sentenceDir(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := copyModel(t, "bert")
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		write(t, path, []byte(text))
	}
	return dir
}

const (
	oldModules = `[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
		{"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
		{"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]`
	newModules = `[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.base.modules.transformer.Transformer"},
		{"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.sentence_transformer.modules.pooling.Pooling"}]`
	oldPooling = `{"word_embedding_dimension": 384, "pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": false}`
	newPooling = `{"embedding_dimension": 384, "pooling_mode": "lasttoken", "include_prompt": false}`
)

// Both generations of sentence-transformers' files say how a model makes vectors.
func TestImportSentence(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  *pretrained.Sentence
	}{
		{"none", nil, nil},
		{"old", map[string]string{
			"modules.json": oldModules, "1_Pooling/config.json": oldPooling,
			"sentence_bert_config.json":         `{"max_seq_length": 256, "do_lower_case": false}`,
			"config_sentence_transformers.json": `{"__version__": {"sentence_transformers": "2.0.0"}}`,
		}, &pretrained.Sentence{Pooling: []string{"mean"}, IncludePrompt: true, Normalize: true, MaxLength: 256}},
		{"new", map[string]string{
			"modules.json": newModules, "1_Pooling/config.json": newPooling,
			"config_sentence_transformers.json": `{"prompts": {"query": "query: ", "document": ""}, "default_prompt_name": "query", "similarity_fn_name": "dot"}`,
		}, &pretrained.Sentence{
			Pooling: []string{"lasttoken"}, Prompts: map[string]string{"query": "query: ", "document": ""}, DefaultPrompt: "query", Similarity: "dot",
		}},
		{"several", map[string]string{
			"modules.json": newModules, "1_Pooling/config.json": `{"pooling_mode": ["cls", "mean"]}`,
		}, &pretrained.Sentence{Pooling: []string{"cls", "mean"}, IncludePrompt: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dst := filepath.Join(t.TempDir(), "imported")
			r, err := Import(t.Context(), sentenceDir(t, c.files), dst, silent())
			if err != nil {
				t.Fatal(err)
			}
			made, err := checkpoint.Open(dst)
			if err != nil {
				t.Fatal(err)
			}
			kept, err := pretrained.ReadSentence(made)
			if err != nil || !reflect.DeepEqual(kept, c.want) || !reflect.DeepEqual(r.Sentence, c.want) {
				t.Errorf("%+v, kept %+v, %v, want %+v", r.Sentence, kept, err, c.want)
			}
		})
	}
}

// What Export writes of how a model makes vectors is what Import reads.
func TestExportSentence(t *testing.T) {
	for name, want := range map[string]*pretrained.Sentence{
		"mean": {Pooling: []string{"mean"}, IncludePrompt: true, Normalize: true, MaxLength: 128, Similarity: "cosine"},
		"cls and last": {Pooling: []string{"cls", "lasttoken"}, MaxLength: 32, Similarity: "dot",
			Prompts: map[string]string{"query": "query: ", "passage": "passage: "}, DefaultPrompt: "query"},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := sentenceFiles(want, 16)
			if err != nil {
				t.Fatal(err)
			}
			files := map[string]string{}
			for _, f := range list {
				var text bytes.Buffer
				if err := f.Write(&text); err != nil {
					t.Fatal(err)
				}
				files[f.Name] = text.String()
			}
			base, exported, again := filepath.Join(t.TempDir(), "base"), filepath.Join(t.TempDir(), "exported"), filepath.Join(t.TempDir(), "again")
			r, err := Import(t.Context(), sentenceDir(t, files), base, silent())
			if err != nil || !reflect.DeepEqual(r.Sentence, want) {
				t.Fatalf("%+v, %v, want %+v", r.Sentence, err, want)
			}
			if _, err := Export(t.Context(), base, exported, ExportOptions{DType: "fp32"}, silent()); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(filepath.Join(exported, "2_Normalize")); (err == nil) != want.Normalize {
				t.Errorf("2_Normalize: %v", err)
			}
			if r, err = Import(t.Context(), exported, again, silent()); err != nil || !reflect.DeepEqual(r.Sentence, want) {
				t.Errorf("%+v, %v, want %+v", r.Sentence, err, want)
			}
			c, err := checkpoint.Open(exported)
			if err != nil {
				t.Fatal(err)
			}
			if text, err := c.File("1_Pooling/config.json"); err != nil || !bytes.Contains(text, []byte(`"word_embedding_dimension": `)) {
				t.Errorf("%s, %v", text, err)
			}
		})
	}
}

// What is not known of a way to make vectors is refused by name.
func TestImportSentenceRefused(t *testing.T) {
	for _, c := range []struct {
		name, want string
		files      map[string]string
	}{
		{"dense", "module 1 is a sentence_transformers.models.Dense", map[string]string{"modules.json": strings.Replace(oldModules, "models.Pooling", "models.Dense", 1)}},
		{"elsewhere", "its model is in 0_Transformer", map[string]string{"modules.json": strings.Replace(oldModules, `"path": ""`, `"path": "0_Transformer"`, 1)}},
		{"no pooling", "no module pools", map[string]string{"modules.json": `[{"name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]`}},
		{"nothing set", "no way to pool is set", map[string]string{"modules.json": oldModules, "1_Pooling/config.json": `{}`}},
		{"unknown", `pooling_mode "median" is not known`, map[string]string{"modules.json": oldModules, "1_Pooling/config.json": `{"pooling_mode": "median"}`}},
		{"lost", filepath.Join("1_Pooling", "config.json"), map[string]string{"modules.json": oldModules}},
		{"lower case", "do_lower_case changes texts", map[string]string{
			"modules.json": oldModules, "1_Pooling/config.json": oldPooling, "sentence_bert_config.json": `{"do_lower_case": true}`,
		}},
		{"prompt", `default_prompt_name is "passage", and there are the prompts query`, map[string]string{
			"modules.json": oldModules, "1_Pooling/config.json": oldPooling,
			"config_sentence_transformers.json": `{"prompts": {"query": ""}, "default_prompt_name": "passage"}`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dst := filepath.Join(t.TempDir(), "imported")
			_, err := Import(t.Context(), sentenceDir(t, c.files), dst, silent())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if _, err := os.Stat(dst); err == nil {
				t.Error("a checkpoint is there")
			}
		})
	}
}

// A model with more tokens makes vectors of texts as before.
func TestExtendKeepsSentence(t *testing.T) {
	dir := sentenceDir(t, map[string]string{"modules.json": oldModules, "1_Pooling/config.json": oldPooling})
	src, dst := filepath.Join(t.TempDir(), "imported"), filepath.Join(t.TempDir(), "extended")
	r, err := Import(t.Context(), dir, src, silent())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ExtendCheckpoint(src, dst, []tokenizer.AddedToken{{Content: "<new>", Special: true}}, 1); err != nil {
		t.Fatal(err)
	}
	made, err := checkpoint.Open(dst)
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := pretrained.ReadSentence(made); err != nil || !reflect.DeepEqual(kept, r.Sentence) {
		t.Errorf("kept %+v, %v, want %+v", kept, err, r.Sentence)
	}
}
