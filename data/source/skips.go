package source

import (
	"hash/maphash"
	"sync"
)

// Skips counts records that were passed over because they could not be read, each once
// however often it is met, and keeps the first faults. It is safe for concurrent use.
type Skips struct {
	mu    sync.Mutex
	seen  map[uint64]struct{} // hashes of the faults, which name file and record
	first []string
}

var skipSeed = maphash.MakeSeed()

// maxSkips is how many faults Skips keeps.
const maxSkips = 20

func (s *Skips) add(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := err.Error()
	key := maphash.String(skipSeed, text)
	if _, ok := s.seen[key]; ok {
		return
	}
	if s.seen == nil {
		s.seen = map[uint64]struct{}{}
	}
	if s.seen[key] = struct{}{}; len(s.first) < maxSkips {
		s.first = append(s.first, text)
	}
}

// Count returns the number of records.
func (s *Skips) Count() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(len(s.seen))
}

// First returns the first faults, at most 20.
func (s *Skips) First() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.first...)
}
