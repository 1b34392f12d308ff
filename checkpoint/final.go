package checkpoint

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"hone/checkpoint/file"
)

// finalDir is the name of the checkpoint that a stage ends with.
const finalDir = "final"

// FinalDir returns the directory of the checkpoint that a stage ends with.
func FinalDir(stageDir string) string { return filepath.Join(stageDir, finalDir) }

// SetFinal makes c the checkpoint that its stage ends with. FinalDir becomes a
// directory of hard links to the files of c: it takes no space, every tool can open
// it on every system, and it is kept when c is removed. (A symbolic link would need
// privileges on Windows.) Where the file system has no hard links, the files are
// copied. An earlier final checkpoint is kept until the new one is in place.
func SetFinal(stageDir string, c *Checkpoint) error {
	if err := osDisk.setFinal(stageDir, c); err != nil {
		return fmt.Errorf("checkpoint: final of %s: %w", stageDir, err)
	}
	return nil
}

func (d disk) setFinal(stageDir string, c *Checkpoint) error {
	if err := d.clean(stageDir); err != nil {
		return err
	}
	dir := FinalDir(stageDir)
	return d.stage(beside(dir, tmpPrefix), dir, func(tmp string) error { return d.linkAll(tmp, c) })
}

func (d disk) linkAll(tmp string, c *Checkpoint) error {
	for _, name := range append(c.Manifest.names(), ManifestFile) {
		from, to := filepath.Join(c.Dir, name), filepath.Join(tmp, name)
		if d.Link(from, to) == nil {
			continue
		}
		got, err := d.copyFile(from, to)
		if err != nil {
			return err
		}
		if want, ok := c.Manifest.Files[name]; ok && got != want {
			return fmt.Errorf("%s does not match its manifest: damaged", from)
		}
	}
	return nil
}

func (d disk) copyFile(from, to string) (file.Info, error) {
	f, err := os.Open(from)
	if err != nil {
		return file.Info{}, err
	}
	defer f.Close()
	return d.WriteNew(to, func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	})
}
