package source

import "runtime"

// Record batches that are compressed are decompressed ahead, beside the one that is read:
// as many as there are processors, up to a number, and together up to a number of bytes.
// A batch that is larger than its share is decompressed when it is read.
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

// window returns record batch k, of which the last one that was returned is read.
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

// wait returns when nothing reads the file any more.
func (a *ahead) wait() {
	for _, d := range a.queue {
		<-d.done
	}
	a.queue = nil
}

// unpackAhead decompresses the selected columns of record batch k. It ends at the first
// fault, which whoever reads the columns meets again, and says.
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
