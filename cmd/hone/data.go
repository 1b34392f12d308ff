package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"hone/data/clean"
	"hone/data/corpus"
	"hone/data/source"
	"hone/data/tokenizer"
	"hone/eval/report"
	"hone/recipes"
	"hone/recipes/run"
)

func newData(t *terminal) *cobra.Command {
	c := &cobra.Command{
		Use:   "data",
		Short: "inspect, convert and preview corpora",
		Long: `Inspects corpora, converts them into Arrow shards, and previews what a recipe makes of
them.`,
		Example: "  hone data info goroot:\n  hone data convert goroot: godoc\n  hone data preview quickstart",
	}
	c.AddCommand(newDataInfo(t), newDataConvert(t), newDataPreview(t))
	return c
}

func newDataConvert(t *terminal) *cobra.Command {
	var o struct {
		corpus.ConvertOptions
		Read readFlags
	}
	c := &cobra.Command{
		Use:   "convert CORPUS DIR",
		Short: "convert a corpus to Arrow shards in a new directory",
		Long: `Converts a corpus to uncompressed Arrow IPC shards in a new directory, with a corpus.json
that holds their hashes. CORPUS is a file, a glob or a directory of Arrow IPC, Parquet,
JSONL, SQuAD JSON, CSV, TSV, FASTA, CoNLL columns, CoNLL-U or plain text, each also
compressed with gzip or zstd; a directory of Hugging Face datasets; hf:datasets/ORG/NAME, a data set on the hub (see hone data info); or
goroot:, the Go source tree on this machine: its doc comments without duplicates, in three
splits.

The split of a file is a word of a directory below CORPUS, or else of the file's name:
train, training; valid, validation, val, dev, eval, evaluation; test, testing. A file
without such a word is for training. In the shards the columns of text and label are called
text and label, and all other columns are kept.

--normalize, --min-length, --max-length, --scripts and --dedup clean the texts, as the keys
of a recipe do. corpus.json counts the documents that are left out.`,
		Example: "  hone data convert goroot: godoc\n  printf 'document\\tstars\\ngood\\t5\\nbad\\t1\\n' > reviews.tsv && hone data convert reviews.tsv reviews --text document --label stars\n  printf '{\"text\": \"one\"}\\n{\"text\": \"One!\"}\\n{\"text\": \"two\"}\\n' > lines.jsonl && hone data convert lines.jsonl lines --dedup exact",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.Read.set(&o.ConvertOptions.Read); err != nil {
				return err
			}
			if err := o.Rules.Check(); err != nil {
				return recipes.Input(err)
			}
			o.Say = t.say
			o.CacheDir, _ = cacheDir() // without one, what needs it says so
			bar := t.newBar("converting "+args[0], "bytes")
			m, err := corpus.Convert(c.Context(), args[0], args[1], o.ConvertOptions, func(done, total int64) { bar.Set(done, total, "") })
			bar.Close()
			if err != nil {
				return recipes.Input(err)
			}
			if t.json {
				return t.printJSON(m)
			}
			for _, s := range m.Splits {
				fmt.Fprintf(t.out, "%-12s %8d documents %12d bytes of text, %d shards\n", s.Name, s.Rows, s.TextBytes, len(s.Shards))
				if n := s.Rows - s.Labelled; n > 0 && len(m.Labels) > 0 {
					fmt.Fprintf(t.out, "%-12s %8d documents\n", "  no label", n)
				}
			}
			for _, reason := range slices.Sorted(maps.Keys(m.Drops)) {
				fmt.Fprintf(t.out, "%-12s %8d documents: %s\n", "left out", m.Drops[reason], reason)
			}
			if d := m.Duplicates; d != nil {
				fmt.Fprintf(t.out, "%-12s %8d documents of %d: %d exact, %d near\n", "duplicates", d.Exact+d.Near, d.Documents, d.Exact, d.Near)
			}
			if k := m.Skipped; k != nil {
				fmt.Fprintf(t.out, "%-12s %8d records, the first: %s\n", "skipped", k.Count, k.First[0])
			}
			return nil
		},
	}
	f := c.Flags()
	f.Float64Var(&o.Shares.Validation, "validation", 0, "share of the documents to hold out as the validation split")
	f.Float64Var(&o.Shares.Test, "test", 0, "share of the documents to hold out as the test split")
	f.BoolVar(&o.HoldEnds, "hold-ends", false, "hold out the end of each file's text, instead of documents chosen by a hash")
	o.Read.add(c)
	f.StringVar(&o.Text, "text", "", "name of the column with the text (default text)")
	f.StringVar(&o.Label, "label", "", "name of the column with the label (default label)")
	f.StringVar(&o.Rules.Normalize, "normalize", "", "Unicode normal form of the texts: "+strings.Join(clean.Forms, ", "))
	f.IntVar(&o.Rules.MinLength, "min-length", 0, "least number of characters of a text")
	f.IntVar(&o.Rules.MaxLength, "max-length", 0, "greatest number of characters of a text (default any)")
	f.StringSliceVar(&o.Rules.Scripts, "scripts", nil, "scripts that the letters of a text must be in, such as Latin,Hangul")
	f.Float64Var(&o.Rules.ScriptShare, "script-share", 0, "share of the letters that must be in these scripts (default 0.5)")
	f.StringVar(&o.Rules.Dedup, "dedup", "", "remove duplicates: exact, texts of the same words; or near, similar ones too")
	f.Float64Var(&o.Rules.Threshold, "dedup-threshold", 0, "of --dedup near: least Jaccard similarity of duplicates, by their word 3-grams (default 0.8)")
	f.StringVar(&o.Name, "name", "", "name of the corpus")
	f.StringVar(&o.Source, "source", "", "where the corpus comes from")
	f.StringVar(&o.Licence, "licence", "", "licence of the corpus, an SPDX expression")
	f.StringVar(&o.Consent, "consent", "", "consent: the basis on which the corpus may be used")
	f.StringVar(&o.Collected, "collected", "", "when the corpus was collected: a year, a month or a day")
	return c
}

