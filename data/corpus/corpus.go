package corpus

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"hone/checkpoint/provenance"
	"hone/data/clean"
	"hone/data/source"
)

// GorootScheme is the name of the corpus of this machine's Go source tree.
const GorootScheme = "goroot:"

// cacheBudget is the greatest size of the decoded record batches that a corpus keeps.
const cacheBudget = 64 << 20

// maxLabels is the greatest number of distinct labels: a column with more is taken as a mistake.
const maxLabels = 10000

// Spec says which corpus to open and how, and describes it where its files do not.
type Spec struct {
	From  string // "goroot:", a data set of the hub, a file, a directory or a glob pattern
	Text  string // column of the text; "": "text"
	Label string // column of the label; "": "label" where there is one

	Messages string   // column of the dialogue, "": none
	IDs      string   // column of the token ids, "": none
	Words    string   // column of lists of words, which are the text of files without a column of it; "": none
	Fields   []string // further columns

	Read source.Options      // how the files are read
	Say  func(notice string) // is told what a conversion will cost; may be nil

	// The description of the corpus; "": that of a converted corpus is kept.
	Name, Source, Licence, Consent, Collected string
	SHA256                                    string // that it must have; "": any

	// Rules for the texts, and the shares of the training split that are held out:
	// documents by a hash of their text, or of the column Group, so that those of a value
	// stay together; or the end of each file's text. With any of them, the corpus is converted
	// once into the cache.
	Rules    clean.Rules
	Shares   clean.Shares
	Group    string // "": the text
	HoldEnds bool

	converted map[string]string // names of columns in files of the cache that have another than in the original

	Convert ConvertOptions // for goroot:
}

// Corpus is a set of documents in up to three splits, read in bounded memory.
// It is safe for concurrent use.
type Corpus struct {
	Provenance provenance.Corpus
	Labels     []string // sorted; empty: the corpus has none, or over 10,000 under the usual name
	Train      *Split   // nil: there is none
	Validation *Split
	Test       *Split
	Dir        string // of a converted corpus, else ""
	// Manifest has the counts of a converted corpus (drops, duplicates, overlap); nil
	// for files that are read as they are.
	Manifest *Manifest

	skips *source.Skips // of files that are read as they are
	none  string        // the label that marks rows without one; "": an empty one alone
}

// Split is one split of a corpus.
type Split struct {
	Name      string // train, validation, test
	SHA256    string // of its files, as they are read; names and places have no part in it
	files     []splitFile
	rows      int64
	only      []int64 // the records that there are, by their numbers in the files; nil: all
	labelled  int64
	textBytes int64                // counted by a conversion; 0: not counted
	origin    string               // of files in the cache: what they were converted from
	place     func(i int64) string // says where row i of the files was before its conversion, "": not known; nil: it cannot be known
	sources   int                  // files that its documents were read from, before any conversion into the cache
}

// note adds the hash of the next file to that of the split.
func (s *Split) note(sum string) {
	h := sha256.Sum256([]byte(s.SHA256 + sum))
	s.SHA256 = hex.EncodeToString(h[:])
}

// splitFile is a file of a split, with the number of its first row in the split and the
// indices of its selected columns (-1: the file has none).
type splitFile struct {
	*source.File
	first                            int64
	columns                          []string
	text, label, path, messages, ids int
	words, group                     int
	fields                           int // the first of fieldNames
	fieldNames                       []string
	none                             string // see Corpus
	classes                          map[string][]string
}

// Labelled returns the number of records with a label.
func (s *Split) Labelled() int64 { return s.labelled }

// Rows returns the number of records.
func (s *Split) Rows() int64 { return s.rows }

// Record returns record i, from 0.
func (s *Split) Record(i int64) (Record, error) {
	if i < 0 || i >= s.rows {
		return Record{}, fmt.Errorf("data: %s: record %d of %d", s.Name, i, s.rows)
	}
	i = s.inFiles(i)
	f := s.file(i)
	b, row, err := f.Row(i - f.first)
	if err != nil {
		return Record{}, err
	}
	return f.record(b, row), nil
}

