package pretrained

import (
	"os"
	"path/filepath"

	"hone/checkpoint"
)

// IsCheckpoint tells whether dir is a checkpoint, or a stage that has a final one.
func IsCheckpoint(dir string) bool {
	_, err := os.Stat(filepath.Join(Dir(dir), checkpoint.ManifestFile))
	return err == nil
}

// Dir is the directory of a checkpoint that is named by itself, or by its stage.
func Dir(dir string) string {
	if _, err := os.Stat(filepath.Join(dir, checkpoint.ManifestFile)); err != nil {
		if _, err := os.Stat(checkpoint.FinalDir(dir)); err == nil {
			return checkpoint.FinalDir(dir)
		}
	}
	return dir
}
