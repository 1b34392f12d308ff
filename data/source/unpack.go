package source

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"hone/checkpoint/file"
)

// maxZSTDWindow is the window of zstd --long, 128 MiB. A larger one is refused.
const maxZSTDWindow = 128 << 20

// unpacked reads the content of a compressed file.
type unpacked struct {
	file  *os.File // nil: nothing to close
	count *countReader
	r     io.Reader
	close func()
}

// openUnpacked opens a file for reading in order, decompressed.
// Reading ends with ctx, also in the middle of a record.
func openUnpacked(ctx context.Context, path, packed string) (u *unpacked, err error) {
	f, err := file.Open(path)
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

// packedReader adds the name of the compression to errors.
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

// countReader counts the bytes that are read.
type countReader struct {
	r io.Reader
	n int64
}

func (c *countReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}
