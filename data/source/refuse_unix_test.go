//go:build unix

package source

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestRefused opens, in every way, what is no corpus though it has the name of one: the
// error says what it is, and nothing waits.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe.jsonl")
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4f4f\nsize 21484555\n"
	paths := map[string]string{pipe: "is a pipe", "/dev/zero": "is a device", dir: "is a directory"}
	for name := range extensions {
		for packed, end := range map[string]string{"": "", gzipPacked: ".gz"} {
			path := filepath.Join(dir, "lfs"+packed+name+end)
			if err := os.WriteFile(path, []byte(pointer), 0o644); err != nil {
				t.Fatal(err)
			}
			paths[path] = "is a git-lfs pointer"
		}
	}
	for name, content := range map[string]string{
		"le.csv": "\xff\xfet\x00e\x00x\x00t\x00\n\x00", "be.jsonl": "\xfe\xff\x00{\x00}", "bare.txt": "w\x00o\x00r\x00d\x00s\x00 \x00a\x00n\x00d\x00",
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		paths[path] = "is text in UTF-16"
	}
	ctx := context.Background()
	for path, want := range paths {
		_, describe := Describe(ctx, path, Options{})
		_, random := RandomAccess(path)
		_, open := Open(path)
		_, _, hash := Hash(ctx, path)
		errs := []error{describe, random, open, hash}
		if strings.Contains(want, "UTF-16") { // for who reads text alone
			errs = errs[:1]
		}
		for i, err := range errs {
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s, %d: %v, want %s", path, i, err, want)
			}
		}
	}
}
