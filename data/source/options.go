package source

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Options say how to read a file, where the file itself does not. The zero value suits most
// files.
type Options struct {
	// Format is one of the known formats; "": by the first bytes, then by the name.
	Format string
	// Separator stands between the documents of a plain text; "": the file is
	// one document. Documents that are empty or only white space are left out.
	Separator string
	// ColumnNames of CSV and TSV files without a header line, and of files in CoNLL columns.
	ColumnNames []string
	// Delimiter stands between the values of CSV and TSV files, one byte; "": a tab
	// for TSV; for CSV a comma, semicolon, bar or tab, found from its first records.
	Delimiter string
	// Quote is the meaning of quotes in CSV and TSV files; "": QuoteAuto.
	Quote string
	// Rows is the place of the array of rows in a JSON file: names of members,
	// separated by dots; "": the file consists of rows.
	Rows string
	// MaxBatch is the greatest memory of a record batch in bytes: that of its decoded
	// columns, or of the Parquet pages that are open at once. A single record or page may
	// take a quarter of it. 0: one gibibyte.
	MaxBatch int64
	// Skips counts records that cannot be read and are skipped; nil: the first one is
	// an error. Damage to the file as a whole is always an error.
	Skips *Skips
	// TempDir is the directory that compressed Arrow and Parquet files are decompressed
	// to while they are read; "": os.TempDir.
	TempDir string
}

// A readKey is an option as it is written in recipes, with its value, "" where it is not set,
// and the formats that it applies to; none: all.
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
		{"column_names", names, []string{CSV, TSV, CoNLL}},
		{"delimiter", quote(o.Delimiter), cells},
		{"quote", quote(o.Quote), cells},
		{"rows", quote(o.Rows), []string{JSON}},
		{"max_batch_mib", most, nil},
	}
}

// Keys lists the options that are set, as lines of a recipe.
func (o Options) Keys() []string {
	var lines []string
	for _, k := range o.keys() {
		if k.value != "" {
			lines = append(lines, k.name+" = "+k.value)
		}
	}
	return lines
}

// Check returns the faults of the options, by key.
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

// A bound is the greatest number of bytes of a decoded record batch: memory must not depend
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

// record is the greatest number of bytes of one record: an unclosed quote must not read a
// whole corpus into memory.
func (b bound) record() int { return int(b / 4) }

func (b bound) errRecord() error {
	return fmt.Errorf("a record of more than %s (hint: a larger max_batch_mib allows it, on the command line --max-batch-mib)", mebibytes(b/4))
}

func (b bound) errBatch() error {
	return fmt.Errorf("a record batch of more than %s (hint: write the file with smaller record batches, or set a larger max_batch_mib, on the command line --max-batch-mib)", mebibytes(b))
}

func mebibytes(b bound) string {
	if b < 1<<20 {
		return fmt.Sprintf("%d KiB", b>>10)
	}
	return fmt.Sprintf("%d MiB", b>>20)
}

// Fits fails for an option that applies to none of the formats of a corpus, since it would
// have no effect.
func (o Options) Fits(formats []string) error {
	for _, k := range o.keys() {
		if k.value != "" && k.formats != nil && !slices.ContainsFunc(formats, func(f string) bool { return slices.Contains(k.formats, f) }) {
			return fmt.Errorf("%s applies to %s, but no file of the corpus has that format (hint: leave it out, or set the format)", k.name, strings.Join(k.formats, " and "))
		}
	}
	return nil
}
