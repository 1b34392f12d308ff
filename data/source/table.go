package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// Table is a file of any known format, described. It is not open.
type Table struct {
	Path    string
	Format  string
	Packed  string // "gzip", "zstd": the file as a whole
	Size    int64  // of the file
	Columns []Column
	Rows    int64 // -1: known only by reading

	opt    Options
	shape  *shape // of JSON
	quoted bool   // of CSV and TSV: quotes are around cells
}

// Describe finds out the format and the columns of a file. JSON, whose columns
// no header tells, is read to its end.
func Describe(ctx context.Context, path string, opt Options) (*Table, error) {
	t, err := describe(ctx, path, opt)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", path, bare(err))
	}
	return t, nil
}

func describe(ctx context.Context, path string, opt Options) (*Table, error) {
	size, err := Size(path)
	if err != nil {
		return nil, err
	}
	t := &Table{Path: path, Size: size, Rows: -1, opt: opt}
	if _, names := parallel(path); names != nil {
		return t, t.describeParallel(ctx, names)
	}
	u, err := openUnpacked(ctx, path, "")
	if err != nil {
		return nil, err
	}
	head, err := readHead(u, 512)
	u.Close()
	if err != nil {
		return nil, err
	}
	if t.Packed = packing(head); t.Packed != "" {
		if u, err = openUnpacked(ctx, path, t.Packed); err != nil {
			return nil, err
		}
		head, err = readHead(u, 512)
		u.Close()
		if err != nil {
			return nil, err
		}
	}
	if err := notUTF8(head); err != nil {
		return nil, err
	}
	if t.Format = opt.Format; t.Format == "" {
		if t.Format, err = detect(path, head); err != nil {
			return nil, err
		}
		if t.Format == SQuAD && opt.Rows != "" {
			t.Format = JSON // whose rows are where that says
		}
	}
	t.quoted = opt.Quote == QuoteCSV || t.Format == CSV && opt.Quote != QuoteNone
	if t.Format == TSV && (opt.Quote == "" || opt.Quote == QuoteAuto) {
		if t.quoted, err = t.quotedThroughout(ctx); err != nil {
			return nil, err
		}
	}
	s, err := t.open(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if j, ok := s.rows.(*jsonReader); ok {
		if err := j.infer(ctx, s); err != nil {
			return nil, err
		}
	}
	t.Columns, t.Rows = s.rows.columns(), s.rows.count()
	if err := distinct(columnNames(t.Columns)); err != nil {
		return nil, err
	}
	return t, nil
}

// Column returns the column of a name, or the field of a struct that it stands for:
// "doc.text", where no column has that name.
func (t *Table) Column(name string) (Column, error) {
	_, picks, err := t.choose([]string{name})
	if err != nil {
		return Column{}, err
	}
	return picks[0].column, nil
}

// choose is choose with what the format lets one guess.
func (t *Table) choose(names []string) (read []int, picks []pick, err error) {
	if read, picks, err = choose(t.Path, t.Columns, names); err == nil {
		return read, picks, nil
	}
	switch t.Format {
	case CSV, TSV:
		if len(t.Columns) == 1 && t.opt.Delimiter == "" {
			err = fmt.Errorf("%w (hint: where another character stands between the values, name it with delimiter = \";\", on the command line --delimiter \";\")", err)
		}
	case JSON:
		for _, c := range t.Columns {
			if l, ok := c.arrow.(arrow.ListLikeType); ok && t.opt.Rows == "" && l.Elem().ID() == arrow.STRUCT {
				err = fmt.Errorf("%w (hint: where the rows are the elements of %s, rows = %q, on the command line --rows %s)", err, c.Name, c.Name, c.Name)
				break
			}
		}
	}
	return nil, nil, err
}

// rowReader reads records in order into batches.
type rowReader interface {
	columns() []Column
	count() int64 // of rows, -1: not known
	// next reads some of the selected columns' rows; io.EOF.
	next(s *Scanner) (*Batch, error)
	close() error
}

// Scanner reads a table in order, in bounded memory. It is for one goroutine.
type Scanner struct {
	ctx      context.Context // of the scan
	table    *Table
	rows     rowReader
	in       *unpacked // nil: read at random
	temp     *os.File  // what a compressed file was decompressed to
	selected []int     // columns that are read
	picks    []pick    // of them; nil: they as they are
	whole    bool      // rows are kept as they are too, see rowsOf
	texts    []pick    // of these, columns that have text or null alone
	at       int64     // rows read
	err      error
}

// Scan opens a table to read these columns, in this order; none: all that can be
// read. Reading ends with ctx.
func (t *Table) Scan(ctx context.Context, names ...string) (*Scanner, error) {
	if len(names) == 0 {
		for _, c := range t.Columns {
			if c.Readable() {
				names = append(names, c.Name)
			}
		}
		if len(names) == 0 {
			return nil, fmt.Errorf("data: %s: no column can be read; its columns: %s", t.Path, listColumns(t.Columns))
		}
	}
	read, picks, err := t.choose(names)
	if err != nil {
		return nil, err
	}
	s, err := t.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", t.Path, bare(err))
	}
	s.selected, s.picks = read, picks
	if a, ok := s.rows.(*arrowReader); ok {
		for _, c := range t.Columns {
			a.f.SetClasses(c.Name, c.classes)
		}
		a.f.columns = read
	}
	return s, nil
}

