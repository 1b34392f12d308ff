package source

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow/array"
)

// Parallel is the format of plain texts with as many lines each, of which line n of one belongs to line n
// of the others, such as the two languages of a translation. A path with braces stands for them:
// train.{en,de} is train.en and train.de, and their lines are the columns en and de. Not one of Formats:
// the path says it.
const Parallel = "parallel"

// braces splits a path with names in braces; ok is false where there are none, or it is that of a file.
func braces(path string) (before string, names []string, after string, ok bool) {
	before, rest, open := strings.Cut(path, "{")
	inner, after, closed := strings.Cut(rest, "}")
	if !open || !closed || !strings.Contains(inner, ",") {
		return "", nil, "", false
	}
	if _, err := os.Lstat(path); err == nil {
		return "", nil, "", false
	}
	return before, strings.Split(inner, ","), after, true
}

// parallel lists the files of a path with braces, by their columns; nil: it has none.
func parallel(path string) (files, names []string) {
	before, names, after, _ := braces(path)
	for _, name := range names {
		files = append(files, before+name+after)
	}
	return files, names
}

// expandBraces lists what matches a pattern with braces: paths with braces. Wildcards stand before them.
// A file without all of its others is an error.
func (l *Listing) expandBraces(pattern string) error {
	before, names, after, _ := braces(pattern)
	if slices.Contains(names, "") || strings.ContainsAny(strings.Join(names, "")+after, "*?[{}/") {
		return fmt.Errorf("data: %s: want names in one pair of braces at the end, such as train.{en,de}, with wildcards before them alone", pattern)
	}
	if err := distinct(names); err != nil {
		return fmt.Errorf("data: %s: %w", pattern, err)
	}
	l.Root = filepath.Dir(before + "x")
	if i := strings.IndexAny(before, "*?["); i >= 0 {
		l.Root = filepath.Dir(before[:i] + "x")
	}
	var stems []string
	for _, name := range names {
		matches := []string{before + name + after}
		if strings.ContainsAny(before, "*?[") {
			var err error
			if matches, err = filepath.Glob(before + name + after); err != nil {
				return fmt.Errorf("data: %s: %w", pattern, err)
			}
		}
		for _, m := range matches {
			if stem := strings.TrimSuffix(m, name+after); !slices.Contains(stems, stem) {
				stems = append(stems, stem)
			}
		}
	}
	if len(stems) == 0 {
		return fmt.Errorf("data: %s: no file matches", pattern)
	}
	slices.Sort(stems)
	for _, stem := range stems {
		for _, name := range names {
			if info, err := os.Stat(stem + name + after); err != nil {
				return fmt.Errorf("data: %s: %w", pattern, err)
			} else if info.IsDir() {
				return fmt.Errorf("data: %s: %s is a directory", pattern, stem+name+after)
			}
		}
		if err := l.add(stem + "{" + strings.Join(names, ",") + "}" + after); err != nil {
			return err
		}
	}
	return nil
}

// Size gives the size of a file, or of all files of a path with braces.
func Size(path string) (size int64, err error) {
	files, _ := parallel(path)
	if files == nil {
		files = []string{path}
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			return 0, err
		}
		size += info.Size()
	}
	return size, nil
}

// describeParallel describes the files of a path with braces.
func (t *Table) describeParallel(ctx context.Context, names []string) error {
	if f := t.opt.Format; f != "" && f != Text {
		return fmt.Errorf("format %q: files whose names are in braces are plain text, a line for a row", f)
	}
	t.Format, t.Columns = Parallel, textColumns(names...)
	for i := range t.Columns {
		t.Columns[i].Nullable = true
	}
	s, err := t.open(ctx) // the files can be read
	if err != nil {
		return err
	}
	return s.Close()
}

// parallelReader reads lines of several files. Only "\n" and "\r\n" end them.
type parallelReader struct {
	names []string // of the columns
	files []side
	line  int64
	most  bound
}

