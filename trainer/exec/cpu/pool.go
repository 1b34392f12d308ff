package cpu

import (
	"math"
	"runtime"
	"sync/atomic"
	"time"
)

// A task is a parallel region: run calls chunk once for each i.
// Implementations are pointers to job structs that live in the Device, so that
// starting one allocates nothing.
type task interface{ chunk(i, worker int) }

// A pool is a set of workers that live as long as the device. After a region a
// worker spins for a while, looking for the next, and only then parks: waking a
// parked thread costs 35 to 125 µs, more than most regions take.
type pool struct {
	threads int // the caller included

	task  task
	parts []part // a worker's own chunks each
	// state is region number << 32 | open << 31 | workers inside. A worker enters
	// only while the region is open, and the caller leaves only when it is closed
	// and empty, so a late worker never sees a task that is gone.
	state atomic.Uint64
	_     [56]byte

	workers []*worker
	closed  bool
}

// A part is what is left of a worker's own chunks, from lo to hi: lo << 32 | hi. The worker takes the lowest. One that has
// none left takes the highest of another. The parts are the same in all regions with as many chunks, so that rows stay in
// the caches of the processor that had them last.
type part struct {
	left atomic.Uint64
	_    [56]byte
}

// take gives a chunk, or -1 when none is left.
func (p *part) take(own bool) int {
	for {
		s := p.left.Load()
		lo, hi := s>>32, s&math.MaxUint32
		if lo >= hi {
			return -1
		}
		i, rest := lo, (lo+1)<<32|hi
		if !own {
			i, rest = hi-1, lo<<32|(hi-1)
		}
		if p.left.CompareAndSwap(s, rest) {
			return int(i)
		}
	}
}

type worker struct {
	parked atomic.Bool
	wake   chan struct{}
	quit   atomic.Bool
}

const (
	poolOpen = 1 << 31
	spinFor  = 100 * time.Microsecond
	spinLoad = 256 // loads between two looks at the clock
)

func newPool(threads int) *pool {
	p := &pool{threads: threads, parts: make([]part, threads)}
	for i := 1; i < threads; i++ {
		w := &worker{wake: make(chan struct{}, 1)}
		p.workers = append(p.workers, w)
		go p.work(w, i)
	}
	return p
}

// run calls t.chunk(i, worker) once for each i in [0,n), in any order, and returns
// when all are done. The caller is worker 0. It must not be called from a chunk.
func (p *pool) run(n int, t task) {
	if n <= 1 || p.threads == 1 {
		for i := range n {
			t.chunk(i, 0)
		}
		return
	}
	p.task = t
	for i := range p.parts {
		p.parts[i].left.Store(uint64(i*n/p.threads)<<32 | uint64((i+1)*n/p.threads))
	}
	region := p.state.Load()>>32 + 1
	p.state.Store(region<<32 | poolOpen)
	for _, w := range p.workers[:min(len(p.workers), n-1)] {
		if w.parked.CompareAndSwap(true, false) {
			w.wake <- struct{}{}
		}
	}
	p.take(0)
	// For a worker that is not inside by now nothing is left.
	if p.state.Add(^uint64(poolOpen-1))&(poolOpen-1) != 0 {
		for spins := 0; p.state.Load()&(poolOpen-1) != 0; spins++ {
			if spins%spinLoad == spinLoad-1 {
				runtime.Gosched() // a worker may need this thread
			}
		}
	}
	p.task = nil
}

func (p *pool) take(worker int) {
	for v := range p.threads {
		at := (worker + v) % p.threads
		for i := p.parts[at].take(v == 0); i >= 0; i = p.parts[at].take(v == 0) {
			p.task.chunk(i, worker)
		}
	}
}

func (p *pool) work(w *worker, id int) {
	var seen uint64 // the region last worked in
	for {
		if w.quit.Load() {
			return
		}
		s := p.state.Load()
		if s&poolOpen != 0 && s>>32 != seen {
			if p.state.CompareAndSwap(s, s+1) {
				seen = s >> 32
				p.take(id)
				p.state.Add(^uint64(0))
			}
			continue
		}
		if p.spin(w, seen) {
			continue
		}
		w.parked.Store(true)
		// A region that was opened before parked was set has not woken this worker.
		if s := p.state.Load(); (s&poolOpen != 0 && s>>32 != seen || w.quit.Load()) && w.parked.CompareAndSwap(true, false) {
			continue
		}
		<-w.wake
	}
}

// spin waits for a region other than seen and reports whether one came.
func (p *pool) spin(w *worker, seen uint64) bool {
	start := time.Now()
	for {
		for range spinLoad {
			if s := p.state.Load(); s&poolOpen != 0 && s>>32 != seen {
				return true
			}
		}
		if w.quit.Load() {
			return true
		}
		if time.Since(start) > spinFor {
			return false
		}
		runtime.Gosched()
	}
}

// close ends the workers.
func (p *pool) close() {
	if p.closed {
		return
	}
	p.closed = true
	for _, w := range p.workers {
		w.quit.Store(true)
		if w.parked.CompareAndSwap(true, false) {
			w.wake <- struct{}{}
		}
	}
}
