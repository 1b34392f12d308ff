package recipes

import (
	"maps"
	"slices"

	"hone/data/clean"
	"hone/data/source"
)

// A Corpus names data and where it comes from.
type Corpus struct {
	Source string `toml:"source" need:"yes" doc:"where the corpus is: a file, a directory or a glob of any known format; texts of parallel lines as train.{en,de}, whose columns are en and de; hf:datasets/ORG/NAME, a data set of Hugging Face's hub; or goroot:, the Go source tree of this machine"`
	Text   string `toml:"text" doc:"name of the column with the text; doc.text is the field text of the column doc"`
	Label  string `toml:"label" doc:"name of the column with the label; \"\": label, where there is one"`

	Reading
	MaxBatchMiB int    `toml:"max_batch_mib" unit:"MiB" doc:"memory of a decoded record batch, at most, of which a single record may take a quarter; 0: 1024"`
	OnError     string `toml:"on_error" doc:"what a record that cannot be read does: fail ends the reading, skip leaves it out and counts it"`

	// Provenance. What a converted corpus says of itself need not be said again.
	Origin    string `toml:"origin" doc:"origin: the address or the citation of where the corpus was published"`
	Licence   string `toml:"licence" doc:"licence, an SPDX expression"`
	Consent   string `toml:"consent" doc:"basis on which the corpus may be used"`
	Collected string `toml:"collected" doc:"date when it was collected: a year, a month or a day, as 2024-05-31"`
	SHA256    string `toml:"sha256" doc:"hash that the corpus must have, as hone data info --manifest prints it; \"\": any"`

	// Cleaning, done once into the cache and counted in every manifest and the report.
	Normalize      string   `toml:"normalize" doc:"Unicode normal form that texts are brought to; \"\": as they are"`
	MinLength      int      `toml:"min_length" unit:"characters" doc:"length below which a text is left out"`
	MaxLength      int      `toml:"max_length" unit:"characters" doc:"length above which a text is left out; 0: any"`
	Scripts        []string `toml:"scripts" doc:"Unicode scripts, as Latin or Hangul, in which a text has to be; none: any"`
	ScriptShare    float64  `toml:"script_share" doc:"share of a text's letters that must be of these scripts"`
	Dedup          string   `toml:"dedup" doc:"duplicates that are left out of training: exact, or near ones too; \"\": none"`
	DedupThreshold float64  `toml:"dedup_threshold" doc:"Jaccard similarity of word 3-grams from which on texts are near duplicates"`

	ExamplesPerLabel int `toml:"examples_per_label,omitempty" unit:"documents" doc:"documents of each label that the training split has, drawn by the recipe's seed, for training and baselines alike; 0: all"`

	// Shares of the training split to hold out: documents by a hash of their text, or where
	// hold_out = "end" the last characters of each file, those of validation before those
	// of the test.
	Validation float64 `toml:"validation" doc:"share of the training split that is held out as the validation split; 0: none"`
	Test       float64 `toml:"test" doc:"share of the training split that is held out as the test split; 0: none"`
	Group      string  `toml:"group,omitempty" doc:"column by whose hash documents are held out, so that those of one value are in one split; \"\": the text, or what the task of a stage says"`
	HoldOut    string  `toml:"hold_out,omitempty" doc:"what is held out: documents, by a hash of their text (hash), or the last characters of each file (end); \"\": hash"`
}

// Reading says how files are read.
type Reading struct {
	Format      string   `toml:"format,omitempty" doc:"format of the files; \"\": as they show"`
	Separator   string   `toml:"separator,omitempty" doc:"text between the documents of a plain text, such as \"\\n\\n\"; \"\": a file is one document"`
	ColumnNames []string `toml:"column_names,omitempty" doc:"names of the columns of CSV and TSV files that have no header line, and of files in CoNLL columns"`
	Delimiter   string   `toml:"delimiter,omitempty" doc:"character between the values of CSV and TSV files; \"\": of TSV a tab, of CSV the one of comma, semicolon, bar and tab that its first lines show"`
	Quote       string   `toml:"quote,omitempty" doc:"what quotes are in CSV and TSV files: csv (around cells), none (text), auto; \"\": auto, which is csv for CSV, and for TSV where all quotes of a file are CSV's"`
	Rows        string   `toml:"rows,omitempty" doc:"name of the array that holds the rows of a JSON file, as data, or a.b within an object; \"\": the file is rows"`
}

func (r *Reading) Options() source.Options {
	return source.Options{Format: r.Format, Separator: r.Separator, ColumnNames: r.ColumnNames, Delimiter: r.Delimiter, Quote: r.Quote, Rows: r.Rows}
}

// reading notes faults of how files are read.
func (d *decoder) reading(o source.Options, at string) {
	faults := o.Check()
	for _, key := range slices.Sorted(maps.Keys(faults)) {
		d.fault(at+key, "%v", faults[key])
	}
}

// Read says how the files of a corpus are read.
func (c *Corpus) Read() source.Options {
	o := c.Reading.Options()
	o.MaxBatch = int64(c.MaxBatchMiB) << 20
	if c.OnError == "skip" {
		o.Skips = &source.Skips{}
	}
	return o
}

// UsualText is the column of the text of a corpus that names none.
const UsualText = "text"

func defaultCorpus() Corpus {
	return Corpus{Text: UsualText, OnError: "fail", ScriptShare: 0.5, DedupThreshold: 0.8}
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

var (
	onErrors = []string{"fail", "skip"}
	holdOuts = []string{holdOutHash, HoldOutEnd}
)
