package exchange

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"hone/checkpoint"
)

// A model saved by PyTorch, whole or in shards, becomes the checkpoint that its safetensors do.
func TestImportPyTorch(t *testing.T) {
	want, err := os.ReadFile(filepath.Join(importModel(t, "llama"), checkpoint.ModelFile))
	if err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string][]string{
		"whole":  {"pytorch_model.bin"},
		"shards": {"pytorch_model.bin.index.json", "pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"},
	} {
		dir := filepath.Join(t.TempDir(), "model")
		if err := os.CopyFS(dir, os.DirFS(filepath.Join(huggingFaceDir, "llama"))); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(dir, checkpoint.ModelFile)); err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(filepath.Join("testdata/pytorch", file))
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, file), data)
		}
		dst := filepath.Join(t.TempDir(), "made")
		if _, err := Import(t.Context(), dir, dst, silent()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := os.ReadFile(filepath.Join(dst, checkpoint.ModelFile))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: the weights differ, %v", name, err)
		}
	}
}