func newDataPreview(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "preview RECIPE [KEY=VALUE…]",
		Short: "show the first batch of each training stage as the model reads it",
		Long: `Shows the first batch of each training stage as the model reads it: the rows of tokens, the
documents packed into them, and the targets with their weights. The tokenizer is trained
first, unless the recipe names a file.`,
		Example: "  hone data preview quickstart",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := load(c.Context(), t, args)
			if err != nil {
				return err
			}
			cache, err := cacheDir()
			if err != nil {
				return err
			}
			previews, err := run.Preview(c.Context(), r, run.Options{Cache: cache, Console: t.console()}, t.interactive() && !t.json)
			if err != nil {
				return err
			}
			if t.json {
				return t.printJSON(previews)
			}
			for _, p := range previews {
				fmt.Fprintf(t.out, "stage %s\n%s\n", p.Stage, strings.TrimRight(p.Text, "\n"))
			}
			return nil
		},
	}
}

func newDataInfo(t *terminal) *cobra.Command {
	var text, label string
	var read readFlags
	var manifest bool
	var tokens string
	c := &cobra.Command{
		Use:   "info PATH…",
		Short: "show splits, columns, lengths, scripts and labels of corpora",
		Long: `Shows what corpora hold: splits and their files, columns, rows, lengths and scripts of the
texts, labels, the number of held-out texts that are in train too, and the file's sha256. Of
several files it is the sha256 of what sha256sum prints for them, without directories.

--manifest prints the [corpus] tables of a recipe, with these hashes and the provenance that
converted corpora have. What is not known is left empty, to be filled in.

hf:datasets/ORG/NAME is a data set on Hugging Face's hub, in Parquet, JSONL or another known
format. It can be followed by /CONFIG, one of its configurations, and by @REVISION, a
commit, a branch or a tag. It is downloaded into the cache; hone import --help lists the
environment variables for this.`,
		Example: "  hone data info goroot:\n  hone data info goroot: --manifest\n  hone data info hf:datasets/stanfordnlp/imdb",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cache, err := cacheDir()
			if err != nil {
				return err
			}
			if manifest {
				return printManifests(c.Context(), t, args, text, label, &read, cache)
			}
			o := corpus.InspectOptions{Text: text, Label: label, CacheDir: cache, Say: t.say}
			if err := read.set(&o.Read); err != nil {
				return err
			}
			if tokens != "" {
				if o.Tokenizer, err = tokenizer.Open(tokens); err != nil {
					return recipes.Input(err)
				}
			}
			bar := t.newBar("reading", "bytes")
			info, err := corpus.Inspect(c.Context(), args, o, func(done, total int64) { bar.Set(done, total, "") })
			bar.Close()
			if err != nil {
				return recipes.Input(err)
			}
			if t.json {
				return t.printJSON(info)
			}
			return printInfo(t.out, info)
		},
	}
	read.add(c)
	c.Flags().StringVar(&text, "text", "", "name of the column with the text (default text)")
	c.Flags().StringVar(&label, "label", "", "name of the column with the label (default label)")
	c.Flags().StringVar(&tokens, "tokenizer", "", "tokenizer.json to count tokens with (default: an estimate of 3.5 bytes a token)")
	c.Flags().BoolVar(&manifest, "manifest", false, "print the [corpus] tables of a recipe instead")
	return c
}

