package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A download is of one file, into a directory of its own that no other process writes in.
type download struct {
	s     *Snapshot
	f     File
	dir   string // it holds body, and etag, where the server has said one
	have  int64  // bytes of body
	whole bool   // all of body is of this call, not taken up
	at    func(done int64)
}

// download fetches a file, from where an earlier attempt has stopped, checks it, and gives it
// its names in the cache.
func (s *Snapshot) download(ctx context.Context, f File, at func(done int64)) error {
	blob := filepath.Join(filepath.Dir(s.dir), blobsDir, f.key())
	for _, path := range []string{blob, s.path(f)} {
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
	}
	if whole(blob, f.Size) { // of another commit, or of another name
		return place(blob, s.path(f), f.Size)
	}
	dir, err := claim(blob)
	if err != nil {
		return err
	}
	d := &download{s: s, f: f, dir: dir, at: at}
	err = d.fetch(ctx)
	if err == nil {
		err = d.check(ctx)
	}
	if errors.Is(err, errContent) && !d.whole { // the part that was taken up may be to blame
		if err = d.restart(); err == nil {
			if err = d.fetch(ctx); err == nil {
				err = d.check(ctx)
			}
		}
	}
	switch {
	case err == nil:
		err = place(d.body(), blob, f.Size)
		_ = os.RemoveAll(dir) // what stays is found by the next claim
	case errors.Is(err, errContent):
		_ = os.RemoveAll(dir)
	default:
		release(dir, blob)
	}
	if err != nil {
		return err
	}
	return place(blob, s.path(f), f.Size)
}

func (d *download) body() string { return filepath.Join(d.dir, "body") }
func (d *download) etag() string { return filepath.Join(d.dir, "etag") }

// fetch gets what is missing of the body.
func (d *download) fetch(ctx context.Context) error {
	if info, err := os.Stat(d.body()); err == nil {
		d.have = info.Size()
	}
	if d.have > d.f.Size {
		if err := d.restart(); err != nil {
			return err
		}
	}
	d.whole = d.whole || d.have == 0
	return d.s.c.try(ctx, func() (further bool, err error) {
		before := d.have
		if d.have < d.f.Size || d.f.Size == 0 {
			err = d.attempt(ctx)
		}
		return d.have > before, err
	})
}

// restart throws away what there is. The file is made anew, not cut: another process could
// have it open still.
func (d *download) restart() error {
	d.have, d.whole = 0, true
	for _, name := range []string{d.body(), d.etag()} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// attempt asks once for what is missing, and appends what comes.
func (d *download) attempt(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := d.s
	address := s.c.base.JoinPath(s.Repo, "resolve", s.Commit)
	for element := range strings.SplitSeq(d.f.Path, "/") {
		address = address.JoinPath(url.PathEscape(element))
	}
	header := http.Header{}
	tag, err := os.ReadFile(d.etag())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch {
	case d.have > 0 && len(tag) > 0:
		header.Set("Range", fmt.Sprintf("bytes=%d-", d.have))
		header.Set("If-Range", string(tag))
	case d.have > 0: // nothing says that what would come now belongs to it
		if err := d.restart(); err != nil {
			return err
		}
	}
	resp, err := s.c.send(ctx, address, header)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	offers := d.f.Size // bytes of the whole file, where the server says it
	switch resp.StatusCode {
	case http.StatusPartialContent:
		var first, last int64
		if _, err := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-%d/%d", &first, &last, &offers); err != nil || first != d.have {
			return d.mismatch(fmt.Sprintf("asked for what follows byte %d, it answers %q", d.have, resp.Header.Get("Content-Range")))
		}
		if now := resp.Header.Get("ETag"); now != "" && now != string(tag) {
			return d.mismatch("it has another file now")
		}
	case http.StatusRequestedRangeNotSatisfiable:
		return d.mismatch("it does not continue the file")
	case http.StatusOK:
		if err := d.restart(); err != nil {
			return err
		}
		if resp.ContentLength >= 0 {
			offers = resp.ContentLength
		}
		if tag := resp.Header.Get("ETag"); strings.HasPrefix(tag, `"`) { // a weak one does not tell bytes
			if err := os.WriteFile(d.etag(), []byte(tag), 0o666); err != nil {
				return err
			}
		}
	default:
		return s.c.refused(resp, s.Ref, true)
	}
	if coding := resp.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return fault("%s sends it in the coding %s, which was not asked for", resp.Request.URL.Host, coding)
	}
	if offers != d.f.Size {
		return fault("%w: the hub lists %d bytes, and %s offers %d", errContent, d.f.Size, resp.Request.URL.Host, offers)
	}
	return d.copy(resp, cancel)
}

// mismatch starts over where what the server sends does not continue what there is.
func (d *download) mismatch(why string) error {
	if err := d.restart(); err != nil {
		return err
	}
	return passing("%s; it is fetched from its beginning", why)
}

// copy appends the response's body.
func (d *download) copy(resp *http.Response, cancel context.CancelCauseFunc) (err error) {
	f, err := os.OpenFile(d.body(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	stall := time.AfterFunc(d.s.c.stall, func() { cancel(errStalled) })
	defer stall.Stop()
	host := resp.Request.URL.Host
	buf := make([]byte, 256<<10)
	for {
		n, readErr := resp.Body.Read(buf)
		stall.Reset(d.s.c.stall)
		if int64(n) > d.f.Size-d.have {
			return fault("%w: the hub lists %d bytes, and %s sends more", errContent, d.f.Size, host)
		}
		if _, err := f.Write(buf[:n]); err != nil {
			return err
		}
		d.have += int64(n)
		d.at(d.have)
		if readErr == nil {
			continue
		}
		if d.have == d.f.Size {
			return nil
		}
		if cause := context.Cause(resp.Request.Context()); errors.Is(cause, errStalled) {
			readErr = errStalled
		} else if cause != nil {
			return cause
		}
		if errors.Is(readErr, io.EOF) {
			readErr = io.ErrUnexpectedEOF
		}
		return passing("%s: after %d of %d bytes: %w", host, d.have, d.f.Size, readErr)
	}
}

// errContent is wrapped by errors that say that the bytes are not those that the hub lists.
var errContent = errors.New("it is not the file that the hub lists")

// check reads the body, as it lies on the disk, and compares its hash with the hub's.
func (d *download) check(ctx context.Context) error {
	f, err := os.OpenFile(d.body(), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return err
	}
	var h hash.Hash
	if d.f.SHA256 != "" {
		h = sha256.New()
	} else {
		h = sha1.New() // as git hashes a file
		fmt.Fprintf(h, "blob %d\x00", d.f.Size)
	}
	buf := make([]byte, 1<<20)
	for {
		n, err := f.Read(buf)
		h.Write(buf[:n])
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != d.f.key() {
		return fault("%w: its hash is %s, and the hub lists %s", errContent, sum, d.f.key())
	}
	return nil
}