// ScanRows opens a table to read all of its columns, for Rows to write. Behind these, from column
// len(t.Columns) on, batches have the columns named by texts, which must be of text, where a value of
// another type is an error, and the columns named by fields, of any type that is read.
func (t *Table) ScanRows(ctx context.Context, texts, fields []string) (*Scanner, error) {
	if _, err := t.carried(); err != nil {
		return nil, err
	}
	read, picks, err := t.choose(slices.Concat(texts, fields))
	if err != nil {
		return nil, err
	}
	all := make([]pick, len(t.Columns), len(t.Columns)+len(picks))
	for i, c := range t.Columns {
		all[i] = pick{column: c, at: i}
	}
	for i, p := range picks {
		if i < len(texts) && !p.column.Text() {
			return nil, fmt.Errorf("data: %s: column %q is %s, not text%s", t.Path, p.column.Name, p.column.Type, t.textHint())
		}
		p.at = read[p.at]
		all = append(all, p)
	}
	s, err := t.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", t.Path, bare(err))
	}
	s.whole, s.picks, s.texts = true, all, all[len(t.Columns):][:len(texts)]
	for i := range t.Columns {
		s.selected = append(s.selected, i)
	}
	if a, ok := s.rows.(*arrowReader); ok {
		a.f.columns = s.selected
	}
	return s, nil
}