// A side is one of parallel files.
type side struct {
	path  string
	in    *unpacked
	r     *bufio.Reader
	text  []byte // of the line
	ended bool
}

func openParallel(ctx context.Context, path string, most bound) (_ *parallelReader, err error) {
	files, names := parallel(path)
	p := &parallelReader{names: names, most: most}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	for _, f := range files {
		u, err := openUnpacked(ctx, f, "")
		var head []byte
		if err == nil {
			head, err = readHead(u, 512)
			u.Close()
		}
		if err == nil {
			u, err = openUnpacked(ctx, f, packing(head))
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(f), bare(err))
		}
		s := side{path: f, in: u, r: bufio.NewReaderSize(u, 1<<16)}
		p.files = append(p.files, s)
		if head, _ := s.r.Peek(512); bytes.HasPrefix(head, []byte("\ufeff")) {
			s.r.Discard(len("\ufeff"))
		} else if err := notUTF8(head); err != nil {
			return nil, fmt.Errorf("%s %w", filepath.Base(f), err)
		}
	}
	return p, nil
}

func (p *parallelReader) columns() []Column { return textColumns(p.names...) }
func (p *parallelReader) count() int64      { return -1 }

func (p *parallelReader) close() (err error) {
	for _, f := range p.files {
		if e := f.in.Close(); err == nil {
			err = e
		}
	}
	return err
}

// done is the number of bytes that were read.
func (p *parallelReader) done() (n int64) {
	for _, f := range p.files {
		n += f.in.count.n
	}
	return n
}

// read reads the next line into text; ended says that there is none.
func (f *side) read(most bound) error {
	f.text = f.text[:0]
	for {
		part, err := f.r.ReadSlice('\n')
		if f.text = append(f.text, part...); len(f.text) > most.record() {
			return most.errRecord()
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF:
			f.ended = len(f.text) == 0
		case err != nil:
			return err
		}
		f.text = bytes.TrimSuffix(bytes.TrimSuffix(f.text, []byte("\n")), []byte("\r"))
		return nil
	}
}

// rest says how many lines each file has, of which not all have come to their end.
func (p *parallelReader) rest() error {
	counts := make([]string, len(p.files))
	for i := range p.files {
		f := &p.files[i]
		n := p.line // this one included
		for {
			if f.ended {
				n--
				break
			}
			if err := f.read(p.most); err != nil {
				return fmt.Errorf("%s: line %d: %w", filepath.Base(f.path), n+1, err)
			}
			n++
		}
		counts[i] = fmt.Sprintf("%s has %d", filepath.Base(f.path), n)
	}
	return fmt.Errorf("lines are missing: %s", strings.Join(counts, ", "))
}

func (p *parallelReader) next(s *Scanner) (*Batch, error) {
	b := newRowBuilder(s)
	for !b.full() {
		p.line++
		ended := 0
		for i := range p.files {
			f := &p.files[i]
			if err := f.read(p.most); err != nil {
				return nil, fmt.Errorf("%s: line %d: %w", filepath.Base(f.path), p.line, err)
			}
			if f.ended {
				ended++
			}
		}
		switch {
		case ended == len(p.files) && b.rows == 0:
			return nil, io.EOF
		case ended == len(p.files):
			p.line--
			return b.batch(), nil
		case ended > 0:
			return nil, p.rest()
		}
		var fault error
		for _, f := range p.files {
			if !utf8.Valid(f.text) && fault == nil {
				fault = fmt.Errorf("%s: line %d: %w", filepath.Base(f.path), p.line, errInvalidUTF8)
			}
		}
		if fault != nil {
			if err := s.skip(fault); err != nil {
				return nil, err
			}
			continue
		}
		for i, k := range s.selected {
			b.Field(i).(*array.StringBuilder).BinaryBuilder.Append(p.files[k].text)
			b.bytes += len(p.files[k].text)
		}
		if b.whole != nil {
			b.whole.lines = append(b.whole.lines, p.line)
		}
		b.rows++
	}
	return b.batch(), nil
}