// Where says for messages where record i is.
func (s *Split) Where(i int64) string {
	inside := i >= 0 && i < s.rows
	if inside {
		i = s.inFiles(i)
	}
	if s.place != nil && inside {
		if where := s.place(i); where != "" {
			return where
		}
	}
	if s.origin != "" || !inside {
		return fmt.Sprintf("%s: record %d of split %s", s.origin, i, s.Name)
	}
	f := s.file(i)
	return fmt.Sprintf("%s: record %d", f.Path(), i-f.first)
}

// inFiles gives the number of record i in the files.
func (s *Split) inFiles(i int64) int64 {
	if s.only == nil {
		return i
	}
	return s.only[i]
}

// file gives the file of a record.
func (s *Split) file(i int64) *splitFile {
	return &s.files[sort.Search(len(s.files), func(k int) bool {
		return s.files[k].first+s.files[k].Rows() > i
	})]
}

func (f *splitFile) record(b *source.Batch, row int) (r Record) {
	if f.text >= 0 {
		text, ok := b.Text(f.text, row)
		r.Text, r.Null = text, !ok
	}
	if f.words >= 0 {
		words, ok := b.Words(f.words, row)
		r.Text, r.Null = source.JoinWords(words), !ok
	}
	if f.label >= 0 {
		if r.Label, r.HasLabel = labelAt(b, f.label, row); !r.HasLabel || r.Label == f.none {
			r.Label, r.HasLabel = "", false
		}
	}
	if f.path >= 0 {
		r.Path, _ = b.Text(f.path, row)
	}
	if f.messages >= 0 {
		r.Messages, _ = b.Messages(f.messages, row)
	}
	if f.ids >= 0 {
		ids, ok := b.IDs([]int32{}, f.ids, row)
		if ok {
			r.IDs = ids
		}
	}
	for i, name := range f.fieldNames {
		if v := b.Value(f.fields+i, row); v != nil {
			if r.Fields == nil {
				r.Fields = map[string]any{}
			}
			r.Fields[name] = v
		}
	}
	return r
}

// Skipped counts the records that could not be read so far; nil: none. Those of a
// conversion are in its manifest; others are found when they are read.
func (c *Corpus) Skipped() *Skipped {
	if k := skipped(c.skips); k != nil {
		return k
	}
	if c.Manifest != nil {
		return c.Manifest.Skipped
	}
	return nil
}

// Splits returns the splits of the corpus, in the order train, validation, test.
func (c *Corpus) Splits() []*Split {
	var list []*Split
	for _, s := range []*Split{c.Train, c.Validation, c.Test} {
		if s != nil {
			list = append(list, s)
		}
	}
	return list
}

// Merge combines several corpora: the labels of all, and in each split the records of the
// corpora one after the other. Their files are shared; the caller closes the corpora.
func Merge(corpora ...*Corpus) *Corpus {
	m := &Corpus{}
	var names []string
	for _, c := range corpora {
		names = append(names, c.Provenance.Name)
		m.Provenance.Documents += c.Provenance.Documents
		m.Provenance.Bytes += c.Provenance.Bytes
		m.Labels = append(m.Labels, c.Labels...)
		for _, s := range []struct {
			to   **Split
			from *Split
		}{{&m.Train, c.Train}, {&m.Validation, c.Validation}, {&m.Test, c.Test}} {
			if s.from == nil {
				continue
			}
			if *s.to == nil {
				*s.to = &Split{Name: s.from.Name}
			}
			for _, f := range s.from.files {
				f.first += (*s.to).rows
				(*s.to).files = append((*s.to).files, f)
			}
			(*s.to).rows += s.from.rows
			(*s.to).labelled += s.from.labelled
			(*s.to).sources += s.from.sources
		}
	}
	m.Provenance.Name = strings.Join(names, " + ")
	slices.Sort(m.Labels)
	m.Labels = slices.Compact(m.Labels)
	return m
}

// Close closes the files.
func (c *Corpus) Close() error {
	var err error
	for _, s := range c.Splits() {
		for _, f := range s.files {
			if e := f.Close(); err == nil {
				err = e
			}
		}
	}
	return err
}

