package source

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// A window of 128 MiB is what zstd --long makes; more is asked for by no one
// honest.
const maxZSTDWindow = 128 << 20

// unpacked reads what a compressed file holds.
type unpacked struct {
	file  *os.File // nil: nothing to close
	count *countReader
	r     io.Reader
	close func()
}

// openUnpacked opens a file for reading in order, decompressed.
// Reading ends with ctx, also in the middle of a record.
func openUnpacked(ctx context.Context, path, packed string) (u *unpacked, err error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	u = &unpacked{file: f, count: &countReader{r: f}, close: func() {}}
	r, done, err := unpack(bufio.NewReaderSize(u.count, 1<<16), packed)
	if err != nil {
		f.Close()
		return nil, err
	}
	u.r, u.close = ctxReader{ctx, r}, done
	return u, nil
}

// openRegular opens a file for reading, and nothing that could wait for ever or
// have no end, nor what git-lfs leaves where the file itself was not fetched.
func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path) // opening a pipe waits
	if err == nil {
		err = regular(info)
	}
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	const pointer = "version https://git-lfs.github.com/spec/"
	head := make([]byte, len(pointer))
	if n, _ := f.ReadAt(head, 0); string(head[:n]) == pointer {
		f.Close()
		return nil, errors.New("is a git-lfs pointer, not the file itself (hint: git lfs pull fetches it)")
	}
	return f, nil
}

func regular(info os.FileInfo) error {
	switch m := info.Mode(); {
	case m.IsRegular():
		return nil
	case m.IsDir():
		return fmt.Errorf("is a directory, not a file of records (known kinds: %s)", kinds)
	case m&os.ModeNamedPipe != 0:
		return errors.New("is a pipe, and files are read more than once (hint: write it to a file)")
	case m&os.ModeDevice != 0:
		return errors.New("is a device, not a file")
	}
	return errors.New("is not a regular file")
}

// ctxReader fails once its context has ended.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c ctxReader) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}

func unpack(r io.Reader, packed string) (io.Reader, func(), error) {
	switch packed {
	case gzipPacked:
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, nil, fmt.Errorf("gzip: %w", err)
		}
		return packedReader{z, packed}, func() { z.Close() }, nil
	case zstdPacked:
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxZSTDWindow))
		if err != nil {
			return nil, nil, fmt.Errorf("zstd: %w", err)
		}
		return packedReader{z, packed}, z.Close, nil
	}
	return r, func() {}, nil
}

func (u *unpacked) Read(b []byte) (int, error) { return u.r.Read(b) }

func (u *unpacked) Close() error {
	u.close()
	if u.file == nil {
		return nil
	}
	return u.file.Close()
}

// packedReader says by which compression an error came.
type packedReader struct {
	r      io.Reader
	packed string
}

func (p packedReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if err != nil && err != io.EOF {
		if err == io.ErrUnexpectedEOF {
			err = fmt.Errorf("truncated")
		}
		err = fmt.Errorf("%s: %w", p.packed, err)
	}
	return n, err
}

// countReader counts what is read.
type countReader struct {
	r io.Reader
	n int64
}

func (c *countReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}
