package checkpoint

import (
	"fmt"
	"io"
	"os"
)

// OpenInput opens a file that a user brings. It must be a regular one, since a pipe
// could wait for ever and a device have no end, and not what git-lfs leaves where
// the file itself was not fetched.
func OpenInput(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	const pointer = "version https://git-lfs.github.com/spec/"
	head := make([]byte, len(pointer))
	if n, _ := f.ReadAt(head, 0); string(head[:n]) == pointer {
		f.Close()
		return nil, fmt.Errorf("%s: a git-lfs pointer, not the file itself (hint: git lfs pull fetches it)", path)
	}
	return f, nil
}

// ReadInput reads a file that a user brings, as OpenInput opens it.
func ReadInput(path string) ([]byte, error) {
	f, err := OpenInput(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}
