package source

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// written gives the formats that Rows writes by the ends of names.
var written = map[string]string{
	".jsonl": JSON, ".ndjson": JSON, ".csv": CSV, ".tsv": TSV, ".arrow": ArrowFile, ".feather": ArrowFile, ".arrows": ArrowStream, ".parquet": Parquet, ".pq": Parquet,
}

// RowsFormat is the format in which rows are written into a file of this name; of none, "", it is
// lines of JSON.
func RowsFormat(name string) (string, error) {
	if name == "" {
		return JSON, nil
	}
	if f, ok := written[strings.ToLower(filepath.Ext(name))]; ok {
		return f, nil
	}
	return "", fmt.Errorf("data: %s: the end of the name says no format that rows are written in (known: .jsonl, .csv, .tsv, .arrow, .arrows, .parquet)", name)
}

// Rows writes the records of a table, in order and with all columns, and columns that are added to
// them, as lines of JSON, CSV, TSV, Arrow or Parquet. Memory is bounded.
//
// Types are kept as far as the format has them. Arrow and Parquet have all; dictionaries become
// their values. In JSON, times, dates and decimals are strings, and bytes are base64; records that
// come from JSON stay as they are, member by member. A cell of CSV holds a list, a struct or a
// dialogue as JSON, and nothing where the value is null.
type Rows struct {
	to    rowFormat
	input int // columns of the table
	built *array.RecordBuilder
	err   error
}

// A rowFormat writes rows in one format.
type rowFormat interface {
	// rows writes some rows, with the columns of the schema. objects are the rows of the table as
	// JSON has them, where they come from there; else nil.
	rows(rec arrow.Record, objects [][]byte) error
	close() error
}

// NewRows starts to write the rows of t, which ScanRows reads, to w. A column that is there already
// cannot be added.
func NewRows(w io.Writer, format string, t *Table, columns ...Column) (*Rows, error) {
	names := columnNames(t.Columns)
	for _, c := range columns {
		if slices.Contains(names, c.Name) {
			return nil, fmt.Errorf("data: %s: it has a column %q already, which is the name of one that would be added (hint: rename it)", t.Path, c.Name)
		}
	}
	carried, err := t.carried()
	if err != nil {
		return nil, err
	}
	r := &Rows{input: len(carried)}
	schema := arrow.NewSchema(append(carried, arrowSchema(columns).Fields()...), classMetadata(t.Columns))
	r.built = array.NewRecordBuilder(memory.NewGoAllocator(), schema)
	switch format {
	case JSON:
		r.to = newJSONRows(w, schema, r.input)
	case CSV:
		r.to, err = newCSVRows(w, schema, ',')
	case TSV:
		r.to, err = newCSVRows(w, schema, '\t')
	case ArrowFile:
		var out *ipc.FileWriter
		out, err = ipc.NewFileWriter(&position{w: w}, ipc.WithSchema(schema))
		r.to = &arrowRows{out}
	case ArrowStream:
		r.to = &arrowRows{ipc.NewWriter(w, ipc.WithSchema(schema))}
	case Parquet:
		r.to, err = newParquetRows(w, schema)
	default:
		err = fmt.Errorf("format %q is not written", format)
	}
	if err != nil {
		return nil, fmt.Errorf("data: writing rows: %w", err)
	}
	return r, nil
}

// carried are the columns of the table, as they are written.
func (t *Table) carried() ([]arrow.Field, error) {
	var list []arrow.Field
	for _, c := range t.Columns {
		typ := c.carried
		if typ == nil {
			typ = c.arrow
		}
		if typ == nil {
			return nil, fmt.Errorf("data: %s: column %q is %s, which cannot be copied (hint: leave it out, or cast it when writing the file)", t.Path, c.Name, c.Type)
		}
		list = append(list, arrow.Field{Name: c.Name, Type: typ, Nullable: true})
	}
	return list, nil
}

// classMetadata keeps the names of classes, as datasets has them in the metadata of a file. It
// reads the features of those columns alone from there, and the others' from their types.
func classMetadata(columns []Column) *arrow.Metadata {
	type label struct {
		Names []string `json:"names"`
		Type  string   `json:"_type"`
	}
	type list struct {
		Feature label  `json:"feature"`
		Type    string `json:"_type"`
	}
	features := map[string]any{}
	for _, c := range columns {
		if c.classes == nil {
			continue
		}
		one := label{c.classes, "ClassLabel"}
		if features[c.Name] = one; nested(c.arrow) {
			features[c.Name] = list{one, "List"}
		}
	}
	if len(features) == 0 {
		return nil
	}
	text, _ := json.Marshal(map[string]any{"info": map[string]any{"features": features}}) // strings never fail
	meta := arrow.NewMetadata([]string{"huggingface"}, []string{string(text)})
	return &meta
}

// Append writes the rows of a batch from row first on, as many as there are values: those of the
// added columns, by row. After an error it does nothing; Close returns the error.
func (r *Rows) Append(b *Batch, first int, values [][]any) {
	if r.err == nil {
		r.err = r.append(b, first, values)
	}
}

func (r *Rows) append(b *Batch, first int, values [][]any) error {
	for i, row := range values {
		if r.input+len(row) != len(r.built.Fields()) {
			return fmt.Errorf("%d values for %d columns", r.input+len(row), len(r.built.Fields()))
		}
		// Rows are copied: arrow-go's writer panics on parts of some nested arrays.
		bytes := 0
		for k, to := range r.built.Fields() {
			var err error
			if k < r.input {
				err = copyArray(to, b.columns[k], first+i, &bytes)
			} else {
				err = appendValue(to, row[k-r.input])
			}
			if err != nil {
				return fmt.Errorf("column %q: %w", r.built.Schema().Field(k).Name, err)
			}
		}
	}
	var objects [][]byte
	if b.rows != nil && b.rows.objects != nil {
		objects = b.rows.objects[first : first+len(values)]
	}
	rec := r.built.NewRecord()
	defer rec.Release()
	return r.to.rows(rec, objects)
}

// Close ends the file, but does not close what it is written to.
func (r *Rows) Close() error {
	if err := r.to.close(); r.err == nil {
		r.err = err
	}
	if r.err != nil {
		return fmt.Errorf("data: writing rows: %w", r.err)
	}
	return nil
}

// arrowRows writes record batches.
type arrowRows struct {
	w interface {
		Write(arrow.Record) error
		Close() error
	}
}

func (a *arrowRows) rows(rec arrow.Record, _ [][]byte) error { return a.w.Write(rec) }
func (a *arrowRows) close() error                            { return a.w.Close() }

// position counts what is written. arrow-go asks a file for its position and never moves it.
type position struct {
	w io.Writer
	n int64
}

func (p *position) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	p.n += int64(n)
	return n, err
}

func (p *position) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekCurrent {
		return 0, fmt.Errorf("seek to %d (%d) in a file written in order", offset, whence)
	}
	return p.n, nil
}