// Prepare opens a corpus. "goroot:" is converted on first use, into a directory
// of cacheDir; later calls, in any process, find it there. A directory written
// by Convert is opened with its splits, and the SHA-256 of each shard is
// verified. Other files are opened as they are if they are uncompressed Arrow files;
// else all of them are converted once, into a directory of cacheDir that is named by a
// hash of their content. The splits validation and test have the files with a word such
// as validation, val, dev, eval or test in the names of directories below the named one,
// or else in their own names; all others are in the split train.
//
// "hf:datasets/ORG/NAME" is a data set on the hub. "/CONFIG" may follow for one of its
// configurations, and "@REVISION" at the end for a commit, a branch or a tag. Its files are
// downloaded to cacheDir. The splits are those of its README.md, or else by the names of the
// files, as in Hugging Face datasets.
//
// progress is called with bytes read and may be nil.
func Prepare(ctx context.Context, spec Spec, cacheDir string, progress func(done, total int64)) (*Corpus, error) {
	if spec.From == "" {
		return nil, errors.New(`data: no corpus is given (want a file, a directory, a glob pattern, "goroot:" or "hf:datasets/ORG/NAME")`)
	}
	if spec.HoldEnds {
		if err := endsOf(spec.From, spec.Shares); err != nil {
			return nil, err
		}
	}
	if spec.Shares == (clean.Shares{}) || spec.HoldEnds {
		spec.Group = ""
	}
	if !spec.Rules.IsZero() || spec.Shares != (clean.Shares{}) && !spec.HoldEnds {
		return prepareCleaned(ctx, spec, cacheDir, progress)
	}
	return prepareWhole(ctx, spec, cacheDir, progress)
}

// prepareWhole is Prepare without rules or shares of documents.
func prepareWhole(ctx context.Context, spec Spec, cacheDir string, progress func(done, total int64)) (*Corpus, error) {
	if spec.From != GorootScheme {
		if m, err := readManifest(spec.From); err == nil {
			if err := spec.fitsArrow(); err != nil {
				return nil, err
			}
			return openConverted(ctx, spec, spec.From, m, progress)
		} else if !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		return openFiles(ctx, spec, cacheDir, progress)
	}
	if err := spec.fitsArrow(); err != nil {
		return nil, err
	}
	if cacheDir == "" {
		return nil, errors.New("data: goroot: no cache directory (hint: set HONE_CACHE)")
	}
	g, err := source.FindGoroot(ctx)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	dir, err := gorootDir(cacheDir, g, spec.Convert)
	if err != nil {
		return nil, err
	}
	m, err := readManifest(dir)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(cacheDir, 0o755); err != nil {
			return nil, fmt.Errorf("data: cache: %w", err)
		}
		if err := convertGoroot(ctx, g, dir, spec.Convert, progress); err != nil {
			return nil, err
		}
		m, err = readManifest(dir)
	}
	if err != nil {
		return nil, err
	}
	if spec.Collected == "" {
		spec.Collected = released(g)
	}
	c, err := openConverted(ctx, spec, dir, m, nil)
	if err != nil {
		return nil, fmt.Errorf("%w (hint: remove %s, and it will be made anew)", err, dir)
	}
	return c, nil
}

// renamed gives spec for files that it was converted into, where text and label have these names.
func (spec Spec) renamed() Spec {
	spec.converted = map[string]string{}
	if spec.Text != "" {
		spec.converted[spec.Text] = "text"
	}
	if spec.Label != "" {
		spec.converted[spec.Label] = "label"
	}
	spec.SHA256, spec.Text, spec.Label = "", "", ""
	return spec
}

