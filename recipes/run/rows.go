package run

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hone/checkpoint/file"
	"hone/data/corpus"
	"hone/data/source"
	"hone/eval"
	"hone/recipes"
)

// RowsOptions say which rows are read, and where they are written with what a model adds to them.
type RowsOptions struct {
	In    string   // a file; "-": Stdin
	Out   string   // a file, the end of whose name says the format; "": lines of JSON to Stdout
	Text  []string // columns of the text or texts; nil: found by their names
	Read  source.Options
	Fresh bool // replace Out, and what an interrupted run has left
	Stdin io.Reader
	// Stdout is written to as rows are ready.
	Stdout io.Writer
}

// Rowed says what was done with the rows of a file.
type Rowed struct {
	Out           string  `json:"out,omitempty"`
	Rows          int64   `json:"rows"`
	Truncated     int64   `json:"truncated"`            // of these, how many had a text that was too long for the model
	Unsure        int64   `json:"abstained,omitempty"`  // predictions that are null because they are less probable than they have to be
	Empty         int64   `json:"empty,omitempty"`      // rows without a text, of which nothing is predicted
	None          int64   `json:"unanswered,omitempty"` // rows of which it is predicted that there is no answer
	Unended       int64   `json:"unended,omitempty"`    // texts that did not end by themselves
	Resumed       int64   `json:"resumed,omitempty"`
	Seconds       float64 `json:"seconds"`
	RowsPerSecond float64 `json:"rows_per_second"` // but for those of an earlier, interrupted run
}

// A labeller adds values to rows.
type labeller struct {
	doing   string // in words, for the progress bar
	of      map[string]string
	columns []source.Column
	fields  []string // columns that it needs beside the texts, of any type
	// label labels some rows, and gives them in order as they are ready. The first text is a record's Text; Fields has
	// all texts and fields.
	label    func(ctx context.Context, rows rowRecords, ready func([]labelledRow) error) error
	together int // rows that it gets at a time; 0: rowsTogether
}

// rowRecords are some rows of a file.
type rowRecords []corpus.Record

func (r rowRecords) Rows() int64                           { return int64(len(r)) }
func (r rowRecords) Record(i int64) (corpus.Record, error) { return r[i], nil }

// Where is the place of a row, for messages.
func (r rowRecords) Where(i int64) string { return r[i].Path }

// A labelledRow is what a model adds to a row.
type labelledRow struct {
	Values []any // of the columns
	Cut    bool  // a text was too long for the model
	eval.PredictionNotes
}

// count counts a row.
func (d *Rowed) count(row *labelledRow) {
	add := func(n *int64, is bool) {
		if is {
			*n++
		}
	}
	d.Rows++
	d.Unsure += int64(row.Unsure)
	add(&d.Truncated, row.Cut)
	add(&d.Empty, row.Empty)
	add(&d.None, row.None)
	add(&d.Unended, row.Unended)
}

// rowsTogether is how many rows most labellers get at a time.
const rowsTogether = 512

// each adds the values of l to all rows. The first of texts that a file has for each of their
// places is the column that is read.
func (o *RowsOptions) each(ctx context.Context, l *labeller, run Options) (done *Rowed, err error) {
	format, err := source.RowsFormat(o.Out)
	if err != nil {
		return nil, recipes.Input(err)
	}
	in := o.In
	if in == "-" {
		var dir string
		if dir, err = os.MkdirTemp("", "hone-"); err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		in = filepath.Join(dir, "stdin")
		defer func() {
			if err != nil {
				err = &stdinError{err, in}
			}
		}()
		if _, err := file.Write(in, func(w io.Writer) error {
			_, err := io.Copy(w, o.Stdin)
			return err
		}); err != nil {
			return nil, err
		}
	}
	if err := o.taken(in); err != nil {
		return nil, recipes.Input(err)
	}
	t, err := source.Describe(ctx, in, o.Read)
	if err != nil {
		return nil, recipes.Input(err)
	}
	r := &rowsRun{RowsOptions: *o, l: l, table: t, run: run, done: &Rowed{Out: o.Out}}
	if r.Text == nil {
		if r.Text, err = textColumn(t); err != nil {
			return nil, recipes.Input(err)
		}
	}
	if _, err := source.NewRows(io.Discard, format, t, l.columns...); err != nil { // before the work
		return nil, recipes.Input(err)
	}
	if o.Out == "" {
		return r.done, r.write(ctx, o.Stdout, format)
	}
	if o.In != "-" {
		l.of["input"], _, err = source.Hash(ctx, in)
		if err != nil {
			return nil, recipes.Input(err)
		}
		l.of["text"] = fmt.Sprint(r.Text)
		if r.kept, err = openKept(o.Out+".part", l, o.Fresh); err != nil {
			return nil, err
		}
		defer r.kept.close()
	}
	if _, err := file.Write(o.Out, func(w io.Writer) error { return r.write(ctx, w, format) }); err != nil {
		return nil, err
	}
	return r.done, r.kept.remove()
}

