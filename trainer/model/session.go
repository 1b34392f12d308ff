package model

import (
	"fmt"
	"strings"

	"hone/trainer/exec"
)

// A Session is the memory of texts that are read piece by piece, side by side: the keys and values of some tokens of
// each, which one program writes and the next one reads. Each text has a slot. Like its Network, it is for one goroutine.
type Session struct {
	net         *Network
	mem         *exec.Memory
	slots, size int
	caches      []exec.Value
	bytes       int
	execs       map[reader]*exec.Executor
	prepared    bool
	copied      []byte // on the way from slot to slot
}

// NewSession has slots for so many texts of size tokens. Their memory is allocated when the first program is bound to it.
func (n *Network) NewSession(slots, size int) (*Session, error) {
	p, err := n.Program(Decode, slots, size, 1)
	if err != nil {
		return nil, err
	}
	s := &Session{net: n, slots: slots, size: size, bytes: p.Size(exec.Cache), execs: map[reader]*exec.Executor{}}
	s.mem = n.mem.WithCache(s.bytes)
	for _, v := range p.Values {
		if v.Class == exec.Cache {
			s.caches = append(s.caches, v)
		}
	}
	return s, nil
}

// Slots is the number of texts, and Size that of tokens of each.
func (s *Session) Slots() int { return s.slots }
func (s *Session) Size() int  { return s.size }

// Bytes is the size of the caches.
func (s *Session) Bytes() int { return s.bytes }

// reader is a program that reads so many tokens.
type reader struct {
	kind Kind
	rows int
}

// Executor is the program of a kind, Decode or Encode, that reads so many tokens, bound to the network's memory and the
// session's caches.
func (s *Session) Executor(k Kind, rows int) (*exec.Executor, error) {
	key := reader{k, rows}
	if x := s.execs[key]; x != nil {
		return x, nil
	}
	p, err := s.net.Program(k, s.slots, s.size, rows)
	if err != nil {
		return nil, err
	}
	if p.Size(exec.Cache) != s.bytes {
		return nil, fmt.Errorf("model: program %s has caches of %d bytes, others of its session of %d", p.Name, p.Size(exec.Cache), s.bytes)
	}
	x, err := exec.NewExecutor(s.mem, p)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	s.execs[key] = x
	if !s.prepared && s.net.traits.Writing == Queried {
		s.prepared = true
		x, err := s.Executor(Prepare, 1)
		if err != nil {
			return nil, err
		}
		if err := x.Run(); err != nil {
			return nil, fmt.Errorf("model: %w", err)
		}
	}
	return x, nil
}

// encoded is what the names of caches begin with that have what an encoder has read.
const encoded = "encoded."

// Copy copies what a session of the same network, which may be s itself, has in a slot of the tokens from first on up
// to last, not with it, into another slot.
func (s *Session) Copy(slot int, of *Session, from, first, last int) error {
	return s.copy(slot, of, from, first, last, false)
}

// CopyEncoded copies what a session of the same network has in a slot of the first tokens of an encoder.
func (s *Session) CopyEncoded(slot int, of *Session, from, tokens int) error {
	return s.copy(slot, of, from, 0, tokens, true)
}

func (s *Session) copy(slot int, of *Session, from, first, last int, ofEncoder bool) error {
	if of.net != s.net || first < 0 || last > min(s.size, of.size) || min(slot, from) < 0 || slot >= s.slots || from >= of.slots {
		return fmt.Errorf("model: a session of %d texts of %d tokens has no copy of tokens %d to %d of text %d of one of %d of %d as text %d",
			s.slots, s.size, first, last, from, of.slots, of.size, slot)
	}
	if first >= last {
		return nil
	}
	for i := range s.caches {
		to, src := &s.caches[i], &of.caches[i]
		if strings.HasPrefix(to.Name, encoded) != ofEncoder || len(to.Shape) != 3 {
			continue // of the other kind, or of no text
		}
		row := to.DType.Bytes(to.Shape[2])
		if n := (last - first) * row; cap(s.copied) < n {
			s.copied = make([]byte, n)
		} else {
			s.copied = s.copied[:n]
		}
		if err := of.mem.Download(exec.Cache, src.Offset+(from*of.size+first)*row, s.copied); err != nil {
			return fmt.Errorf("model: %w", err)
		}
		if err := s.mem.Upload(exec.Cache, to.Offset+(slot*s.size+first)*row, s.copied); err != nil {
			return fmt.Errorf("model: %w", err)
		}
	}
	return nil
}
