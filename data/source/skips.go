package source

import "sync"

// Skips counts records that were passed over because they could not be read,
// and keeps the first faults. It is safe for concurrent use.
type Skips struct {
	mu    sync.Mutex
	count int64
	first []string
}

// maxSkips is how many faults Skips keeps.
const maxSkips = 20

func (s *Skips) add(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count++; len(s.first) < maxSkips {
		s.first = append(s.first, err.Error())
	}
}

// Count returns the number of records.
func (s *Skips) Count() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// First returns the first faults, at most 20.
func (s *Skips) First() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.first...)
}