// A stdinError is one about stdin, which lies in a file that nobody knows.
type stdinError struct {
	err  error
	file string
}

func (e *stdinError) Error() string { return strings.ReplaceAll(e.err.Error(), e.file, "stdin") }
func (e *stdinError) Unwrap() error { return e.err }

// taken refuses to write over a file that is there.
func (o *RowsOptions) taken(in string) error {
	if o.Out == "" {
		return nil
	}
	is, err := os.Stat(o.Out)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if of, err := os.Stat(in); err == nil && os.SameFile(is, of) {
		return fmt.Errorf("%s is the file that is read: rows are not written over it", o.Out)
	}
	if !o.Fresh {
		return fmt.Errorf("%s is there already (hint: --fresh replaces it)", o.Out)
	}
	return nil
}

// textColumn finds the text where no column is named: "text", or the only one.
func textColumn(t *source.Table) ([]string, error) {
	var names []string
	for _, c := range t.Columns {
		if c.Name == "text" {
			return []string{"text"}, nil
		}
		if c.Text() {
			names = append(names, c.Name)
		}
	}
	if len(names) == 1 {
		return names, nil
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("data: %s: no column is text", t.Path)
	}
	return nil, fmt.Errorf("data: %s: several columns are text: %s (hint: --text %s, or another of them)", t.Path, source.Listed(names), names[0])
}

// rowsRun is one pass over a file.
type rowsRun struct {
	RowsOptions
	l     *labeller
	table *source.Table
	run   Options
	kept  *kept // nil: nothing is kept of an interrupted run
	done  *Rowed
}

// write writes all rows.
func (r *rowsRun) write(ctx context.Context, w io.Writer, format string) (err error) {
	out, err := source.NewRows(w, format, r.table, r.l.columns...)
	if err != nil {
		return recipes.Input(err)
	}
	s, err := r.table.ScanRows(ctx, r.Text, r.l.fields)
	if err != nil {
		return recipes.Input(err)
	}
	defer s.Close()
	bar := r.run.Bar(r.l.doing+" "+r.In, "bytes")
	defer bar.Close()
	show := func(more int) {
		bar.Set(s.Done(), r.table.Size, fmt.Sprintf("%d rows", r.done.Rows+int64(more)))
	}
	together := cmp.Or(r.l.together, rowsTogether)
	began := time.Now()
	for {
		b, err := s.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return recipes.Input(err)
		}
		for first := 0; first < b.Rows; first += together {
			rows, err := r.label(ctx, b, first, min(together, b.Rows-first), show)
			if err != nil {
				return err
			}
			values := make([][]any, len(rows))
			for i := range rows {
				values[i] = rows[i].Values
				r.done.count(&rows[i])
			}
			out.Append(b, first, values)
			show(0)
		}
	}
	r.done.Seconds = time.Since(began).Seconds()
	r.done.RowsPerSecond = float64(r.done.Rows-r.done.Resumed) / r.done.Seconds
	return out.Close()
}

// label labels n rows of a batch: by what is kept of them, and the others anew. show is told how many there are.
func (r *rowsRun) label(ctx context.Context, b *source.Batch, first, n int, show func(rows int)) (rows []labelledRow, err error) {
	for len(rows) < n {
		row, err := r.kept.next()
		if err != nil {
			return nil, err
		}
		if row == nil {
			break
		}
		rows = append(rows, *row)
		r.done.Resumed++
	}
	if len(rows) == n {
		return rows, nil
	}
	records := make(rowRecords, 0, n-len(rows))
	for row := first + len(rows); row < first+n; row++ {
		rec := corpus.Record{Path: fmt.Sprintf("%s: %s", r.table.Path, b.Where(row)), Fields: map[string]any{}}
		for k, name := range slices.Concat(r.Text, r.l.fields) {
			v := b.Value(len(r.table.Columns)+k, row)
			if v != nil {
				rec.Fields[name] = v
			} else if k < len(r.Text) {
				return nil, recipes.Input(fmt.Errorf("data: %s: column %q has no text: it is null or missing (hint: fill it, or leave the row out)", rec.Path, name))
			}
		}
		if len(r.Text) > 0 {
			rec.Text = rec.Fields[r.Text[0]].(string)
		}
		records = append(records, rec)
	}
	err = r.l.label(ctx, records, func(more []labelledRow) error {
		rows = append(rows, more...)
		show(len(rows))
		return r.kept.add(more)
	})
	if none := (*eval.NoTokensError)(nil); errors.As(err, &none) {
		return nil, recipes.Input(fmt.Errorf("data: %s: the text has no tokens (hint: leave the row out)", records[none.Text].Path))
	}
	return rows, err
}

