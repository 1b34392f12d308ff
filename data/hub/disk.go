package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"hone/checkpoint/file"
)

// incomplete ends the name of a directory with a part of a file.
const incomplete = ".incomplete"

// claimed numbers the downloads of this process.
var claimed atomic.Int64

// claim makes a directory for the download of a blob that is this call's alone, named
// BLOB.PID-NUMBER.incomplete. It takes up what an earlier download has left, or one whose
// process is gone: of several processes, one gets it, and another begins anew.
func claim(blob string) (dir string, err error) {
	dir = fmt.Sprintf("%s.%d-%d%s", blob, os.Getpid(), claimed.Add(1), incomplete)
	entries, err := os.ReadDir(filepath.Dir(blob))
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), filepath.Base(blob))
		rest, end := strings.CutSuffix(rest, incomplete)
		if !ok || !end || held(rest) {
			continue
		}
		if os.Rename(filepath.Join(filepath.Dir(blob), e.Name()), dir) == nil {
			return dir, nil
		}
	}
	return dir, os.Mkdir(dir, 0o777)
}

// held tells whether a part is a running process's, by what its name has between those of the
// blob and of the kind: ".PID-NUMBER", or nothing where it was left.
func held(between string) bool {
	pid, _, ok := strings.Cut(strings.TrimPrefix(between, "."), "-")
	return between != "" && (!ok || file.Alive(pid))
}

// release leaves a part to who comes next. Where another has left one already, that stays.
func release(dir, blob string) {
	if os.Rename(dir, blob+incomplete) != nil {
		_ = os.RemoveAll(dir)
	}
}

// whole tells whether a file of the cache is there: it has its name when all of it has been
// checked.
func whole(path string, size int64) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular() && info.Size() == size
}

// place gives a file that has been checked a further name, beside its own. One of the same
// content that has the name already keeps it, since another process may be reading or linking
// it.
func place(from, to string, size int64) error {
	err := os.Link(from, to)
	if errors.Is(err, fs.ErrExist) {
		if whole(to, size) {
			return nil
		}
		if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		err = os.Link(from, to)
	}
	if err != nil { // a file system without hard links: the file moves
		err = os.Rename(from, to)
	}
	if err != nil {
		return err
	}
	return file.SyncDir(filepath.Dir(to))
}

// writeFile writes a file whole, and the directories above it.
func writeFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return file.WriteBytes(path, data)
}
