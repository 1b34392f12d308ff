package checkpoint

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"hone/checkpoint/file"
)

// Checkpoint is a checkpoint whose files matched its manifest when it was
// opened.
type Checkpoint struct {
	Dir      string
	Manifest Manifest
}

// Open opens the checkpoint in dir and verifies every file against the manifest. The
// error names the file that is missing or damaged, or the version of a newer format.
func Open(dir string) (*Checkpoint, error) {
	c, err := openManifest(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range c.Manifest.names() {
		if err := c.verify(name); err != nil {
			return nil, fmt.Errorf("checkpoint %s: %w", dir, err)
		}
	}
	return c, nil
}

// openManifest opens a checkpoint without a look at its files.
func openManifest(dir string) (*Checkpoint, error) {
	dir = filepath.Clean(dir)
	if ok, err := exists(dir); err == nil && !ok {
		// A save that was interrupted between two renames left it aside.
		if old := beside(dir, oldPrefix); isDir(old) {
			dir = old
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, ManifestFile))
	if errors.Is(err, fs.ErrNotExist) && isDir(dir) {
		err = errUnfinished
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", dir, err)
	}
	m, err := decodeManifest(text)
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", dir, err)
	}
	return &Checkpoint{Dir: dir, Manifest: m}, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// verify compares a file's size and hash with the manifest's.
func (c *Checkpoint) verify(name string) error {
	want, path := c.Manifest.Files[name], filepath.Join(c.Dir, name)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s is missing", name)
	case err != nil:
		return err
	case info.Size() != want.Size:
		return fmt.Errorf("%s has %d bytes, not %d: damaged", name, info.Size(), want.Size)
	}
	got, err := file.Hash(context.Background(), path, nil)
	if err != nil {
		return err
	}
	return compareHash(name, got.SHA256, want)
}

func compareHash(name, sum string, want file.Info) error {
	if sum != want.SHA256 {
		return fmt.Errorf("%s does not match its sha256: damaged", name)
	}
	return nil
}

// File returns the content of a file, after verifying it again.
func (c *Checkpoint) File(name string) ([]byte, error) {
	want, err := c.info(name)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(c.Dir, name))
	if err == nil {
		sum := sha256.Sum256(data)
		err = compareHash(name, hex.EncodeToString(sum[:]), want)
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", c.Dir, err)
	}
	return data, nil
}

// Tensors opens a safetensors file of the checkpoint: ModelFile or
// OptimizerFile. The caller closes it.
func (c *Checkpoint) Tensors(name string) (*Safetensors, error) {
	if _, err := c.info(name); err != nil {
		return nil, err
	}
	s, err := OpenSafetensors(filepath.Join(c.Dir, name))
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	return s, nil
}

func (c *Checkpoint) info(name string) (file.Info, error) {
	info, ok := c.Manifest.Files[name]
	if !ok {
		return info, fmt.Errorf("checkpoint %s: has no file %s, only %s", c.Dir, name, strings.Join(c.Manifest.names(), ", "))
	}
	return info, nil
}

const (
	stepsDir   = "checkpoints"
	stepPrefix = "step-"
)

// StepDir returns the directory of a stage's checkpoint: checkpoints/step-000500.
func StepDir(stageDir string, step int) string {
	return filepath.Join(stageDir, stepsDir, fmt.Sprintf("%s%06d", stepPrefix, step))
}

// stepsOf returns the steps of a stage of which there is a directory, the
// latest first.
func stepsOf(stageDir string) ([]int, error) {
	entries, err := os.ReadDir(filepath.Join(stageDir, stepsDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var steps []int
	for _, e := range entries {
		name := strings.TrimPrefix(e.Name(), oldPrefix)
		step, err := strconv.Atoi(strings.TrimPrefix(name, stepPrefix))
		if err != nil || name != filepath.Base(StepDir(stageDir, step)) {
			continue
		}
		steps = append(steps, step)
	}
	slices.Sort(steps)
	slices.Reverse(steps)
	return slices.Compact(steps), nil
}

// openStep opens the checkpoint of a step, wholly or its manifest alone.
func openStep(stageDir string, step int, open func(dir string) (*Checkpoint, error)) (*Checkpoint, error) {
	dir := StepDir(stageDir, step)
	c, err := open(dir)
	if err == nil && c.Manifest.Step != step {
		return nil, fmt.Errorf("checkpoint %s: holds step %d", dir, c.Manifest.Step)
	}
	return c, err
}

// Latest returns the newest good checkpoint of a stage; nil if it has none. For each
// checkpoint that it skips, log gets the reason, which names the checkpoint; log may
// be nil.
func Latest(stageDir string, log func(string)) (*Checkpoint, error) {
	steps, err := stepsOf(stageDir)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	for _, step := range steps {
		c, err := openStep(stageDir, step, Open)
		if err == nil {
			return c, nil
		}
		if log != nil {
			log("skipped: " + err.Error())
		}
	}
	return nil, nil
}