// kept is the file beside the output that has the values of an interrupted run: a line that says
// what they are of, and then a line of JSON for each row. A line that is not whole was being written
// when the run ended. Its methods do nothing on nil.
type kept struct {
	f       *os.File
	columns []source.Column
	lines   *json.Decoder // nil: all were read
	end     int64         // of the lines that are whole
	synced  time.Time
}

// openKept opens the file, which must be of the same model, input and options.
func openKept(path string, l *labeller, fresh bool) (*kept, error) {
	flags := os.O_RDWR | os.O_CREATE
	if fresh {
		flags |= os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, 0o666)
	if err != nil {
		return nil, err
	}
	k := &kept{f: f, columns: l.columns, lines: json.NewDecoder(f), synced: time.Now()}
	was := map[string]string{}
	if err := k.lines.Decode(&was); err != nil { // it is new, or was left before its first line was whole
		k.lines = nil
		if err := k.cut(); err != nil {
			f.Close()
			return nil, err
		}
		head, err := json.Marshal(l.of)
		if err == nil {
			_, err = f.Write(append(head, '\n'))
		}
		if err != nil {
			f.Close()
			return nil, err
		}
		return k, nil
	}
	k.end = k.lines.InputOffset() + 1
	var changed []string
	for key, v := range l.of {
		if was[key] != v {
			changed = append(changed, key)
		}
	}
	if len(changed) > 0 {
		f.Close()
		slices.Sort(changed)
		return nil, recipes.Input(fmt.Errorf("%s holds rows of an interrupted run, and since then has changed: %s (hint: --fresh starts over)", path, source.Listed(changed)))
	}
	return k, nil
}

// next gives the next row; nil: there are no more.
func (k *kept) next() (*labelledRow, error) {
	if k == nil || k.lines == nil {
		return nil, nil
	}
	var raw struct {
		Values []json.RawMessage
		Cut    bool
		eval.PredictionNotes
	}
	row := &labelledRow{Values: make([]any, len(k.columns))}
	err := k.lines.Decode(&raw)
	if err == nil && len(raw.Values) != len(row.Values) {
		err = io.ErrUnexpectedEOF
	}
	for i := 0; err == nil && i < len(row.Values); i++ {
		row.Values[i], err = k.columns[i].Value(raw.Values[i])
	}
	if err != nil {
		k.lines = nil
		return nil, k.cut()
	}
	row.Cut, row.PredictionNotes, k.end = raw.Cut, raw.PredictionNotes, k.lines.InputOffset()+1
	return row, nil
}

// cut removes what is behind the whole lines, to go on there.
func (k *kept) cut() error {
	if err := k.f.Truncate(k.end); err != nil {
		return err
	}
	_, err := k.f.Seek(k.end, io.SeekStart)
	return err
}

// add keeps rows. They are safe from a crash of the machine after a few seconds.
func (k *kept) add(rows []labelledRow) error {
	if k == nil {
		return nil
	}
	var lines []byte
	for _, row := range rows {
		line, err := json.Marshal(row)
		if err != nil {
			return err
		}
		lines = append(append(lines, line...), '\n')
	}
	if _, err := k.f.Write(lines); err != nil {
		return err
	}
	if time.Since(k.synced) < 5*time.Second {
		return nil
	}
	k.synced = time.Now()
	return k.f.Sync()
}

func (k *kept) close() {
	if k != nil {
		k.f.Close()
	}
}

// remove removes the file when the output is there.
func (k *kept) remove() error {
	if k == nil {
		return nil
	}
	k.close()
	return os.Remove(k.f.Name())
}
