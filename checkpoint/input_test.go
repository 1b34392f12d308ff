package checkpoint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOpenInput(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, ModelFile)
	if err := os.WriteFile(path, []byte("version https://git-lfs.github.com/spec/v1\noid sha256:4f4f\nsize 21484555\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, safetensors := OpenSafetensors(path)
	_, text := ReadInput(path)
	for _, err := range []error{safetensors, text} {
		if err == nil || !strings.Contains(err.Error(), "git-lfs") || !strings.Contains(err.Error(), path) {
			t.Errorf("%v", err)
		}
	}
	if _, err := OpenInput(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a directory: %v", err)
	}
}