// columns lists the columns that are read in addition to text and label. Other columns are
// not converted, so that they cost nothing and faults in them do not matter.
func (spec *Spec) columns() []string {
	list := []string{"path"}
	for _, name := range append([]string{spec.Messages, spec.IDs}, spec.Fields...) {
		if name != "" {
			list = append(list, name)
		}
	}
	for _, name := range []string{spec.Words, spec.Group} {
		if name != "" && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// cameFrom records the number of files of each split. Splits that were held out have the
// files of the training split.
func (c *Corpus) cameFrom(files [3]int) {
	for side, s := range []*Split{c.Train, c.Validation, c.Test} {
		if s == nil {
			continue
		}
		if s.sources = files[side]; s.sources == 0 && s.rows > 0 {
			s.sources = files[clean.Train]
		}
	}
}

// fitsArrow fails for options of other formats than Arrow.
func (spec *Spec) fitsArrow() error {
	if err := spec.Read.Fits([]string{source.ArrowFile}); err != nil {
		return fmt.Errorf("data: %s: %w", spec.From, err)
	}
	return nil
}

// released gives the day of a Go release from its file VERSION, or "".
func released(g source.Goroot) string {
	b, _ := os.ReadFile(filepath.Join(filepath.Dir(g.Src), "VERSION")) // a tree under development has none
	for line := range strings.Lines(string(b)) {
		if day, ok := strings.CutPrefix(line, "time "); ok && len(day) >= len("2006-01-02") {
			return day[:len("2006-01-02")]
		}
	}
	return ""
}

// fileSums has the hashes of a corpus's files, in their order.
type fileSums struct {
	lines []byte // "SHA256  FILE", as sha256sum prints them
	files int
	only  string
}

func (s *fileSums) add(sum, path string) {
	s.lines = fmt.Appendf(s.lines, "%s  %s\n", sum, filepath.Base(path))
	s.files++
	s.only = sum
}

// sum gives the hash of the corpus: that of its only file, or the hash of the lines of several.
func (s *fileSums) sum() string {
	if s.files == 1 {
		return s.only
	}
	return s.ofLines()
}

func (s *fileSums) ofLines() string {
	h := sha256.Sum256(s.lines)
	return hex.EncodeToString(h[:])
}

// check compares the corpus with the given hash, which may be that of the line of a single
// file too.
func (s *fileSums) check(spec Spec) error {
	if strings.EqualFold(spec.SHA256, s.ofLines()) {
		return nil
	}
	return (&Corpus{Provenance: provenance.Corpus{SHA256: s.sum()}}).checkSHA256(spec)
}

// checkSHA256 compares a corpus with the given hash.
func (c *Corpus) checkSHA256(spec Spec) error {
	if spec.SHA256 == "" || strings.EqualFold(spec.SHA256, c.Provenance.SHA256) {
		return nil
	}
	return fmt.Errorf("data: %s: not the expected corpus: its SHA-256 is %s, not %s", spec.From, c.Provenance.SHA256, spec.SHA256)
}

// readManifest reads corpus.json of a converted corpus; the error is
// os.ErrNotExist where there is none.
func readManifest(dir string) (*Manifest, error) {
	path := filepath.Join(dir, manifestName)
	b, err := source.ReadState(path)
	if err != nil {
		// Nor is there one if the path leads through a file.
		if info, e := os.Stat(dir); e != nil || !info.IsDir() {
			err = os.ErrNotExist
		}
		return nil, fmt.Errorf("data: %w", err)
	}
	m := new(Manifest)
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("data: %s: %w", path, err)
	}
	if m.FormatVersion != ManifestVersion {
		return nil, fmt.Errorf("data: %s: format version %d, but this version of hone reads version %d (hint: convert the corpus again)", path, m.FormatVersion, ManifestVersion)
	}
	return m, nil
}

func openConverted(ctx context.Context, spec Spec, dir string, m *Manifest, progress func(done, total int64)) (_ *Corpus, err error) {
	c := &Corpus{Dir: dir, Manifest: m, Provenance: m.provenance()}
	// The description in the recipe has precedence over that of the conversion.
	for _, o := range []struct{ to, from *string }{
		{&c.Provenance.Name, &spec.Name}, {&c.Provenance.Source, &spec.Source},
		{&c.Provenance.Licence, &spec.Licence}, {&c.Provenance.Consent, &spec.Consent}, {&c.Provenance.Collected, &spec.Collected},
	} {
		if *o.from != "" {
			*o.to = *o.from
		}
	}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	cache := source.NewCache(cacheBudget)
	sums := sha256.New()
	var done, total int64
	for _, s := range m.Splits {
		for _, sh := range s.Shards {
			total += sh.Bytes
		}
	}
	for _, ms := range m.Splits {
		s := &Split{Name: ms.Name, textBytes: ms.TextBytes}
		switch ms.Name {
		case "train":
			c.Train = s
		case "validation":
			c.Validation = s
		case "test":
			c.Test = s
		default:
			return nil, fmt.Errorf("data: %s: unknown split %q (train, validation, test)", filepath.Join(dir, manifestName), ms.Name)
		}
		for _, sh := range ms.Shards {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if sh.File != filepath.Base(sh.File) {
				return nil, fmt.Errorf("data: %s: shard %q is not in its directory", filepath.Join(dir, manifestName), sh.File)
			}
			path := filepath.Join(dir, sh.File)
			sum, size, err := source.Hash(ctx, path)
			if err != nil {
				return nil, err
			}
			if sum != sh.SHA256 {
				return nil, fmt.Errorf("data: %s: damaged: its SHA-256 is %s (%d bytes), %s says %s (%d bytes)", path, sum, size, manifestName, sh.SHA256, sh.Bytes)
			}
			fmt.Fprintf(sums, "%s  %s\n", sum, sh.File)
			s.note(sum)
			if err := s.add(sided{path: path}, spec, cache); err != nil {
				return nil, err
			}
			done += sh.Bytes
			if progress != nil {
				progress(done, total)
			}
		}
		if s.rows != ms.Rows {
			return nil, fmt.Errorf("data: %s: split %s has %d rows, %s says %d", dir, ms.Name, s.rows, manifestName, ms.Rows)
		}
	}
	if sum := hex.EncodeToString(sums.Sum(nil)); sum != m.SHA256 {
		return nil, fmt.Errorf("data: %s: the SHA-256 of its shards is %s, not %s as it says", filepath.Join(dir, manifestName), sum, m.SHA256)
	}
	if err := c.checkSHA256(spec); err != nil {
		return nil, err
	}
	if err := c.checkRows(spec.From); err != nil {
		return nil, err
	}
	c.setLabels(m.Labels, m.Unlabelled, spec.Say)
	return c, nil
}

// add opens a file and appends it to the split.
func (s *Split) add(from sided, spec Spec, cache *source.Cache) error {
	f, err := source.Open(from.path)
	if err != nil {
		return err
	}
	for column, names := range from.classes {
		f.SetClasses(column, names)
	}
	sf := splitFile{File: f, classes: from.classes, first: s.rows, text: -1, label: -1, path: -1, messages: -1, ids: -1, words: -1, group: -1}
	take := func(name, usual string, at *int) {
		if name == "" && f.Readable(usual) {
			name = usual
		}
		if name != "" {
			*at = len(sf.columns)
			sf.columns = append(sf.columns, name)
		}
	}
	text := spec.Text
	if text == "" && spec.Messages == "" && spec.IDs == "" && spec.Words == "" {
		text = "text" // one of the four there must be
	}
	take(text, "text", &sf.text)
	take(spec.Label, "label", &sf.label)
	take("", "path", &sf.path)
	take(spec.Messages, "", &sf.messages)
	take(spec.IDs, "", &sf.ids)
	if sf.text < 0 {
		take(cmp.Or(spec.converted[spec.Words], spec.Words), "", &sf.words)
	}
	take(cmp.Or(spec.converted[spec.Group], spec.Group), "", &sf.group)
	sf.fields, sf.fieldNames = len(sf.columns), spec.Fields
	for _, name := range spec.Fields {
		sf.columns = append(sf.columns, cmp.Or(spec.converted[name], name))
	}
	if err := f.Select(sf.columns...); err != nil {
		f.Close()
		return err
	}
	if err := sf.fit(); err != nil {
		f.Close()
		return err
	}
	if spec.Read.Skips != nil {
		f.SkipInvalid(spec.Read.Skips)
	}
	f.Limit(spec.Read.MaxBatch)
	f.Cached(cache)
	s.files = append(s.files, sf)
	s.sources++
	s.rows += f.Rows()
	return nil
}

// fit checks the types of columns: texts and labels, dialogues, token ids.
func (f *splitFile) fit() error {
	for _, at := range []int{f.text, f.label, f.messages, f.ids} {
		if at < 0 {
			continue
		}
		c, err := f.Column(f.columns[at])
		if err != nil {
			return err
		}
		switch {
		case at == f.messages && !c.Messages():
			err = fmt.Errorf("column %q is %s, not list<struct<role: utf8, content: utf8>>", c.Name, c.Type)
		case at == f.ids && !c.IDs():
			err = fmt.Errorf("column %q is %s, not a list of integers", c.Name, c.Type)
		case at == f.text || at == f.label:
			err = c.NotText()
		}
		if err != nil {
			return fmt.Errorf("data: %s: %w", f.Path(), err)
		}
	}
	return nil
}

// openFiles opens files as they are, which must have random access.
func openFiles(ctx context.Context, spec Spec, cacheDir string, progress func(done, total int64)) (_ *Corpus, err error) {
	l, err := list(ctx, spec.From, cacheDir, spec.Read, spec.Say, progress)
	if err != nil {
		return nil, err
	}
	files := l.files
	spec.Name, spec.Source, spec.Licence = cmp.Or(spec.Name, l.name), l.origin(spec.Source), cmp.Or(spec.Licence, l.licence)
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		random, err := source.RandomAccess(f.path)
		if err != nil {
			return nil, err
		}
		if !random || spec.HoldEnds {
			return openShelved(ctx, spec, files, cacheDir, progress)
		}
	}
	if err := spec.fitsArrow(); err != nil {
		return nil, err
	}
	c := &Corpus{Provenance: provenance.Corpus{Name: spec.Name, Source: spec.Source, Licence: spec.Licence, Consent: spec.Consent, Collected: spec.Collected}, skips: spec.Read.Skips}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	cache := source.NewCache(cacheBudget)
	var done, total int64
	for _, f := range files {
		s := c.split(f.side)
		if err := s.add(f, spec, cache); err != nil {
			return nil, err
		}
		total += s.files[len(s.files)-1].Size()
	}
	var sums fileSums
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		sum, size, err := source.Hash(ctx, f.path)
		if err != nil {
			return nil, err
		}
		sums.add(sum, f.path)
		c.split(f.side).note(sum)
		if len(f.classes) > 0 {
			c.split(f.side).note(fmt.Sprintf("%q", f.classes))
		}
		c.Provenance.Bytes += size
		if done += size; progress != nil {
			progress(done, total)
		}
	}
	c.Provenance.SHA256 = sums.sum()
	if err := sums.check(spec); err != nil {
		return nil, err
	}
	for _, s := range c.Splits() {
		c.Provenance.Documents += s.rows
	}
	if err := c.checkRows(spec.From); err != nil {
		return nil, err
	}
	counts, err := c.countLabels(ctx)
	if err != nil && !(errors.Is(err, errManyLabels) && spec.Label == "") {
		return nil, err
	}
	c.setLabels(counts.list(), "", spec.Say)
	return c, nil
}

