package file

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
)

// Hash reads a file that Open opens, until ctx ends. progress counts bytes and may be nil.
func Hash(ctx context.Context, path string, progress func(done, total int64)) (Info, error) {
	f, err := Open(path)
	if err != nil {
		return Info{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Info{}, err
	}
	h := sha256.New()
	var size int64
	buf := make([]byte, min(info.Size()+1, 1<<20))
	for {
		if err := ctx.Err(); err != nil {
			return Info{}, err
		}
		n, err := f.Read(buf)
		h.Write(buf[:n])
		size += int64(n)
		if progress != nil {
			progress(size, max(size, info.Size()))
		}
		if err == io.EOF {
			return Info{Size: size, SHA256: hex.EncodeToString(h.Sum(nil))}, nil
		}
		if err != nil {
			return Info{}, err
		}
	}
}
