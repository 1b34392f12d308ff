package source

import "runtime"

// Compressed record batches are decompressed ahead, while an earlier one is read: as many as
// there are processors, up to these limits of their number and their bytes. A batch that is
// larger than its share is decompressed when it is read.
const (
	aheadBatches = 4
	aheadBytes   = 128 << 20
)

func aheadLanes() int { return min(runtime.GOMAXPROCS(0), aheadBatches) }

// ahead decompresses the next record batches of a file while one is read.
type ahead struct {
	f     *File
	k     int // the next one to begin
	queue []*decompressing
	spare []*window
}

type decompressing struct {
	w    *window
	k    int
	done chan struct{} // closed at its end
}

// window returns record batch k. The batch that was returned before must not be in use any more.
func (a *ahead) window(k int, last *window) (*window, error) {
	if last != nil {
		a.spare = append(a.spare, last)
	}
	if len(a.queue) == 0 {
		a.k = k
	}
	for len(a.queue) < aheadLanes() && a.k < len(a.f.batches) && a.f.batches[a.k].codec != codecNone {
		d := &decompressing{w: a.take(), k: a.k, done: make(chan struct{})}
		a.k++
		a.queue = append(a.queue, d)
		go func() {
			defer close(d.done)
			d.w.unpackAhead(d.k)
		}()
	}
	if len(a.queue) == 0 {
		w := a.take()
		w.k = k
		return w, w.open()
	}
	d := a.queue[0]
	a.queue = append(a.queue[:0], a.queue[1:]...)
	<-d.done
	if d.w.b == nil { // again, for the error
		return d.w, d.w.open()
	}
	return d.w, nil
}

func (a *ahead) take() *window {
	if n := len(a.spare); n > 0 {
		w := a.spare[n-1]
		a.spare = a.spare[:n-1]
		return w
	}
	return &window{f: a.f, reuse: true}
}

// wait returns once no goroutine reads the file any more.
func (a *ahead) wait() {
	for _, d := range a.queue {
		<-d.done
	}
	a.queue = nil
}

// unpackAhead decompresses the selected columns of record batch k. It stops at the first
// fault, which reading the columns then reports.
func (w *window) unpackAhead(k int) {
	defer func() { _ = recover() }()
	w.k, w.b = k, nil
	if w.open() != nil {
		w.b = nil
		return
	}
	w.budget = int64(aheadBytes / aheadLanes())
	for i, c := range w.f.columns {
		end := w.at[i]
		if end.skip(&w.f.fields[c], w.b, w.f.version) != nil {
			return
		}
		for n := w.at[i].buffer; n < end.buffer; n++ {
			if _, err := w.unpacked(n); err != nil {
				return
			}
		}
	}
}
