package tokenizer

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A pipe that nobody writes to is refused, not waited for.
func TestFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokenizer.json")
	if err := syscall.Mkfifo(path, 0o666); err != nil {
		t.Skip(err)
	}
	for _, p := range []string{path, "/dev/zero"} {
		if _, err := Open(p); err == nil || !strings.Contains(err.Error(), p+": not a regular file") {
			t.Errorf("%s: %v", p, err)
		}
	}
}
