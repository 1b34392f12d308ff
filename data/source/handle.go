package source

import (
	"container/list"
	"errors"
	"os"
	"sync"
	"time"

	"hone/checkpoint/file"
)

// maxOpen is the greatest number of descriptors of corpus files that are open at once: a
// corpus may have more files than a process may have descriptors.
const maxOpen = 64

var open struct {
	sync.Mutex
	order list.List // of *handle with a descriptor, the most recently used first
}

// handle is a file that is opened when it is read, and may be closed in between.
type handle struct {
	path  string
	size  int64
	mtime time.Time

	// Under open's lock.
	f       *os.File
	readers int
	at      *list.Element
	closed  bool
}

// openHandle opens the file once and determines its size.
func openHandle(path string) (*handle, error) {
	h := &handle{path: path, size: -1}
	if _, err := h.acquire(); err != nil {
		return nil, err
	}
	h.release()
	return h, nil
}

// ReadAt implements io.ReaderAt.
func (h *handle) ReadAt(b []byte, off int64) (int, error) {
	f, err := h.acquire()
	if err != nil {
		return 0, err
	}
	defer h.release()
	return f.ReadAt(b, off)
}

func (h *handle) acquire() (*os.File, error) {
	open.Lock()
	defer open.Unlock()
	if h.closed {
		return nil, os.ErrClosed
	}
	if h.f == nil {
		for e := open.order.Back(); e != nil && open.order.Len() >= maxOpen; {
			old := e.Value.(*handle)
			e = e.Prev()
			if old.readers == 0 {
				old.shut()
			}
		}
		f, err := file.Open(h.path)
		if err != nil {
			return nil, err
		}
		info, err := f.Stat()
		if err == nil && h.size < 0 {
			h.size, h.mtime = info.Size(), info.ModTime()
		}
		if err == nil && (info.Size() != h.size || !info.ModTime().Equal(h.mtime)) {
			err = errors.New("the file changed since it was opened")
		}
		if err != nil {
			f.Close()
			return nil, err
		}
		h.f, h.at = f, open.order.PushFront(h)
	} else {
		open.order.MoveToFront(h.at)
	}
	h.readers++
	return h.f, nil
}

func (h *handle) release() {
	open.Lock()
	defer open.Unlock()
	if h.readers--; h.readers == 0 && h.closed && h.f != nil {
		h.shut()
	}
}

// shut closes the descriptor, under the lock.
func (h *handle) shut() error {
	open.order.Remove(h.at)
	err := h.f.Close()
	h.f, h.at = nil, nil
	return err
}

// Close implements io.Closer.
func (h *handle) Close() error {
	open.Lock()
	defer open.Unlock()
	h.closed = true
	if h.f == nil || h.readers > 0 {
		return nil
	}
	return h.shut()
}
