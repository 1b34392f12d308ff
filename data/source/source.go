// Package source turns files into records: it reads and writes Arrow IPC, and
// extracts the documents of a Go source tree.
//
// Files are not trusted. The metadata of an Arrow file is verified here before
// arrow-go sees any of it, and arrow-go is given only the columns that are
// read, under metadata written anew: damage gives an error that names the file
// and the record batch, or data (Arrow IPC carries no checksum), never a panic
// or a huge allocation. For files with a known SHA-256, see Hash.
package source

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
)

// kinds names the formats that Open knows.
const kinds = "Arrow IPC file, Arrow IPC stream"

var (
	arrowMagic   = []byte("ARROW1")
	continuation = []byte{0xff, 0xff, 0xff, 0xff}
)

// Open opens a file of records and verifies its structure, reading the metadata
// of all record batches but none of their data. What kind it is, its first
// bytes say, not its name.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("is a directory, not a file of records (known kinds: %s)", kinds)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("data: %s: %w", path, err)
	}
	a, err := openAt(path, f, info.Size())
	if err != nil {
		f.Close()
		return nil, err
	}
	a.closer = f
	return a, nil
}

// openAt is Open on what r holds.
func openAt(path string, r io.ReaderAt, size int64) (*File, error) {
	a := &File{path: path, r: r, size: size, first: []int64{0}}
	if err := a.index(); err != nil {
		return nil, fmt.Errorf("data: %s: %w", path, err)
	}
	return a, nil
}

// index finds out the kind of the file and where its record batches are.
func (a *File) index() error {
	head := make([]byte, min(a.size, 8))
	if err := a.readInto(head, 0); err != nil {
		return err
	}
	switch {
	case len(head) == 0:
		return fmt.Errorf("is empty (0 bytes)")
	case bytes.HasPrefix(head, arrowMagic):
		return a.indexFile()
	case bytes.HasPrefix(head, continuation):
		return a.indexStream()
	case bytes.HasPrefix(head, []byte("PAR1")):
		return fmt.Errorf("is a Parquet file, which is not read yet (known kinds: %s)", kinds)
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}), bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return fmt.Errorf("is compressed as a whole: decompress it first (known kinds: %s)", kinds)
	}
	return fmt.Errorf("is of no known kind: it begins with %q (known kinds: %s)", head, kinds)
}

// Hash returns the SHA-256, in hexadecimal digits, and the size of a file.
func Hash(path string) (sum string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, fmt.Errorf("data: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	if err != nil {
		return "", 0, fmt.Errorf("data: %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}

// Expand returns the files that a pattern names, sorted: a file itself, the
// Arrow files (*.arrow, *.arrows, *.feather, *.ipc) of a directory and of the
// directories in it, or what a glob pattern matches. Hidden files are left out,
// and the files cache-*, in which Hugging Face datasets keeps what it derived.
func Expand(pattern string) ([]string, error) {
	info, err := os.Stat(pattern)
	switch {
	case err == nil && !info.IsDir():
		return []string{pattern}, nil
	case err == nil:
		var files []string
		for _, p := range []string{"*", "*/*"} {
			all, err := fs.Glob(os.DirFS(pattern), p)
			if err != nil {
				return nil, fmt.Errorf("data: %s: %w", pattern, err)
			}
			for _, f := range all {
				base := path.Base(f)
				switch strings.ToLower(path.Ext(base)) {
				case ".arrow", ".arrows", ".feather", ".ipc":
					if !strings.HasPrefix(f, ".") && !strings.HasPrefix(base, ".") && !strings.HasPrefix(base, "cache-") {
						files = append(files, filepath.Join(pattern, filepath.FromSlash(f)))
					}
				}
			}
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("data: %s: the directory has no Arrow files (*.arrow, *.arrows, *.feather, *.ipc)", pattern)
		}
		sort.Strings(files)
		return files, nil
	case !strings.ContainsAny(pattern, "*?["):
		return nil, fmt.Errorf("data: %w", err)
	}
	files, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", pattern, err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("data: %s: no file matches", pattern)
	}
	sort.Strings(files)
	return files, nil
}