// printManifests prints a [corpus] table of a recipe for each path.
func printManifests(ctx context.Context, t *terminal, paths []string, text, label string, read *readFlags, cache string) error {
	list := []report.Corpus{}
	spec := corpus.Spec{Text: text, Label: label, Say: t.say}
	if err := read.set(&spec.Read); err != nil {
		return err
	}
	for i, path := range paths {
		bar := t.newBar("reading "+path, "bytes")
		spec.From = path
		c, err := corpus.Prepare(ctx, spec, cache, func(done, total int64) { bar.Set(done, total, "") })
		bar.Close()
		if err != nil {
			return recipes.Input(err)
		}
		p := c.Provenance
		if err := c.Close(); err != nil {
			return err
		}
		if p.Name == "" {
			base := filepath.Base(filepath.Clean(path))
			p.Name = strings.TrimSuffix(base, filepath.Ext(base))
		}
		list = append(list, report.Corpus{Corpus: p})
		if t.json {
			continue
		}
		if i > 0 {
			fmt.Fprintln(t.out)
		}
		fmt.Fprintf(t.out, "[corpus.%q]\n", p.Name)
		fmt.Fprintf(t.out, "source = %q\n", path)
		for _, f := range [][2]string{ // how it is read, where that was said
			{"text", text}, {"label", label},
		} {
			if f[1] != "" {
				fmt.Fprintf(t.out, "%s = %q\n", f[0], f[1])
			}
		}
		for _, line := range spec.Read.Keys() {
			fmt.Fprintln(t.out, line)
		}
		if spec.Read.Skips != nil {
			fmt.Fprintf(t.out, "on_error = %q\n", "skip")
		}
		for _, f := range [][2]string{
			{"origin", p.Source}, {"licence", p.Licence}, {"consent", p.Consent}, {"collected", p.Collected}, {"sha256", p.SHA256},
		} {
			fmt.Fprintf(t.out, "%s = %q\n", f[0], f[1])
		}
	}
	if t.json {
		return t.printJSON(list)
	}
	return nil
}

// shownLabels is the number of labels that fit a screen.
const shownLabels = 24

func stated(s string) string {
	if s == "" {
		return "not stated"
	}
	return s
}

// clip shortens a name or a text from a file, and quotes it where it would not show as it is.
func clip(s string, most int) string {
	if q := strconv.QuoteToGraphic(s); s == "" || q != `"`+s+`"` || strings.TrimSpace(s) != s {
		s = q
	}
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

func printInfo(w io.Writer, info *corpus.Info) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	var formats []string
	for _, f := range slices.Sorted(maps.Keys(info.Formats)) {
		formats = append(formats, fmt.Sprintf("%d %s", info.Formats[f], f))
	}
	sum := info.SHA256
	if info.Files > 1 {
		sum += " (of what sha256sum prints for the files, without directories)"
	}
	fmt.Fprintf(tw, "files\t%s\nrows\t%d\nbytes\t%d\nsha256\t%s\n", strings.Join(formats, ", "), info.Rows, info.Bytes, sum)
	for _, s := range info.Splits {
		printSplit(tw, &s, info)
	}
	for _, name := range info.Columns {
		fmt.Fprintf(tw, "column %s\t%s\n", clip(name, 32), clip(info.Types[name], 100))
	}
	for _, m := range info.Corpora {
		fmt.Fprintf(tw, "corpus %s\t%s, licence %s, sha256 %s\n", m.Name, stated(m.Source), stated(m.Licence), m.SHA256)
		for _, o := range m.Overlap {
			fmt.Fprintf(tw, "overlap %s\t%.1f %% of its word %d-grams are in train too\n", o.Split, 100*o.Share, o.NGram)
		}
	}
	if x := info.Text; x != nil {
		fmt.Fprintf(tw, "text\tcolumn %s: %d bytes, %d characters, %d null\n", x.Column, x.Bytes, x.Characters, x.Null)
		letters := int64(0)
		for _, s := range x.Scripts {
			letters += s.Characters
		}
		for i, s := range x.Scripts {
			if i == 8 {
				fmt.Fprintf(tw, "script\t%d more\n", len(x.Scripts)-i)
				break
			}
			fmt.Fprintf(tw, "script %s\t%.2f %% of %d letters\n", s.Name, 100*float64(s.Characters)/float64(letters), letters)
		}
		most := int64(1)
		for _, b := range x.Lengths {
			most = max(most, b.Count)
		}
		width := len(fmt.Sprint(most))
		for _, b := range x.Lengths {
			bar := int(math.Ceil(40 * float64(b.Count) / float64(most))) // a few are not none
			fmt.Fprintf(tw, "%d–%d bytes\t%*d %s\n", b.Least, b.Most, width, b.Count, strings.Repeat("▇", bar))
		}
	} else {
		fmt.Fprintf(tw, "text\tno column text (hint: --text COLUMN shows lengths and scripts)\n")
	}
	if k := info.Skipped; k != nil {
		fmt.Fprintf(tw, "skipped\t%d records\n", k.Count)
		for _, f := range k.First {
			fmt.Fprintf(tw, "\t%s\n", f)
		}
	}
	if info.Unlabelled > 0 {
		fmt.Fprintf(tw, "no label\t%d rows\n", info.Unlabelled)
	}
	rest := int64(0)
	for i, l := range info.Labels {
		switch {
		case i < shownLabels && i == 0:
			fmt.Fprintf(tw, "labels\t%d\n", len(info.Labels))
			fallthrough
		case i < shownLabels:
			fmt.Fprintf(tw, "\t%*d %s\n", len(fmt.Sprint(info.Labels[0].Rows)), l.Rows, clip(l.Name, 60))
		default:
			rest += l.Rows
		}
	}
	if rest > 0 {
		fmt.Fprintf(tw, "\t%d rows of %d more (hint: --json lists all)\n", rest, len(info.Labels)-shownLabels)
	}
	return tw.Flush()
}

