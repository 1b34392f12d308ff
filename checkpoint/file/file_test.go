package file

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is no file of its own is refused, by what it is.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	pointer := filepath.Join(dir, "model.safetensors")
	if err := os.WriteFile(pointer, []byte("version https://git-lfs.github.com/spec/v1\noid sha256:4f4f\nsize 21484555\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{dir: "is a directory", pointer: "git-lfs pointer", os.DevNull: "is a device"} {
		_, open := Open(path)
		_, read := Read(path)
		_, hash := Hash(context.Background(), path, nil)
		for _, err := range []error{open, read, hash} {
			var fault *fs.PathError
			if !errors.As(err, &fault) || fault.Path != path || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
	if _, err := Open(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestHash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	data := []byte(strings.Repeat("abc", 1<<20))
	if err := WriteBytes(path, data); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	var last int64
	info, err := Hash(context.Background(), path, func(done, total int64) {
		if done < last || total != int64(len(data)) {
			t.Errorf("progress %d of %d", done, total)
		}
		last = done
	})
	if want := (Info{int64(len(data)), hex.EncodeToString(sum[:])}); err != nil || info != want || last != info.Size {
		t.Errorf("%+v, %v, want %+v", info, err, want)
	}
	ctx, cancel := context.WithCancel(context.Background())
	_, err = Hash(ctx, path, func(int64, int64) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a hash of a canceled context: %v", err)
	}
}
