package exchange

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hone/checkpoint"
	"hone/data/hub"
	"hone/data/hub/hubtest"
)

// Of what repositories have, Import's own files are fetched, and the weights once.
func TestModelFiles(t *testing.T) {
	const about = "config.json README.md tokenizer.json tokenizer_config.json vocab.txt merges.txt spiece.model sentencepiece.bpe.model generation_config.json"
	const others = " .gitattributes onnx/model.onnx onnx/config.json tf_model.h5 flax_model.msgpack model.fp16.safetensors consolidated.safetensors original/params.json training_args.bin optimizer.pt rust_model.ot"
	for _, c := range []struct{ weights, want string }{
		{"model.safetensors pytorch_model.bin", "model.safetensors"},
		{"model-00001-of-00002.safetensors model-00002-of-00002.safetensors model.safetensors.index.json pytorch_model-00001-of-00001.bin", "model-00001-of-00002.safetensors model-00002-of-00002.safetensors model.safetensors.index.json"},
		{"pytorch_model-00001-of-00001.bin pytorch_model.bin.index.json", "pytorch_model-00001-of-00001.bin pytorch_model.bin.index.json"},
	} {
		s := &hub.Snapshot{}
		for _, name := range strings.Fields(about + others + " " + c.weights) {
			s.Files = append(s.Files, hub.File{Path: name})
		}
		want, err := modelFiles(s)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range s.Files {
			if want(f) {
				names = append(names, f.Path)
			}
		}
		if got := strings.Join(names, " "); got != about+" "+c.want {
			t.Errorf("of %s: %s", c.weights, got)
		}
	}
}

// What is not read is refused by what there is, before anything is fetched.
func TestModelFilesRefused(t *testing.T) {
	for _, c := range []struct{ name, files, want string }{
		{"hf:org/name", "a.txt", "hf:org/name: it has no model.safetensors or pytorch_model.bin with its weights: it has a.txt"},
		{"hf:org/name", "adapter_config.json adapter_model.safetensors", "hf:org/name is a PEFT adapter"},
		{"hf:org/name", "config.json name.Q4_0.gguf name.Q8_0.gguf", "hf:org/name: its weights are in GGUF files: name.Q4_0.gguf, name.Q8_0.gguf (hint: name one of them, as in hf:org/name/name.Q4_0.gguf)"},
		{"hf:org/name/x.gguf", "name.Q4_0.gguf", "hf:org/name/x.gguf: the model has no GGUF file x.gguf: it has name.Q4_0.gguf"},
		{"hf:org/name/model.safetensors", "model.safetensors", "the model has no GGUF file model.safetensors: it has none"},
	} {
		ref, err := hub.Parse(c.name)
		if err != nil {
			t.Fatal(err)
		}
		s := &hub.Snapshot{Ref: ref}
		for _, name := range strings.Fields(c.files) {
			s.Files = append(s.Files, hub.File{Path: name})
		}
		if _, err := modelFiles(s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of %s: %v", c.name, c.files, err)
		}
	}
	// A GGUF file alone, and one of its parts, stand for the whole model.
	s := &hub.Snapshot{Ref: hub.Ref{Repo: "org/name", Part: "q/m-00002-of-00002.gguf"}, Files: []hub.File{{Path: "README.md"}, {Path: "q/m-00001-of-00002.gguf"}, {Path: "q/m-00002-of-00002.gguf"}, {Path: "m.gguf"}}}
	want, err := modelFiles(s)
	if err != nil || !want(s.Files[0]) || !want(s.Files[1]) || !want(s.Files[2]) || want(s.Files[3]) {
		t.Errorf("of a model in parts: %v", err)
	}
}

// A model of another library's is imported once, and again where its files are others.
func TestCached(t *testing.T) {
	cache, src := t.TempDir(), filepath.Join(t.TempDir(), "model")
	if err := os.CopyFS(src, os.DirFS(filepath.Join(huggingFaceDir, "gpt2"))); err != nil {
		t.Fatal(err)
	}
	o := silent()
	imports := 0
	o.Say = func(line string) {
		if strings.Contains(line, ": importing it into "+cache) {
			imports++
		}
	}
	cached := func() string {
		t.Helper()
		if !Importable(src) {
			t.Fatalf("%s is not importable", src)
		}
		dir, err := Cached(t.Context(), src, cache, o)
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
	first := cached()
	if again := cached(); again != first || imports != 1 {
		t.Errorf("%d imports, into %s and %s", imports, first, again)
	}
	if Importable(first) || Importable(t.TempDir()) || Importable("none") || Importable("hub_test.go") {
		t.Error("what is no model of another library's is called importable")
	}
	dst := filepath.Join(t.TempDir(), "dst")
	if _, err := Import(t.Context(), src, dst, silent()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{checkpoint.ModelFile, checkpoint.ConfigFile, checkpoint.TokenizerFile, checkpoint.ManifestFile} {
		a, err1 := os.ReadFile(filepath.Join(first, name))
		b, err2 := os.ReadFile(filepath.Join(dst, name))
		if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Errorf("%s is another than that of an import: %v, %v", name, err1, err2)
		}
	}
	config := filepath.Join(src, checkpoint.ConfigFile)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, append(text, '\n'), 0o666); err != nil {
		t.Fatal(err)
	}
	if other := cached(); other == first || imports != 2 {
		t.Errorf("%d imports, and after a change %s as before", imports, other)
	}
	if _, err := Cached(t.Context(), src, "", o); err == nil || !strings.Contains(err.Error(), "no cache directory to import it into") {
		t.Error(err)
	}
}

// A GGUF file on the hub, too.
func TestCachedFromHub(t *testing.T) {
	server := hubtest.Start()
	defer server.Close()
	t.Setenv("HF_ENDPOINT", server.URL)
	t.Setenv("HF_TOKEN", "hf_x")
	text, err := os.ReadFile("testdata/gguf/llama.gguf")
	if err != nil {
		t.Fatal(err)
	}
	commit := server.Commit("models/org/name", map[string]string{"q/llama.gguf": string(text), "other.gguf": "GGUF", "README.md": "---\nlicense: mit\n---\n"})
	cache := t.TempDir()
	dir, err := Cached(t.Context(), "hf:org/name/q/llama.gguf", cache, silent())
	if err != nil {
		t.Fatal(err)
	}
	c, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if o := c.Manifest.Provenance[0].Imported; o.Endpoint != server.URL || o.Repo != "org/name" || o.Commit != commit || o.Licence == "" || len(o.Files) != 1 {
		t.Errorf("it is said to be from %+v", o)
	}
	server.Requests()
	again, err := Cached(t.Context(), "hf:org/name/q/llama.gguf@"+commit, cache, silent())
	if n := len(server.Requests()); err != nil || again != dir || n > 0 {
		t.Errorf("once more: %s after %d requests, %v", again, n, err)
	}
}
