// Package checkpoint keeps models on disk, so that what is there is whole.
//
// A checkpoint is a directory in the layout of a Hugging Face model plus the
// state of its training and a manifest with the hash of each file. It is
// written beside its place, synced and renamed; one that does not match its
// manifest does not exist for those who look for the latest. The package
// interprets no configuration and no state, and of a tensor only its size.
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

// BytesFile is a file that holds data.
func BytesFile(name string, data []byte) File {
	return File{name, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}}
}

// TensorsFile is a safetensors file of the tensors, which are written from
// where they lie when the checkpoint is saved.
func TensorsFile(name string, tensors []Tensor) File {
	return File{name, func(w io.Writer) error { return WriteSafetensors(w, tensors) }}
}

// StreamFile is a safetensors file of tensors whose Data nobody holds: when the
// checkpoint is saved, write is called for one after the other.
func StreamFile(name string, tensors []Tensor, write func(w io.Writer, t Tensor) error) File {
	return File{name, func(w io.Writer) error { return writeSafetensors(w, tensors, write) }}
}

// Save writes a checkpoint to dir (see StepDir), in the place of one that may
// be there. The fields of m that only saving can know are filled in. The
// directory appears whole or not at all, whenever the process ends or the power
// fails; after an error the checkpoint that was there before is still good. It
// also removes what an interrupted Save left beside dir: one process at a time
// saves there (see LockRun).
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

// Create writes a checkpoint to dir as Save does, anywhere: dir must not be there yet, or
// be an empty directory, and nothing beside it is touched.
func Create(dir string, m Manifest, files []File) error {
	if err := osDisk.createDir(filepath.Clean(dir), m, files); err != nil {
		return fmt.Errorf("checkpoint: create %s: %w", dir, err)
	}
	return nil
}

// Vacant says why Create would refuse dir, before the work is done.
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
		info, err := d.WriteNew(filepath.Join(tmp, f.Name), f.Write)
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
