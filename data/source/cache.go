package source

import (
	"container/list"
	"sync"
)

// Cache keeps decoded record batches of any number of files, up to a number of
// bytes; the least recently used ones are dropped first. The batch in use is kept
// even if it is larger. A nil Cache keeps nothing.
type Cache struct {
	mu     sync.Mutex
	budget int64
	bytes  int64
	order  list.List // of *cached, the most recently used first
	index  map[cacheKey]*list.Element
}

type cacheKey struct {
	file  *File
	batch int
}

type cached struct {
	key   cacheKey
	batch *Batch
}

// NewCache returns a cache of at most budget bytes.
func NewCache(budget int64) *Cache {
	return &Cache{budget: budget, index: map[cacheKey]*list.Element{}}
}

// Bytes returns the size of what the cache holds.
func (c *Cache) Bytes() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bytes
}

func (c *Cache) batch(f *File, k int) (*Batch, error) {
	if c == nil {
		return f.Batch(k)
	}
	key := cacheKey{f, k}
	c.mu.Lock()
	if e, ok := c.index[key]; ok {
		c.order.MoveToFront(e)
		c.mu.Unlock()
		return e.Value.(*cached).batch, nil
	}
	c.mu.Unlock()

	// Two readers may decode the same batch. That is cheaper than one of them waiting
	// for the other.
	b, err := f.Batch(k)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.index[key]; ok {
		return e.Value.(*cached).batch, nil
	}
	c.index[key] = c.order.PushFront(&cached{key, b})
	c.bytes += b.Bytes
	for c.bytes > c.budget && c.order.Len() > 1 {
		e := c.order.Back()
		old := c.order.Remove(e).(*cached)
		delete(c.index, old.key)
		c.bytes -= old.batch.Bytes
	}
	return b, nil
}
