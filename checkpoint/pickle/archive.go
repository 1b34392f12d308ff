package pickle

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxEntries is more than the storages of any model, and little memory.
const maxEntries = 1 << 15

// An archive is a zip file as torch.save writes it: entries that are stored as they are, in
// one directory. Of archive/zip's reader neither the memory that a directory takes nor
// entries of one name have a bound.
type archive struct {
	r       io.ReaderAt
	dir     string // of all entries, with a slash at its end
	entries map[string]entry
	end     int64 // of the entries: where the directory begins
}

// An entry is where a stored file's bytes are.
type entry struct {
	header int64 // its local header's place
	size   int64
	crc    uint32 // 0: not known
}

const (
	endSize       = 22 // of the record that ends a zip file, less its comment
	end64Size     = 56
	locatorSize   = 20
	directorySize = 46 // of an entry of the directory, less names
	localSize     = 30
)

var le = binary.LittleEndian

// readArchive reads the directory of a zip file.
func readArchive(r io.ReaderAt, size int64) (*archive, error) {
	a := &archive{r: r, entries: map[string]entry{}}
	at, length, count, err := a.findDirectory(size)
	if err != nil {
		return nil, err
	}
	a.end = at
	in := bufio.NewReaderSize(io.NewSectionReader(r, at, length), 1<<16)
	var head [directorySize]byte
	for i := range count {
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return nil, fmt.Errorf("entry %d: the directory ends within it", i)
		}
		if string(head[:4]) != "PK\x01\x02" {
			return nil, fmt.Errorf("entry %d: no entry of a directory", i)
		}
		names := make([]byte, int(le.Uint16(head[28:]))+int(le.Uint16(head[30:])))
		if _, err := io.ReadFull(in, names); err != nil {
			return nil, fmt.Errorf("entry %d: the directory ends within it", i)
		}
		if _, err := in.Discard(int(le.Uint16(head[32:]))); err != nil {
			return nil, fmt.Errorf("entry %d: the directory ends within it", i)
		}
		name, extra := string(names[:le.Uint16(head[28:])]), names[le.Uint16(head[28:]):]
		if err := a.add(name, head[:], extra); err != nil {
			return nil, fmt.Errorf("entry %q: %w", name, err)
		}
	}
	return a, nil
}

// add takes an entry of the directory.
func (a *archive) add(name string, head, extra []byte) error {
	dir, file, ok := strings.Cut(name, "/")
	switch {
	case !ok || dir == "" || dir == "." || dir == ".." || strings.ContainsAny(name, "\\\x00") || strings.Contains("/"+file+"/", "/../"):
		return errors.New("not a name that torch.save gives")
	case a.dir != "" && a.dir != dir+"/":
		return fmt.Errorf("not in the directory of the others, %s", a.dir)
	case le.Uint16(head[8:])&1 != 0:
		return errors.New("encrypted")
	case le.Uint16(head[10:]) != 0:
		return errors.New("compressed, which torch.save does not do")
	}
	if _, dup := a.entries[file]; dup {
		return errors.New("comes twice")
	}
	e := entry{crc: le.Uint32(head[16:]), size: int64(le.Uint32(head[24:])), header: int64(le.Uint32(head[42:]))}
	packed := int64(le.Uint32(head[20:]))
	// What does not fit into 32 bits is in a field of its own, in this order.
	for len(extra) >= 4 {
		id, n := le.Uint16(extra), int(le.Uint16(extra[2:]))
		if n > len(extra)-4 {
			return errors.New("a damaged extra field")
		}
		field := extra[4 : 4+n]
		extra = extra[4+n:]
		if id != 1 {
			continue
		}
		for _, v := range []*int64{&e.size, &packed, &e.header} {
			if *v == 1<<32-1 {
				if len(field) < 8 {
					return errors.New("a damaged extra field")
				}
				*v = int64(le.Uint64(field))
				field = field[8:]
			}
		}
	}
	if packed != e.size {
		return errors.New("compressed, which torch.save does not do")
	}
	if e.size < 0 || e.header < 0 || e.header > a.end-localSize || e.size > a.end-localSize-e.header {
		return errors.New("beyond the end of the file (it is cut short)")
	}
	a.dir = dir + "/"
	a.entries[file] = e
	return nil
}

var errNoZip = errors.New("no zip file, or one that is cut short")

// findDirectory gives the place, the length and the entries of the directory.
func (a *archive) findDirectory(size int64) (at, length int64, count int, err error) {
	tail := make([]byte, min(size, endSize+1<<16))
	if _, err := a.r.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return 0, 0, 0, err
	}
	i := len(tail) - endSize
	for ; i >= 0; i-- {
		if string(tail[i:i+4]) == "PK\x05\x06" && int(le.Uint16(tail[i+20:])) == len(tail)-endSize-i {
			break
		}
	}
	if i < 0 {
		return 0, 0, 0, errNoZip
	}
	end := size - int64(len(tail)) + int64(i) // of the directory
	disks := le.Uint32(tail[i+4:])
	n, length, at := uint64(le.Uint16(tail[i+10:])), int64(le.Uint32(tail[i+12:])), int64(le.Uint32(tail[i+16:]))
	if n == 1<<16-1 || length == 1<<32-1 || at == 1<<32-1 {
		var locator [locatorSize]byte
		var record [end64Size]byte
		if end < locatorSize {
			return 0, 0, 0, errNoZip
		}
		if _, err := a.r.ReadAt(locator[:], end-locatorSize); err != nil {
			return 0, 0, 0, err
		}
		end = int64(le.Uint64(locator[8:]))
		if string(locator[:4]) != "PK\x06\x07" || end < 0 || end > size-end64Size {
			return 0, 0, 0, errNoZip
		}
		if _, err := a.r.ReadAt(record[:], end); err != nil {
			return 0, 0, 0, err
		}
		if string(record[:4]) != "PK\x06\x06" {
			return 0, 0, 0, errNoZip
		}
		disks = le.Uint32(record[16:]) | le.Uint32(record[20:])
		n, length, at = le.Uint64(record[32:]), int64(le.Uint64(record[40:])), int64(le.Uint64(record[48:]))
	}
	switch {
	case disks != 0:
		return 0, 0, 0, errors.New("a zip file of several parts")
	case n > maxEntries:
		return 0, 0, 0, fmt.Errorf("%d entries; at most %d are read", n, maxEntries)
	case at < 0 || length < 0 || at > end || length > end-at:
		return 0, 0, 0, errNoZip
	}
	return at, length, int(n), nil
}

// data gives the place of an entry's bytes.
func (a *archive) data(e entry) (int64, error) {
	var head [localSize]byte
	if _, err := a.r.ReadAt(head[:], e.header); err != nil {
		return 0, err
	}
	if string(head[:4]) != "PK\x03\x04" || le.Uint16(head[8:]) != 0 {
		return 0, errors.New("its header is damaged")
	}
	at := e.header + localSize + int64(le.Uint16(head[26:])) + int64(le.Uint16(head[28:]))
	if at > a.end || e.size > a.end-at {
		return 0, errors.New("beyond the end of the file (it is cut short)")
	}
	return at, nil
}
