package checkpoint

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// disk is every call through which the package changes the file system, so
// that a test can make each of them fail.
type disk struct {
	mkdir   func(path string) error
	create  func(path string) (*os.File, error) // for writing; must not exist
	write   func(f *os.File, p []byte) (int, error)
	sync    func(f *os.File) error
	close   func(f *os.File) error
	rename  func(from, to string) error
	link    func(from, to string) error
	remove  func(path string) error // with all that is in it; may be gone already
	syncDir func(path string) error
}

var osDisk = disk{
	mkdir: func(path string) error { return os.Mkdir(path, 0o777) },
	create: func(path string) (*os.File, error) {
		return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	},
	write:   (*os.File).Write,
	sync:    (*os.File).Sync,
	close:   (*os.File).Close,
	rename:  os.Rename,
	link:    os.Link,
	remove:  os.RemoveAll,
	syncDir: syncDir,
}

// A directory that is not finished, or no longer wanted, is called .tmp-NAME,
// one that makes room for its successor .old-NAME until that is in place.
const (
	tmpPrefix = ".tmp-"
	oldPrefix = ".old-"
)

// beside returns the path of dir with prefix before its name.
func beside(dir, prefix string) string {
	return filepath.Join(filepath.Dir(dir), prefix+filepath.Base(dir))
}

func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// mkdirAll makes dir and what is missing above it, durably.
func (d disk) mkdirAll(dir string) error {
	if ok, err := exists(dir); ok || err != nil {
		return err
	}
	parent := filepath.Dir(dir)
	if err := d.mkdirAll(parent); err != nil {
		return err
	}
	if err := d.mkdir(dir); err != nil {
		return err
	}
	return d.syncDir(parent)
}

// A fileWriter writes to a file and hashes what it writes.
type fileWriter struct {
	d    disk
	f    *os.File
	hash hash.Hash
	size int64
}

func (w *fileWriter) Write(p []byte) (int, error) {
	n, err := w.d.write(w.f, p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	w.hash.Write(p[:n])
	w.size += int64(n)
	return n, err
}

// writeNew makes the file path, fills and syncs it. What an error leaves
// behind is the caller's to remove.
func (d disk) writeNew(path string, fill func(io.Writer) error) (FileInfo, error) {
	f, err := d.create(path)
	if err != nil {
		return FileInfo{}, err
	}
	w := &fileWriter{d: d, f: f, hash: sha256.New()}
	buf := bufio.NewWriterSize(w, 1<<16)
	err = fill(buf)
	if err == nil {
		err = buf.Flush()
	}
	if err == nil {
		err = d.sync(f)
	}
	if closeErr := d.close(f); err == nil {
		err = closeErr
	}
	return FileInfo{Size: w.size, SHA256: hex.EncodeToString(w.hash.Sum(nil))}, err
}

// free is path, or a name like it where something stands there already that was not
// cleaned away: a link that somebody has planted, say. It is not hone's to touch.
func free(path string) (string, error) {
	name := path
	for n := 2; ; n++ {
		if taken, err := exists(name); !taken || err != nil {
			return name, err
		}
		name = fmt.Sprintf("%s.%d", path, n)
	}
}

// stage makes the directory tmp, has it filled, and puts it in the place of dir.
func (d disk) stage(tmp, dir string, fill func(tmp string) error) error {
	tmp, err := free(tmp)
	if err != nil {
		return err
	}
	if err := d.mkdir(tmp); err != nil {
		return err
	}
	err = fill(tmp)
	if err == nil {
		err = d.publish(tmp, dir)
	}
	if err != nil {
		// A disk that is full gets its room back. The first error counts: what
		// cannot be removed now, the next save removes.
		_ = d.remove(tmp)
	}
	return err
}

// publish puts the directory tmp, whose files are synced, in the place of dir.
// The directory that was there stands aside until the new one is in place, so
// that one of them is always whole: Linux and macOS could exchange the two in one
// call, Windows could not, and one way for all is tested everywhere.
func (d disk) publish(tmp, dir string) error {
	if err := d.syncDir(tmp); err != nil {
		return err
	}
	replaces, err := exists(dir)
	if err != nil {
		return err
	}
	old := beside(dir, oldPrefix)
	if replaces {
		if err := d.rename(dir, old); err != nil {
			return err
		}
	}
	if err := d.rename(tmp, dir); err != nil {
		if replaces {
			err = errors.Join(err, d.rename(old, dir))
		}
		return err
	}
	if err := d.syncDir(filepath.Dir(dir)); err != nil {
		return err
	}
	if replaces {
		return d.retire(old, dir)
	}
	return nil
}

// clean removes from parent what interrupted saves and WriteFiles left there, and puts
// back a directory whose successor never arrived. Nobody else may be writing there.
func (d disk) clean(parent string) error {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return err
	}
	for _, e := range entries {
		half := e.IsDir() && strings.HasPrefix(e.Name(), tmpPrefix) ||
			e.Type().IsRegular() && strings.HasPrefix(e.Name(), ".") && strings.Contains(e.Name(), tmpPrefix)
		if half {
			if err := d.remove(filepath.Join(parent, e.Name())); err != nil {
				return err
			}
		}
	}
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name(), oldPrefix)
		if !ok || !e.IsDir() {
			continue
		}
		old, dir := filepath.Join(parent, e.Name()), filepath.Join(parent, name)
		arrived, err := exists(dir)
		if err != nil {
			return err
		}
		if arrived {
			err = d.retire(old, dir)
		} else {
			err = d.rename(old, dir)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sweep removes from a directory the temporary files of processes that have ended: those of
// a kind, in whose names pidOf finds the number of a process.
func (d disk) sweep(dir string, kind func(fs.FileMode) bool, pidOf func(name string) (pid string, ok bool)) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		pid, ok := pidOf(e.Name())
		if !ok || !kind(e.Type()) || !decimal(pid) || alive(pid) {
			continue
		}
		if err := d.remove(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func decimal(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// alive tells whether there is a process of a number, this one included.
func alive(number string) bool {
	pid, err := strconv.Atoi(number)
	if err != nil {
		return false
	}
	p, err := os.FindProcess(pid)
	return err == nil && !errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}

// WriteFile replaces the file path by one that holds data, in one step: after
// a crash at any moment it holds the old content or the new, and after a return
// without error the new.
func WriteFile(path string, data []byte) error { return osDisk.writeFile(path, data) }

// written numbers the temporary files of this process.
var written atomic.Int64

func (d disk) writeFile(path string, data []byte) error {
	leftover := "." + filepath.Base(path) + tmpPrefix
	if err := d.sweep(filepath.Dir(path), fs.FileMode.IsRegular, func(name string) (pid string, ok bool) {
		name, ok = strings.CutPrefix(name, leftover)
		pid, number, _ := strings.Cut(name, "-")
		return pid, ok && decimal(number)
	}); err != nil {
		return err
	}
	// The number of the process keeps two of them apart, the other one two
	// goroutines; one left by a dead process of the same number is not ours.
	tmp := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s%s%d-%d", filepath.Base(path), tmpPrefix, os.Getpid(), written.Add(1)))
	_, err := d.writeNew(tmp, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	if errors.Is(err, fs.ErrExist) {
		return d.writeFile(path, data)
	}
	if err == nil {
		err = d.rename(tmp, path)
	}
	if err != nil {
		// The first error counts; a file that cannot be removed stays.
		_ = d.remove(tmp)
		return err
	}
	return d.syncDir(filepath.Dir(path))
}
