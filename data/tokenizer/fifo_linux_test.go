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
	for p, want := range map[string]string{path: "is a pipe", "/dev/zero": "is a device"} {
		if _, err := Open(p); err == nil || !strings.Contains(err.Error(), p+": "+want) {
			t.Errorf("%s: %v", p, err)
		}
	}
}
