package source

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// WriteFile writes a file that is there whole or not at all, also after a crash:
// under a temporary name, synced, renamed, and the directory synced.
func WriteFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".tmp-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return rename(f.Name(), path)
}

// PublishDir gives a finished directory, whose files are synced, its name. It
// fails where the name is taken by anything but an empty directory, with an
// error that differs between systems.
func PublishDir(tmp, dir string) error {
	if err := syncDir(tmp); err != nil {
		return err
	}
	os.Remove(dir) // only if empty: Windows would not rename over it
	return rename(tmp, dir)
}

func rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there; NTFS journals renames
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