// textHint names the columns of text.
func (t *Table) textHint() string {
	var names []string
	for _, c := range t.Columns {
		if c.Text() {
			names = append(names, c.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " (columns of text: " + Listed(names) + ")"
}

// open opens the file without saying which columns are read.
func (t *Table) open(ctx context.Context) (_ *Scanner, err error) {
	s := &Scanner{table: t, ctx: ctx}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	switch t.Format {
	case Parallel:
		s.rows, err = openParallel(ctx, t.Path, t.opt.bound())
		return s, err
	case ArrowFile, ArrowStream, Parquet:
		path := t.Path
		if t.Packed != "" {
			if err := s.spool(); err != nil {
				return nil, err
			}
			path = s.temp.Name()
		}
		if t.Format == Parquet {
			s.rows, err = openParquet(path, t.opt.bound())
		} else {
			s.rows, err = openArrow(path, t.Path, t.opt)
		}
		return s, err
	}
	if s.in, err = openUnpacked(ctx, t.Path, t.Packed); err != nil {
		return nil, err
	}
	return s, s.readRows()
}

// readRows makes the reader of a format that is read in order.
func (s *Scanner) readRows() (err error) {
	t := s.table
	switch t.Format {
	case JSON:
		s.rows = newJSONReader(s.in, t.shape)
	case CSV, TSV:
		s.rows, err = newCSVReader(s.in, t)
	case FASTA:
		s.rows = newFASTAReader(s.in, t.opt.bound())
	case CoNLL:
		s.rows, err = newCoNLLReader(s.in, t.opt.ColumnNames, t.opt.bound())
	case CoNLLU:
		s.rows = newCoNLLUReader(s.in, t.opt.bound())
	case SQuAD:
		s.rows = newSQuADReader(s.in)
	case Text:
		s.rows = newTextReader(s.in, t.opt.Separator, t.opt.bound())
	default:
		err = fmt.Errorf("format %q is not known%s (known: %s)", t.Format, hint(t.Format, Formats), strings.Join(Formats, ", "))
	}
	return err
}

// spool decompresses the file, for formats that are not read in order.
func (s *Scanner) spool() error {
	u, err := openUnpacked(s.ctx, s.table.Path, s.table.Packed)
	if err != nil {
		return err
	}
	defer u.Close()
	if s.temp, err = os.CreateTemp(s.table.opt.TempDir, "hone-*.tmp"); err != nil {
		return err
	}
	_, err = io.Copy(s.temp, u)
	return err
}

// Place says for messages where row i is: at its line, where rows are on lines, or by its number from 1. If
// the table has no so many, where is "" and rows the number of its rows. It reads up to there.
func (t *Table) Place(ctx context.Context, i int64) (where string, rows int64, err error) {
	s, err := t.ScanRows(ctx, nil, nil)
	if err != nil {
		return "", 0, err
	}
	defer s.Close()
	for {
		b, err := s.Next()
		if err == io.EOF {
			return "", rows, nil
		}
		if err != nil {
			return "", rows, err
		}
		if i < rows+int64(b.Rows) {
			return b.Where(int(i - rows)), rows, nil
		}
		rows += int64(b.Rows)
	}
}

// Columns lists the columns of a batch, as they were named.
func (s *Scanner) Columns() []Column {
	var list []Column
	for _, p := range s.picks {
		list = append(list, p.column)
	}
	return list
}

// Next returns some rows, or io.EOF. They are overwritten by the next call.
func (s *Scanner) Next() (b *Batch, err error) {
	if s.err != nil {
		return nil, s.err
	}
	defer func() {
		if p := recover(); p != nil {
			b, err = nil, fmt.Errorf("data: %s: damaged data after row %d: %v", s.table.Path, s.at, p)
		}
		s.err = err
	}()
	if err = s.ctx.Err(); err != nil {
		return nil, err
	}
	b, err = s.rows.next(s)
	if err == io.EOF {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", s.table.Path, bare(err))
	}
	s.at += int64(b.Rows)
	if s.picks != nil {
		b.pick(s.picks)
	}
	return b, nil
}

// Done returns how much of the file was read, of Table.Size, for a progress bar.
func (s *Scanner) Done() int64 {
	if s.in != nil {
		return s.in.count.n
	}
	if p, ok := s.rows.(*parallelReader); ok {
		return p.done()
	}
	if n := s.rows.count(); n > 0 {
		return int64(float64(s.table.Size) * float64(s.at) / float64(n))
	}
	return 0
}

// Close closes the file.
func (s *Scanner) Close() error {
	var err error
	if s.rows != nil {
		err = s.rows.close()
	}
	if s.in != nil {
		err = errors.Join(err, s.in.Close())
	}
	if s.temp != nil {
		err = errors.Join(err, s.temp.Close(), os.Remove(s.temp.Name()))
	}
	return err
}

// skip counts a fault of a record, or returns it where faults are not skipped.
func (s *Scanner) skip(err error) error {
	if s.table.opt.Skips == nil {
		return err
	}
	s.table.opt.Skips.add(fmt.Errorf("data: %s: %w", s.table.Path, err))
	return nil
}

// bare removes the path from errors of the operating system, since the message has it already.
func bare(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// A batch of rows that are no Arrow is about this large.
const (
	scanRows  = 4096
	scanBytes = 1 << 20
)

// rowBuilder makes batches from the selected columns.
type rowBuilder struct {
	columns []Column
	*array.RecordBuilder
	first, rows int64
	bytes       int
	whole       *rowsOf // nil: not wanted
}

func newRowBuilder(s *Scanner) *rowBuilder {
	b := &rowBuilder{first: s.at}
	if s.whole {
		b.whole = new(rowsOf)
	}
	for _, i := range s.selected {
		b.columns = append(b.columns, s.table.Columns[i])
	}
	b.RecordBuilder = array.NewRecordBuilder(memory.NewGoAllocator(), arrowSchema(b.columns))
	return b
}

func arrowSchema(columns []Column) *arrow.Schema {
	fields := make([]arrow.Field, len(columns))
	for i, c := range columns {
		fields[i] = arrow.Field{Name: c.Name, Type: c.arrow, Nullable: true}
		if c.arrow == nil {
			fields[i].Type = c.carried
		}
	}
	return arrow.NewSchema(fields, nil)
}

func (b *rowBuilder) full() bool { return b.rows >= scanRows || b.bytes >= scanBytes }

func (b *rowBuilder) batch() *Batch {
	rec := b.NewRecord()
	batch := &Batch{First: b.first, Rows: int(b.rows), Bytes: int64(b.bytes), columns: rec.Columns(), rows: b.whole}
	for _, c := range b.columns {
		batch.classes = append(batch.classes, c.classes)
	}
	return batch
}

// textColumns describes columns that hold text.
func textColumns(names ...string) []Column {
	list := make([]Column, len(names))
	for i, n := range names {
		list[i] = Column{Name: n, Type: "utf8", arrow: arrow.BinaryTypes.String}
	}
	return list
}

// arrowReader reads an Arrow IPC file or stream in order.
type arrowReader struct {
	f     *File
	ahead ahead
	w     *window
	k     int   // next record batch
	row   int64 // in w
	guess int64 // rows that made a good batch
}

func openArrow(path, name string, opt Options) (rowReader, error) {
	f, err := Open(path)
	if err != nil {
		if path != name {
			err = fmt.Errorf("decompressed: %w", err)
		}
		return nil, unnamed(err, path)
	}
	f.path, f.skips, f.most = name, opt.Skips, opt.bound()
	return &arrowReader{f: f, ahead: ahead{f: f}, guess: scanRows}, nil
}

func (a *arrowReader) columns() []Column { return a.f.Columns() }
func (a *arrowReader) count() int64      { return a.f.Rows() }

func (a *arrowReader) close() error {
	a.ahead.wait()
	return a.f.Close()
}

func (a *arrowReader) next(s *Scanner) (*Batch, error) {
	for a.w == nil || a.row >= a.w.rows() {
		if a.k >= len(a.f.batches) {
			return nil, io.EOF
		}
		w, err := a.ahead.window(a.k, a.w)
		if err != nil {
			a.w = nil
			return nil, fmt.Errorf("record batch %d: %w", a.k, err)
		}
		a.w, a.row = w, 0
		a.k++
	}
	n := a.w.next(a.row, min(2*a.guess, 1<<20), windowBytes)
	a.guess = max(n, 64)
	b, err := a.w.batch(a.row, n)
	if err != nil {
		return nil, unnamed(err, a.f.path)
	}
	a.row += n
	return b, nil
}

// windowBytes is what a Scanner reads of an Arrow file at a time: it should stay
// in a core's own cache until it is used.
const windowBytes = 256 << 10

// unnamed removes the name of the file from an error, since the message has it already.
func unnamed(err error, path string) error { return &prefixed{err, "data: " + path + ": "} }

type prefixed struct {
	err    error
	prefix string
}

func (p *prefixed) Error() string {
	s := p.err.Error()
	if len(s) > len(p.prefix) && s[:len(p.prefix)] == p.prefix {
		s = s[len(p.prefix):]
	}
	return s
}

func (p *prefixed) Unwrap() error { return p.err }

// RandomAccess reports whether Open gives random access to the rows of a file: whether it
// is Arrow IPC, compressed neither as a whole nor in its buffers.
func RandomAccess(path string) (bool, error) {
	if files, _ := parallel(path); files != nil {
		return false, nil
	}
	h, err := openHandle(path)
	if err != nil {
		return false, fmt.Errorf("data: %s: %w", path, bare(err))
	}
	defer h.Close()
	head := make([]byte, min(h.size, 8))
	if _, err := h.ReadAt(head, 0); err != nil {
		return false, fmt.Errorf("data: %s: %w", path, bare(err))
	}
	if !bytes.HasPrefix(head, arrowMagic) && !bytes.HasPrefix(head, continuation) {
		return false, nil
	}
	a, err := openAt(path, h, h.size)
	return err == nil && a.RandomAccess(), err
}
