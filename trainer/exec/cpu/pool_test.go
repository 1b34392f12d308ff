package cpu

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

type countTask struct {
	hits  []atomic.Int32
	inUse [8]atomic.Int32
	bad   atomic.Bool
	work  int
}

func (c *countTask) chunk(i, worker int) {
	if c.inUse[worker].Add(1) != 1 {
		c.bad.Store(true) // a worker's scratch would be shared
	}
	for range c.work {
		c.hits[i].Load()
	}
	c.hits[i].Add(1)
	c.inUse[worker].Add(-1)
}

func TestPoolRunsEachChunkOnce(t *testing.T) {
	for _, procs := range []int{1, 2} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		for threads := 1; threads <= 4; threads++ {
			p := newPool(threads)
			for round := range 500 {
				n := round % 13
				c := &countTask{hits: make([]atomic.Int32, n), work: round}
				p.run(n, c)
				for i := range c.hits {
					if got := c.hits[i].Load(); got != 1 {
						t.Fatalf("threads %d, round %d: chunk %d ran %d times", threads, round, i, got)
					}
				}
				if c.bad.Load() {
					t.Fatalf("threads %d: two chunks of one worker at a time", threads)
				}
				if round%100 == 99 {
					time.Sleep(2 * spinFor) // the workers park
				}
			}
			p.close()
			p.close()
		}
	}
}

func TestPoolEndsItsWorkers(t *testing.T) {
	before := runtime.NumGoroutine()
	p := newPool(4)
	p.close()
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("%d goroutines, %d before the pool", runtime.NumGoroutine(), before)
}

type emptyTask struct{}

func (emptyTask) chunk(int, int) {}

func BenchmarkPoolRegion(b *testing.B) {
	p := newPool(2)
	defer p.close()
	var t task = &emptyTask{}
	for b.Loop() {
		p.run(2, t)
	}
}
