// Package checkpoint writes and reads models on disk. A checkpoint is written as a whole
// or not at all.
//
// A checkpoint is a directory in the layout of a Hugging Face model, with the state of
// training and a manifest with the hash of each file. It is written to a temporary
// directory, synced and renamed. A directory that does not match its manifest is never
// taken as the latest checkpoint. The package does not interpret configurations and
// states, and knows only the sizes of tensors.
//
// Errors about the content of files mean that the user's input is wrong (exit code 2); those
// of the file system wrap an *fs.PathError.
package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"hone/checkpoint/file"
)

// File is a file of a checkpoint to be written.
type File struct {
	Name  string // a plain name: model.safetensors, config.json, …
	Write func(w io.Writer) error
}

// BytesFile is a file with the given content.
func BytesFile(name string, data []byte) File {
	return File{name, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}}
}

// TensorsFile is a safetensors file of the tensors. Their data is written from its
// place in memory when the checkpoint is saved.
func TensorsFile(name string, tensors []Tensor) File {
	return File{name, func(w io.Writer) error { return WriteSafetensors(w, tensors) }}
}

// StreamFile is a safetensors file of tensors without Data in memory: when the
// checkpoint is saved, write is called for one tensor after the other.
func StreamFile(name string, tensors []Tensor, write func(w io.Writer, t Tensor) error) File {
	return StreamFileWith(name, nil, tensors, write)
}

// StreamFileWith is StreamFile with metadata in the file's header.
func StreamFileWith(name string, metadata map[string]string, tensors []Tensor, write func(w io.Writer, t Tensor) error) File {
	return File{name, func(w io.Writer) error { return writeSafetensors(w, metadata, tensors, write) }}
}

// Save writes a checkpoint to dir (see StepDir), replacing one that is there. It
// fills in the fields of m that are known only when saving. The directory appears as
// a whole or not at all, even if the process is killed or the power fails; after an
// error the earlier checkpoint is still good. Save also removes what an interrupted
// Save left beside dir, so only one process at a time may save there (see LockRun).
func Save(dir string, m Manifest, files []File) error {
	if err := osDisk.save(filepath.Clean(dir), m, files); err != nil {
		return fmt.Errorf("checkpoint: save %s: %w", dir, err)
	}
	return nil
}

func (d disk) save(dir string, m Manifest, files []File) error {
	if name := filepath.Base(dir); strings.HasPrefix(name, ".") {
		return fmt.Errorf("%q cannot be the name of a checkpoint", name)
	}
	parent := filepath.Dir(dir)
	if err := d.mkdirAll(parent); err != nil {
		return err
	}
	if err := d.clean(parent); err != nil {
		return err
	}
	return d.stage(beside(dir, tmpPrefix), dir, func(tmp string) error { return d.fill(tmp, m, files) })
}

// Create writes a checkpoint to any directory. dir must not exist or must be an empty
// directory; nothing beside it is changed.
func Create(dir string, m Manifest, files []File) error {
	if err := osDisk.createDir(filepath.Clean(dir), m, files); err != nil {
		return fmt.Errorf("checkpoint: create %s: %w", dir, err)
	}
	return nil
}

// Vacant returns the error with which Create would refuse dir, to be checked before the work.
func Vacant(dir string) error {
	if err := vacant(filepath.Clean(dir)); err != nil {
		return fmt.Errorf("checkpoint: create %s: %w", dir, err)
	}
	return nil
}

func vacant(dir string) error {
	if name := filepath.Base(dir); strings.HasPrefix(name, ".") {
		return fmt.Errorf("%q cannot be the name of a checkpoint", name)
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && len(entries) > 0 {
		err = errors.New("the directory is not empty")
	}
	return err
}

func (d disk) createDir(dir string, m Manifest, files []File) error {
	if err := vacant(dir); err != nil {
		return err
	}
	if err := d.mkdirAll(filepath.Dir(dir)); err != nil {
		return err
	}
	// What an earlier process was ended in the midst of goes. The number of the process:
	// the directory of one that still writes is not ours to remove.
	if err := d.Sweep(filepath.Dir(dir), fs.FileMode.IsDir, func(name string) (pid string, ok bool) {
		name, ok = strings.CutPrefix(name, tmpPrefix)
		pid, of, _ := strings.Cut(name, "-")
		return pid, ok && of == filepath.Base(dir)
	}); err != nil {
		return err
	}
	tmp := beside(dir, fmt.Sprintf("%s%d-", tmpPrefix, os.Getpid()))
	return d.stage(tmp, dir, func(tmp string) error { return d.fill(tmp, m, files) })
}

// fill writes the files and then the manifest.
func (d disk) fill(tmp string, m Manifest, files []File) error {
	m.FormatVersion = formatVersion
	m.Files = make(map[string]file.Info, len(files))
	for _, f := range files {
		if err := checkName(f.Name); err != nil {
			return err
		}
		if _, ok := m.Files[f.Name]; ok {
			return fmt.Errorf("%s: given twice", f.Name)
		}
		path := filepath.Join(tmp, filepath.FromSlash(f.Name))
		if err := d.mkdirAll(filepath.Dir(path)); err != nil {
			return err
		}
		info, err := d.WriteNew(path, f.Write)
		if err == nil && strings.Contains(f.Name, "/") {
			err = d.SyncDir(filepath.Dir(path))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		m.Files[f.Name] = info
	}
	text, err := m.encode()
	if err != nil {
		return err
	}
	manifest := BytesFile(ManifestFile, text)
	if _, err := d.WriteNew(filepath.Join(tmp, ManifestFile), manifest.Write); err != nil {
		return fmt.Errorf("%s: %w", ManifestFile, err)
	}
	return nil
}
