// Package source reads records from files: Arrow IPC files and streams, Parquet,
// JSON, also of SQuAD's form, CSV, TSV, FASTA, CoNLL columns, CoNLL-U and plain text, also of parallel lines, each also compressed with gzip or zstd,
// directories of Hugging Face datasets, and a Go source tree. It writes shards of
// Arrow IPC, and rows with columns added to them as JSON, CSV, Arrow or Parquet.
//
// A Table describes a file of any format, and a Scanner reads it in order and in
// bounded memory. A File is an Arrow file for random access.
//
// Files are not trusted. Every length in an Arrow file is verified here before
// arrow-go sees the columns: damage gives an error with the file and the record batch,
// or wrong data (Arrow IPC has no checksums), but never a panic or a huge allocation.
// For files with a known SHA-256, see Hash.
//
// Errors mean that the user's file or options are wrong (exit code 2), except those of
// the file system, which wrap an *fs.PathError or a syscall.Errno.
package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"

	"hone/checkpoint/file"
)

// Open opens an Arrow IPC file or stream for random access and verifies its
// structure, reading the metadata of all record batches but none of their data.
// Its first bytes, not its name, decide which of the two it is. Descriptors are
// shared: any number of files may be open.
func Open(path string) (*File, error) {
	h, err := openHandle(path)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", path, bare(err))
	}
	a, err := openAt(path, h, h.size)
	if err != nil {
		h.Close()
		return nil, err
	}
	a.closer = h
	return a, nil
}

// openAt is Open on what r holds.
func openAt(path string, r io.ReaderAt, size int64) (*File, error) {
	a := &File{path: path, r: r, size: size, first: []int64{0}, most: maxBatch}
	if err := a.index(); err != nil {
		return nil, fmt.Errorf("data: %s: %w", path, err)
	}
	return a, nil
}

// index determines the kind of the file and the places of its record batches.
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
	}
	return fmt.Errorf("is not an Arrow file: it begins with %q", head)
}

// Hash returns the SHA-256, in hexadecimal digits, and the size of a file; of a path with braces, those of
// what sha256sum prints for its files, and their sizes.
func Hash(ctx context.Context, path string) (sum string, size int64, err error) {
	if files, _ := parallel(path); files != nil {
		h := sha256.New()
		for _, f := range files {
			one, n, err := Hash(ctx, f)
			if err != nil {
				return "", 0, err
			}
			fmt.Fprintf(h, "%s  %s\n", one, filepath.Base(f))
			size += n
		}
		return hex.EncodeToString(h.Sum(nil)), size, nil
	}
	info, err := file.Hash(ctx, path, nil)
	if err != nil {
		return "", 0, fmt.Errorf("data: %s: %w", path, bare(err))
	}
	return info.SHA256, info.Size, nil
}
