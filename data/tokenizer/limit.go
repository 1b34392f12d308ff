package tokenizer

import (
	"fmt"
	"time"
)

// A tokenizer is read from a file that others wrote, so its sections have limits in time and
// memory. A text that exceeds them is not encoded, and Err says why.

// growth is the greatest length of a text of n bytes while it is normalized or decoded. The
// Unicode normal forms turn a character into 18 others at most.
func growth(n int) int { return 1<<20 + 100*n }

// matchTime is the longest time that a pattern may search for one match. The patterns in use
// take microseconds; one such as (a+)+$ takes twice as long for each further character.
const matchTime = 2 * time.Second

// Err is not nil if a text could not be encoded or decoded since the tokenizer was read: a
// pattern takes too long, or a section makes texts grow without bounds. The results of Encode,
// Decode and Text since then are invalid. The tokenizer is at fault (exit code 2).
func (p *Pipeline) Err() error {
	if e := p.fault.Load(); e != nil {
		return *e
	}
	of := func(x pattern) error {
		if x, ok := x.(expression); ok {
			if e := x.fault.Load(); e != nil {
				return *e
			}
		}
		return nil
	}
	for _, n := range p.norm {
		if r, ok := n.(replace); ok {
			if err := of(r.pattern); err != nil {
				return err
			}
		}
	}
	for _, s := range p.pre {
		if s, ok := s.(split); ok {
			if err := of(s.pattern); err != nil {
				return err
			}
		}
	}
	for _, d := range p.dec {
		if r, ok := d.(replaceDecoder); ok {
			if err := of(r.pattern); err != nil {
				return err
			}
		}
	}
	return nil
}

// Fault gives Err of a tokenizer of this package, and nil for any other.
func Fault(t Tokenizer) error {
	switch t := t.(type) {
	case *Pipeline:
		return t.Err()
	case ordinary:
		return t.Err()
	}
	return nil
}

// fail records the first fault.
func (p *Pipeline) fail(format string, args ...any) {
	err := fmt.Errorf("tokenizer: "+format, args...)
	p.fault.CompareAndSwap(nil, &err)
}

// describe names a normalizer or a decoder for an error.
func describe(component any) string {
	switch c := component.(type) {
	case replace:
		return fmt.Sprintf("Replace of %v by %q", c.pattern, clip([]byte(c.content)))
	case replaceDecoder:
		return fmt.Sprintf("Replace of %v by %q", c.pattern, clip([]byte(c.content)))
	case prepend:
		return "Prepend"
	}
	return fmt.Sprintf("%T", component)
}
