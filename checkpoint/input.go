package checkpoint

import (
	"os"

	"hone/checkpoint/file"
)

// OpenInput is file.Open.
func OpenInput(path string) (*os.File, error) { return file.Open(path) }

// ReadInput is file.Read.
func ReadInput(path string) ([]byte, error) { return file.Read(path) }

// WriteFile is file.WriteBytes.
func WriteFile(path string, data []byte) error { return file.WriteBytes(path, data) }
