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
	b   []byte
	pos int
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

// object steps over a struct; field is told the integers and truth values in it, those of
// a struct in it as its number | their own << 8, and may be nil.
func (c *compact) object(depth int, field func(id int, v int64)) error {
	if depth > maxDepth {
		return errThrift
	}
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
		} else {
			v, err := c.varint()
			if err != nil {
				return err
			}
			id = int64(v>>1) ^ -int64(v&1)
		}
		if t := h & 15; field != nil && (t == 1 || t == 2) {
			field(int(id), int64(2-t))
		} else if field != nil && t >= 4 && t <= 6 {
			v, err := c.varint()
			if err != nil {
				return err
			}
			field(int(id), int64(v>>1)^-int64(v&1))
		} else if outer := int(id); field != nil && t == 12 {
			if err := c.object(depth+1, func(id int, v int64) { field(outer|id<<8, v) }); err != nil {
				return err
			}
		} else if err := c.value(t, false, depth); err != nil {
			return err
		}
	}
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
		return c.take(n)
	case 9, 10: // list, set
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
			if err := c.value(h&15, true, depth+1); err != nil {
				return err
			}
		}
		return nil
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
		return c.object(depth+1, nil)
	case 13:
		return c.take(16)
	}
	return errThrift
}
