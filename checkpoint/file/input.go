// Package file opens the files that users bring with care, writes files so that they are
// there whole or not at all, and hashes them.
package file

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// Open opens a file that a user brings. It must be a regular one, since a pipe could wait for
// ever and a device have no end, and not what git-lfs leaves where the file itself was not
// fetched. The error is an *fs.PathError, which is the user's to mend.
func Open(path string) (*os.File, error) {
	info, err := os.Stat(path) // opening a pipe waits
	if err != nil {
		return nil, err
	}
	if err := regular(info.Mode()); err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	const pointer = "version https://git-lfs.github.com/spec/"
	head := make([]byte, len(pointer))
	if n, _ := f.ReadAt(head, 0); string(head[:n]) == pointer {
		f.Close()
		return nil, &fs.PathError{Op: "open", Path: path, Err: errPointer}
	}
	return f, nil
}

var (
	errDirectory = errors.New("is a directory, not a file")
	errPipe      = errors.New("is a pipe, and files are read more than once (hint: write it to a file)")
	errDevice    = errors.New("is a device, not a file")
	errOther     = errors.New("is not a regular file")
	errPointer   = errors.New("is a git-lfs pointer, not the file itself (hint: git lfs pull fetches it)")
)

func regular(m fs.FileMode) error {
	switch {
	case m.IsRegular():
		return nil
	case m.IsDir():
		return errDirectory
	case m&fs.ModeNamedPipe != 0:
		return errPipe
	case m&fs.ModeDevice != 0:
		return errDevice
	}
	return errOther
}

// OpenWith opens a file as Open does and gives it, with its size, to read, which keeps it open.
// Where read fails, the file is closed.
func OpenWith[T any](path string, read func(f *os.File, size int64) (T, error)) (v T, err error) {
	f, err := Open(path)
	if err != nil {
		return v, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return v, err
	}
	return read(f, info.Size())
}

// Read reads a file that a user brings, as Open opens it.
func Read(path string) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}