// printSplit writes what a split holds, and a line on what it shares with training.
func printSplit(w io.Writer, s *corpus.SplitInfo, info *corpus.Info) {
	const shown = 4
	names := strings.Join(s.Files[:min(shown, len(s.Files))], ", ")
	if n := len(s.Files) - shown; n > 0 {
		names += fmt.Sprintf(" and %d more", n)
	}
	facts := []string{fmt.Sprintf("%d documents", s.Rows)}
	if info.Text != nil {
		facts = append(facts, fmt.Sprintf("%d bytes of text", s.TextBytes))
		if s.Tokens > 0 {
			facts = append(facts, fmt.Sprintf("%d tokens", s.Tokens))
		} else {
			facts = append(facts, fmt.Sprintf("about %.0f tokens", float64(s.TextBytes)/run.BytesPerToken))
		}
	}
	if n := s.Rows - s.Labelled; len(info.Labels) > 0 && n > 0 {
		facts = append(facts, fmt.Sprintf("%d without a label", n))
	}
	fmt.Fprintf(w, "split %s\t%s: %s\n", s.Name, strings.Join(facts, ", "), clip(names, 100))
	if x := s.Shared; x != nil && x.Shared > 0 {
		fmt.Fprintf(w, "\twarning: %d of its %d texts are in train too, so that results on them mean little (hint: --dedup exact, or the key dedup of a recipe, leaves out those in train)\n", x.Shared, x.Rows)
	}
}

// readFlags are the flags that say how files are read.
type readFlags struct {
	format, separator, delimiter, quote, rows, onError string
	columnNames                                        []string
	maxBatch                                           int
}

func (r *readFlags) add(c *cobra.Command) {
	r.addReading(c)
	f := c.Flags()
	f.IntVar(&r.maxBatch, "max-batch-mib", 0, "greatest size in memory of a record batch, in MiB; a single record may take a quarter of it (default 1024)")
	f.StringVar(&r.onError, "on-error", "fail", "what to do with a record that cannot be read: fail, or skip and count it")
}

// addReading adds the flags that a task has keys for.
func (r *readFlags) addReading(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&r.format, "format", "", "format of the files: "+strings.Join(source.Formats, ", ")+" (default: found out for each)")
	f.StringVar(&r.separator, "separator", "", `text between two documents of a plain text file, such as "\n" (default: a file is one document)`)
	f.StringSliceVar(&r.columnNames, "column-names", nil, "names of the columns of CSV and TSV files without a header line")
	f.StringVar(&r.delimiter, "delimiter", "", `character between the values of CSV and TSV files (default: "\t" for TSV; for CSV the one of , ; | and "\t" that its first lines have)`)
	f.StringVar(&r.quote, "quote", "", "meaning of quotes in CSV and TSV files: csv, they enclose a value; none, they are text; auto, csv for CSV, and for TSV where all quotes of a file enclose values (default auto)")
	f.StringVar(&r.rows, "rows", "", "name of the array with the rows in JSON files, such as data, or a.b for one within an object")
}

func (r *readFlags) set(o *source.Options) (err error) {
	o.Format, o.ColumnNames, o.Quote, o.Rows = r.format, r.columnNames, r.quote, r.rows
	for _, v := range []struct {
		to   *string
		from string
	}{{&o.Separator, r.separator}, {&o.Delimiter, r.delimiter}} {
		if *v.to, err = strconv.Unquote(`"` + v.from + `"`); err != nil {
			*v.to = v.from
		}
	}
	o.MaxBatch = int64(r.maxBatch) << 20
	for key, err := range o.Check() {
		return recipes.Input(fmt.Errorf("--%s: %w", strings.ReplaceAll(key, "_", "-"), err))
	}
	switch r.onError {
	case "fail", "":
	case "skip":
		o.Skips = &source.Skips{}
	default:
		return recipes.Input(fmt.Errorf("--on-error %s: want fail or skip", r.onError))
	}
	return nil
}
