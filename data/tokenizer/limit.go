package tokenizer

import (
	"fmt"
	"time"
)

// A tokenizer is read from a file that others wrote: what its sections may do to a text has
// bounds. Beyond them the text is given up, and Err says why.

// growth is how long a text of so many bytes may become while it is normalized or decoded. No
// character of the normal forms becomes more than 18 others.
func growth(n int) int { return 1<<20 + 100*n }

// matchTime is how long a pattern may look for one match. Known patterns take microseconds; one
// such as (a+)+$ takes twice as long for every character more.
const matchTime = 2 * time.Second

// Err is why texts have been given up since the tokenizer was read: a pattern that takes too
// long, or a section that makes texts grow without bounds. What Encode, Decode and Text have
// given since is worth nothing then. nil: none has.
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

// Fault is Err of a tokenizer of this package, nil of any other.
func Fault(t Tokenizer) error {
	switch t := t.(type) {
	case *Pipeline:
		return t.Err()
	case ordinary:
		return t.Err()
	}
	return nil
}

// fail keeps the first reason.
func (p *Pipeline) fail(format string, args ...any) {
	err := fmt.Errorf("tokenizer: "+format, args...)
	p.fault.CompareAndSwap(nil, &err)
}

// describe names a normalizer or a decoder in an error.
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