// split returns a split of the corpus.
func (c *Corpus) split(side clean.Split) *Split {
	at := [3]**Split{clean.Train: &c.Train, clean.Validation: &c.Validation, clean.Test: &c.Test}[side]
	if *at == nil {
		*at = &Split{Name: splitNames[side]}
	}
	return *at
}

func (c *Corpus) checkRows(from string) error {
	for _, s := range c.Splits() {
		if s.rows > 0 {
			return nil
		}
	}
	return fmt.Errorf("data: %s: the corpus is empty: its files have no rows", from)
}

var errManyLabels = fmt.Errorf("the label column has more than %d values (hint: is it the right column?)", maxLabels)

func tooManyLabels(path string) error { return fmt.Errorf("data: %s: %w", path, errManyLabels) }

// countLabels reads only the label columns and counts their values.
func (c *Corpus) countLabels(ctx context.Context) (labelCounts, error) {
	counts := labelCounts{}
	for side, s := range []*Split{c.Train, c.Validation, c.Test} {
		if s == nil {
			continue
		}
		for i := range s.files {
			f := &s.files[i]
			if f.label < 0 {
				continue
			}
			err := f.countLabels(ctx, clean.Split(side), counts)
			if e := f.Select(f.columns...); err == nil {
				err = e
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return counts, nil
}

func (f *splitFile) countLabels(ctx context.Context, side clean.Split, counts labelCounts) error {
	if err := f.Select(f.columns[f.label]); err != nil {
		return err
	}
	for k := range f.Batches() {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := f.Batch(k)
		if err != nil {
			return err
		}
		for r := range b.Rows {
			if l, ok := labelAt(b, 0, r); ok {
				counts.add(l, side)
			}
		}
		if len(counts) > maxLabels {
			return tooManyLabels(f.Path())
		}
	}
	return nil
}
