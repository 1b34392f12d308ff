package source

import (
	"encoding/binary"
	"errors"
)

// compact steps over Thrift's compact protocol
// (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md),
// in which Parquet keeps its metadata, and checks every length against the bytes
// that there are: parquet-go allocates what a length says.
type compact struct {
	b    []byte
	pos  int
	heap int64 // about what parquet-go makes of what was stepped over
}

var errThrift = errors.New("damaged metadata")

func (c *compact) byte() (byte, error) {
	if c.pos >= len(c.b) {
		return 0, errThrift
	}
	c.pos++
	return c.b[c.pos-1], nil
}

func (c *compact) varint() (uint64, error) {
	v, n := binary.Uvarint(c.b[c.pos:])
	if n <= 0 {
		return 0, errThrift
	}
	c.pos += n
	return v, nil
}

func (c *compact) take(n uint64) error {
	if n > uint64(len(c.b)-c.pos) {
		return errThrift
	}
	c.pos += int(n)
	return nil
}

// fields calls f for the fields of a struct; f steps over each.
func (c *compact) fields(f func(id int, t byte) error) error {
	id := int64(0)
	for {
		h, err := c.byte()
		if err != nil {
			return err
		}
		if h == 0 {
			return nil
		}
		if d := int64(h >> 4); d != 0 {
			id += d
		} else if id, err = c.integer(); err != nil {
			return err
		}
		if err := f(int(id), h&15); err != nil {
			return err
		}
	}
}

// elements calls f for the elements of a list; f steps over each.
func (c *compact) elements(f func(t byte) error) error {
	h, err := c.byte()
	if err != nil {
		return err
	}
	n := uint64(h >> 4)
	if n == 15 {
		if n, err = c.varint(); err != nil {
			return err
		}
	}
	if n > uint64(len(c.b)-c.pos) {
		return errThrift
	}
	for range n {
		if err := f(h & 15); err != nil {
			return err
		}
	}
	return nil
}

func (c *compact) integer() (int64, error) {
	v, err := c.varint()
	return int64(v>>1) ^ -int64(v&1), err
}

// object steps over a struct; field is told the integers and truth values in it, those of
// a struct in it as its number | their own << 8, and may be nil.
func (c *compact) object(depth int, field func(id int, v int64)) error {
	if depth > maxDepth {
		return errThrift
	}
	return c.fields(func(id int, t byte) error {
		switch {
		case field == nil:
		case t == 1 || t == 2:
			field(id, int64(2-t))
			return nil
		case t >= 4 && t <= 6:
			v, err := c.integer()
			field(id, v)
			return err
		case t == 12:
			return c.object(depth+1, func(inner int, v int64) { field(id|inner<<8, v) })
		}
		return c.value(t, false, depth)
	})
}

// value steps over a value of a type; element: one of a list or a map.
func (c *compact) value(t byte, element bool, depth int) error {
	switch t {
	case 1, 2: // true, false
		if element {
			return c.take(1)
		}
		return nil
	case 3:
		return c.take(1)
	case 4, 5, 6:
		_, err := c.varint()
		return err
	case 7:
		return c.take(8)
	case 8:
		n, err := c.varint()
		if err != nil {
			return err
		}
		c.heap += int64(n)
		return c.take(n)
	case 9, 10: // list, set
		return c.elements(func(t byte) error { return c.value(t, true, depth+1) })
	case 11: // map
		n, err := c.varint()
		if err != nil || n == 0 {
			return err
		}
		if n > uint64(len(c.b)-c.pos) {
			return errThrift
		}
		h, err := c.byte()
		if err != nil {
			return err
		}
		for range n {
			if err := errors.Join(c.value(h>>4, true, depth+1), c.value(h&15, true, depth+1)); err != nil {
				return err
			}
		}
		return nil
	case 12:
		if element {
			c.heap += 64
		}
		return c.object(depth+1, nil)
	case 13:
		return c.take(16)
	}
	return errThrift
}

// appendInts appends integers as fields of a struct, numbered from 1.
func appendInts(b []byte, values ...int64) []byte {
	for _, v := range values {
		b = append(b, 1<<4|5)
		b = binary.AppendVarint(b, v)
	}
	return b
}
