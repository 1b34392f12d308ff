package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// RemoveStage removes the checkpoints of a stage, including the final one: the files that
// their manifests list, what interrupted saves left, and the directories that are empty then.
// Other files are kept, and left names them. Symbolic links are neither followed nor removed.
func RemoveStage(stageDir string) (left []string, err error) {
	if left, err = osDisk.removeStage(filepath.Clean(stageDir)); err != nil {
		err = fmt.Errorf("checkpoint: remove: %w", err)
	}
	return left, err
}

func (d disk) removeStage(stageDir string) (left []string, err error) {
	if ok, err := isRealDir(stageDir); !ok || err != nil {
		return nil, err
	}
	if err := d.clean(stageDir); err != nil {
		return nil, err
	}
	var dirs []string
	steps := filepath.Join(stageDir, stepsDir)
	ok, err := isRealDir(steps)
	if err != nil {
		return nil, err
	}
	if ok {
		if err := d.clean(steps); err != nil {
			return nil, err
		}
		found, err := stepsOf(stageDir)
		if err != nil {
			return nil, err
		}
		for _, step := range found {
			dirs = append(dirs, StepDir(stageDir, step))
		}
	}
	for _, dir := range append(dirs, FinalDir(stageDir)) {
		if err := d.removeCheckpoint(dir); err != nil {
			return nil, err
		}
	}
	for _, dir := range append(dirs, FinalDir(stageDir), steps, stageDir) {
		more, err := d.removeEmpty(dir)
		if err != nil {
			return left, err
		}
		left = append(left, more...)
	}
	return slices.DeleteFunc(left, func(path string) bool { // what is itself explained by what it holds
		return slices.ContainsFunc(left, func(other string) bool { return filepath.Dir(other) == path })
	}), nil
}

// removeCheckpoint removes the files of a checkpoint that its manifest lists, those of
// ordinary names where it is damaged; the manifest last, so that what is half removed can
// be removed by another call.
func (d disk) removeCheckpoint(dir string) error {
	if ok, err := isRealDir(dir); !ok || err != nil {
		return err
	}
	for _, name := range append(listed(dir), ManifestFile) {
		path := filepath.Join(dir, name)
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
			continue
		}
		if err == nil {
			err = d.Remove(path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// removeEmpty removes a directory, or names what it holds.
func (d disk) removeEmpty(dir string) (left []string, err error) {
	ok, err := isRealDir(dir)
	if err != nil {
		return nil, err
	}
	if !ok {
		if there, err := exists(dir); there || err != nil {
			return []string{dir}, err
		}
		return nil, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		left = append(left, filepath.Join(dir, e.Name()))
	}
	if len(left) > 0 {
		return left, nil
	}
	return nil, d.Remove(dir)
}

// listed are the files of a checkpoint beside its manifest.
func listed(dir string) []string {
	if c, err := openManifest(dir); err == nil {
		return c.Manifest.names()
	}
	return []string{ModelFile, ConfigFile, TokenizerFile, OptimizerFile, StateFile}
}

// strangers are the names in a checkpoint's directory that hone did not put there.
func strangers(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	own := listed(dir)
	for _, e := range entries {
		if name := e.Name(); name != ManifestFile && !slices.Contains(own, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// retire removes the directory old, whose successor dir is in place. What is not of the
// checkpoint moves over to the successor: a model card, say, that the user wrote. Where
// the successor has a file of that name, it is called NAME.kept.
func (d disk) retire(old, dir string) error {
	names, err := strangers(old)
	if err != nil {
		return err
	}
	for _, name := range names {
		to := filepath.Join(dir, name)
		for {
			taken, err := exists(to)
			if err != nil {
				return err
			}
			if !taken {
				break
			}
			to += ".kept"
		}
		if err := d.Rename(filepath.Join(old, name), to); err != nil {
			return err
		}
	}
	return d.Remove(old)
}

// isRealDir tells whether path is a directory, and no symbolic link to one.
func isRealDir(path string) (bool, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && info.IsDir(), err
}
