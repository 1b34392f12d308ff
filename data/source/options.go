package source

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Options say what a file does not say of itself. The zero value suits most.
type Options struct {
	// Format is one of the known formats; "": by the first bytes, then by the name.
	Format string
	// Separator stands between the documents of a plain text; "": the file is
	// one document. Documents that are empty or only white space are left out.
	Separator string
	// ColumnNames of CSV and TSV files without a header line.
	ColumnNames []string
	// Delimiter stands between the values of CSV and TSV files, one byte; "": of
	// TSV a tab, of CSV the one of comma, semicolon, bar and tab that its first
	// records show.
	Delimiter string
	// Quote is what quotes are in CSV and TSV files; "": QuoteAuto.
	Quote string
	// Rows is where in a JSON file the array of its rows is: names of members, with
	// dots between them; "": the file is rows.
	Rows string
	// MaxBatch bounds the memory of a record batch: the decoded bytes of its columns,
	// or of the pages of Parquet that are open at once; a single record or page may
	// take a quarter of it. 0: a gibibyte.
	MaxBatch int64
	// Skips counts records that cannot be read, and reading goes on; nil: the
	// first one is an error. A file that is damaged as such is always one.
	Skips *Skips
	// TempDir holds what compressed Arrow and Parquet files are decompressed
	// to, while they are read; "": os.TempDir.
	TempDir string
}

// A readKey is an option as recipes write it, "" where it is not set, and the
// formats that it is for; none: all.
type readKey struct {
	name, value string
	formats     []string
}

func (o Options) keys() []readKey {
	quote := func(s string) string {
		if s == "" {
			return ""
		}
		return strconv.Quote(s)
	}
	cells := []string{CSV, TSV}
	names, most := "", ""
	if len(o.ColumnNames) > 0 {
		var list []string
		for _, n := range o.ColumnNames {
			list = append(list, strconv.Quote(n))
		}
		names = "[" + strings.Join(list, ", ") + "]"
	}
	if o.MaxBatch != 0 {
		most = strconv.FormatInt(o.MaxBatch>>20, 10)
	}
	return []readKey{
		{"format", quote(o.Format), nil},
		{"separator", quote(o.Separator), []string{Text}},
		{"column_names", names, cells},
		{"delimiter", quote(o.Delimiter), cells},
		{"quote", quote(o.Quote), cells},
		{"rows", quote(o.Rows), []string{JSON}},
		{"max_batch_mib", most, nil},
	}
}

// Keys lists the keys that decide how files are read and that are set, as lines of
// a recipe.
func (o Options) Keys() []string {
	var lines []string
	for _, k := range o.keys() {
		if k.value != "" {
			lines = append(lines, k.name+" = "+k.value)
		}
	}
	return lines
}

// Check returns what is wrong with the options, by key.
func (o Options) Check() map[string]error {
	faults := map[string]error{}
	if o.Format != "" && !slices.Contains(Formats, o.Format) {
		faults["format"] = fmt.Errorf("%q is not known%s (known: %s)", o.Format, hint(o.Format, Formats), strings.Join(Formats, ", "))
	}
	if d := o.Delimiter; d != "" && (len(d) > 1 || d[0] >= utf8.RuneSelf || strings.Contains("\"\r\n\x00", d)) {
		faults["delimiter"] = fmt.Errorf("%q is not one ASCII character other than a quote or a line end", d)
	}
	if o.Quote != "" && !slices.Contains(Quotes, o.Quote) {
		faults["quote"] = fmt.Errorf("%q is not one of %s", o.Quote, strings.Join(Quotes, ", "))
	}
	if o.MaxBatch != 0 && (o.MaxBatch < 1<<20 || o.MaxBatch > maxMaxBatch) {
		faults["max_batch_mib"] = fmt.Errorf("%d is not between 1 and %d", o.MaxBatch>>20, maxMaxBatch>>20)
	}
	return faults
}

// A bound is how many bytes a record batch may have, decoded: memory must not depend
// on how a file was written.
type bound int64

const (
	maxBatch    bound = 1 << 30
	maxMaxBatch       = 4 << 30
)

func (o Options) bound() bound { return bound(o.MaxBatch).or() }

func (b bound) or() bound {
	if b == 0 {
		return maxBatch
	}
	return b
}

// record is what may be kept of one record: a quote that is never closed must not
// read a corpus into memory.
func (b bound) record() int { return int(b / 4) }

func (b bound) errRecord() error {
	return fmt.Errorf("a record of more than %s (hint: a larger max_batch_mib allows it, on the command line --max-batch-mib)", mebibytes(b/4))
}

func (b bound) errBatch() error {
	return fmt.Errorf("more than %s in one record batch (hint: write the file with smaller ones, or allow it by a larger max_batch_mib, on the command line --max-batch-mib)", mebibytes(b))
}

func mebibytes(b bound) string {
	if b < 1<<20 {
		return fmt.Sprintf("%d KiB", b>>10)
	}
	return fmt.Sprintf("%d MiB", b>>20)
}

// Fits reports options that are for none of the formats of a corpus: they would
// change nothing.
func (o Options) Fits(formats []string) error {
	for _, k := range o.keys() {
		if k.value != "" && k.formats != nil && !slices.ContainsFunc(formats, func(f string) bool { return slices.Contains(k.formats, f) }) {
			return fmt.Errorf("%s is for %s, and no file here is of that format (hint: leave it out, or say the format)", k.name, strings.Join(k.formats, " and "))
		}
	}
	return nil
}
