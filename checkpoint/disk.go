package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"hone/checkpoint/file"
)

// disk is what a checkpoint is written to.
type disk struct{ file.Disk }

var osDisk = disk{file.OS}

// A directory that is not finished, or no longer wanted, is called .tmp-NAME,
// one that makes room for its successor .old-NAME until that is in place.
const (
	tmpPrefix = file.Unfinished
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
	if err := d.Mkdir(dir); err != nil {
		return err
	}
	return d.SyncDir(parent)
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
	if err := d.Mkdir(tmp); err != nil {
		return err
	}
	err = fill(tmp)
	if err == nil {
		err = d.publish(tmp, dir)
	}
	if err != nil {
		// A disk that is full gets its room back. The first error counts: what
		// cannot be removed now, the next save removes.
		_ = d.Remove(tmp)
	}
	return err
}

// publish puts the directory tmp, whose files are synced, in the place of dir.
// The directory that was there stands aside until the new one is in place, so
// that one of them is always whole: Linux and macOS could exchange the two in one
// call, Windows could not, and one way for all is tested everywhere.
func (d disk) publish(tmp, dir string) error {
	if err := d.SyncDir(tmp); err != nil {
		return err
	}
	replaces, err := exists(dir)
	if err != nil {
		return err
	}
	old := beside(dir, oldPrefix)
	if replaces {
		if err := d.Rename(dir, old); err != nil {
			return err
		}
	}
	if err := d.Rename(tmp, dir); err != nil {
		if replaces {
			err = errors.Join(err, d.Rename(old, dir))
		}
		return err
	}
	if err := d.SyncDir(filepath.Dir(dir)); err != nil {
		return err
	}
	if replaces {
		return d.retire(old, dir)
	}
	return nil
}

// clean removes from parent what interrupted saves and file.Write left there, and puts
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
			if err := d.Remove(filepath.Join(parent, e.Name())); err != nil {
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
			err = d.Rename(old, dir)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
