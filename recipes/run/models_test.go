package run

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"hone/recipes"
)

// modelsDir has models that transformers wrote.
const modelsDir = "../exchange/testdata/huggingface"

type quietBar struct{}

func (quietBar) Set(done, total int64, note string) {}
func (quietBar) Close()                             {}

func quiet() recipes.Console {
	return recipes.Console{Say: func(string) {}, Bar: func(string, string) recipes.Bar { return quietBar{} }}
}

func writeFile(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
}

func removeFile(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// modelCopy copies the directory of a model.
func modelCopy(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(modelsDir, name))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// setJSON sets keys of a JSON file.
func setJSON(t *testing.T, path string, keys map[string]any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	for k, v := range keys {
		all[k] = v
	}
	if b, err = json.Marshal(all); err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, b)
}
