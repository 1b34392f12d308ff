package recipes

import (
	"hone/data/clean"
	"hone/data/source"
)

// A Corpus names data and where it comes from.
type Corpus struct {
	Source string `toml:"source"` // goroot:, hf:datasets/ORG/NAME, a file, a directory or a glob of any known format
	Text   string `toml:"text"`   // name of the text column; doc.text: the field text of the column doc
	Label  string `toml:"label"`  // name of the label column, as that of the text; "": label, where there is one

	// How files are read.
	Format      string   `toml:"format,omitempty"`        // "": as they show
	Separator   string   `toml:"separator,omitempty"`     // between the documents of a plain text; "": a file is a document
	ColumnNames []string `toml:"column_names,omitempty"`  // of CSV and TSV files without a header line
	Delimiter   string   `toml:"delimiter,omitempty"`     // between the values of CSV and TSV files; "": of TSV a tab, of CSV the one of , ; | and tab that its first lines show
	Quote       string   `toml:"quote,omitempty"`         // what quotes are in CSV and TSV files: csv (around cells), none (text), auto; "": auto, which is csv for CSV, and for TSV where all quotes of a file are CSV's
	Rows        string   `toml:"rows,omitempty"`          // of JSON files: the array of their rows, as data, or a.b for one in an object
	MaxBatchMiB int      `toml:"max_batch_mib,omitempty"` // of memory for a record batch of a file, decoded; a single record may take a quarter; 0: 1024
	OnError     string   `toml:"on_error"`                // what a record that cannot be read does: fail, or skip

	// Provenance. What a converted corpus says of itself need not be said again.
	Origin    string `toml:"origin"`    // where it was published: an address, a citation
	Licence   string `toml:"licence"`   // SPDX expression
	Consent   string `toml:"consent"`   // on what basis it may be used
	Collected string `toml:"collected"` // when: a year, a month or a day, as 2024-05-31
	SHA256    string `toml:"sha256"`    // that it must have; hone data info --manifest prints it

	// Cleaning, done once into the cache and counted in every manifest and the report.
	Normalize      string   `toml:"normalize"`       // NFC, NFD, NFKC, NFKD
	MinLength      int      `toml:"min_length"`      // characters
	MaxLength      int      `toml:"max_length"`      // 0: any
	Scripts        []string `toml:"scripts"`         // Unicode scripts, as Latin, Hangul
	ScriptShare    float64  `toml:"script_share"`    // of the letters, that must be of these scripts
	Dedup          string   `toml:"dedup"`           // exact, near
	DedupThreshold float64  `toml:"dedup_threshold"` // near: Jaccard similarity of word 3-grams

	// Shares of the training split to hold out: documents by a hash of their text, or where
	// hold_out = "end" the last characters of each file, those of validation before those
	// of the test.
	Validation float64 `toml:"validation"`
	Test       float64 `toml:"test"`
	HoldOut    string  `toml:"hold_out,omitempty"` // hash, end; "": hash
}

// Read says how the files of a corpus are read.
func (c *Corpus) Read() source.Options {
	o := source.Options{Format: c.Format, Separator: c.Separator, ColumnNames: c.ColumnNames, Delimiter: c.Delimiter, Quote: c.Quote, Rows: c.Rows, MaxBatch: int64(c.MaxBatchMiB) << 20}
	if c.OnError == "skip" {
		o.Skips = &source.Skips{}
	}
	return o
}

func defaultCorpus() Corpus {
	return Corpus{Text: "text", OnError: "fail", ScriptShare: 0.5, DedupThreshold: 0.8}
}

// Rules of cleaning; without any, the zero value.
func (c *Corpus) Rules() clean.Rules {
	r := clean.Rules{Normalize: c.Normalize, MinLength: c.MinLength, MaxLength: c.MaxLength, Scripts: c.Scripts, Dedup: c.Dedup}
	if r.IsZero() {
		return r
	}
	r.ScriptShare, r.Threshold = c.ScriptShare, c.DedupThreshold
	return r
}

// What a corpus holds out.
const (
	holdOutHash = "hash"
	HoldOutEnd  = "end"
)
