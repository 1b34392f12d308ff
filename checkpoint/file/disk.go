package file

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

// Disk is every call that changes the file system on the way of a file or a directory to its
// place, so that a test can make each of them fail.
type Disk struct {
	Mkdir   func(path string) error
	Create  func(path string) (*os.File, error) // for writing; must not exist
	Write   func(f *os.File, p []byte) (int, error)
	Sync    func(f *os.File) error
	Close   func(f *os.File) error
	Rename  func(from, to string) error
	Link    func(from, to string) error
	Remove  func(path string) error // with all that is in it; may be gone already
	SyncDir func(path string) error
}

// OS is the operating system's.
var OS = Disk{
	Mkdir: func(path string) error { return os.Mkdir(path, 0o777) },
	Create: func(path string) (*os.File, error) {
		return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	},
	Write:   (*os.File).Write,
	Sync:    (*os.File).Sync,
	Close:   (*os.File).Close,
	Rename:  os.Rename,
	Link:    os.Link,
	Remove:  os.RemoveAll,
	SyncDir: SyncDir,
}

// Unfinished is in the name of what is not finished or no longer wanted.
const Unfinished = ".tmp-"

// Info is the content of a file in short.
type Info struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hexadecimal
}

// A writer writes to a file and hashes what it writes.
type writer struct {
	d    Disk
	f    *os.File
	hash hash.Hash
	size int64
}

func (w *writer) Write(p []byte) (int, error) {
	n, err := w.d.Write(w.f, p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	w.hash.Write(p[:n])
	w.size += int64(n)
	return n, err
}

// WriteNew makes the file path, fills and syncs it. What an error leaves
// behind is the caller's to remove.
func (d Disk) WriteNew(path string, fill func(io.Writer) error) (Info, error) {
	f, err := d.Create(path)
	if err != nil {
		return Info{}, err
	}
	w := &writer{d: d, f: f, hash: sha256.New()}
	buf := bufio.NewWriterSize(w, 1<<16)
	err = fill(buf)
	if err == nil {
		err = buf.Flush()
	}
	if err == nil {
		err = d.Sync(f)
	}
	if closeErr := d.Close(f); err == nil {
		err = closeErr
	}
	return Info{Size: w.size, SHA256: hex.EncodeToString(w.hash.Sum(nil))}, err
}

// Sweep removes from a directory the temporary files of processes that have ended: those of
// a kind, in whose names pidOf finds the number of a process.
func (d Disk) Sweep(dir string, kind func(fs.FileMode) bool, pidOf func(name string) (pid string, ok bool)) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		pid, ok := pidOf(e.Name())
		if !ok || !kind(e.Type()) || !decimal(pid) || Alive(pid) {
			continue
		}
		if err := d.Remove(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func decimal(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// Alive tells whether there is a process of a number, this one included.
func Alive(number string) bool {
	pid, err := strconv.Atoi(number)
	if err != nil {
		return false
	}
	p, err := os.FindProcess(pid)
	return err == nil && !errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}

// Write replaces the file path by one that fill writes, in one step: after a crash at any
// moment it holds the old content or the new, and after a return without error the new.
func Write(path string, fill func(io.Writer) error) (Info, error) { return OS.Replace(path, fill) }

// WriteBytes is Write of data.
func WriteBytes(path string, data []byte) error {
	_, err := Write(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	return err
}

// written numbers the temporary files of this process.
var written atomic.Int64

// Replace is Write on a disk.
func (d Disk) Replace(path string, fill func(io.Writer) error) (Info, error) {
	dir, base := filepath.Split(path)
	leftover := "." + base + Unfinished
	if err := d.Sweep(filepath.Clean(dir), fs.FileMode.IsRegular, func(name string) (pid string, ok bool) {
		name, ok = strings.CutPrefix(name, leftover)
		pid, number, _ := strings.Cut(name, "-")
		return pid, ok && decimal(number)
	}); err != nil {
		return Info{}, err
	}
	// The number of the process keeps two of them apart, the other one two
	// goroutines; one left by a dead process of the same number is not ours.
	tmp := filepath.Join(dir, fmt.Sprintf("%s%d-%d", leftover, os.Getpid(), written.Add(1)))
	info, err := d.WriteNew(tmp, fill)
	if errors.Is(err, fs.ErrExist) {
		return d.Replace(path, fill)
	}
	if err == nil {
		err = d.Rename(tmp, path)
	}
	if err != nil {
		// The first error counts; a file that cannot be removed stays.
		_ = d.Remove(tmp)
		return Info{}, err
	}
	return info, d.SyncDir(filepath.Clean(dir))
}

// Publish gives a finished directory, whose files are synced, its name. It fails where the
// name is taken by anything but an empty directory, with an error that differs between systems.
func Publish(tmp, dir string) error {
	if err := SyncDir(tmp); err != nil {
		return err
	}
	os.Remove(dir) // only if empty: Windows would not rename over it
	if err := OS.Rename(tmp, dir); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(dir))
}
