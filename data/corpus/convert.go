package corpus

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"hone/checkpoint/file"
	"hone/checkpoint/provenance"
	"hone/data/clean"
	"hone/data/source"
)

const manifestName = "corpus.json"

// ManifestVersion is the version of corpus.json that this version of hone writes and reads.
const ManifestVersion = 1

// Manifest is the content of corpus.json, which is beside the shards of a converted corpus.
type Manifest struct {
	FormatVersion     int             `json:"format_version"`
	provenance.Corpus                 // without its counts
	Rows              int64           `json:"rows"`
	Bytes             int64           `json:"bytes"` // of the shards
	Columns           []string        `json:"columns"`
	Splits            []SplitManifest `json:"splits"`
	Labels            []LabelCount    `json:"labels"` // sorted by name
	// Unlabelled is the value that marks rows without a label, such as -1 where classes are
	// numbered; "": there is none. Rows whose label is null never have one.
	Unlabelled string `json:"unlabelled,omitempty"`
	// Drops counts the documents that were left out, by reason.
	Drops      source.Drops `json:"drops"`
	Duplicates *Duplicates  `json:"duplicates,omitempty"` // absent: not looked for
	Overlap    []Overlap    `json:"overlap,omitempty"`
	// Skipped counts the records that could not be read, if skipping was allowed.
	Skipped *Skipped `json:"skipped,omitempty"`
}

// provenance gives the provenance of the corpus from the manifest.
func (m *Manifest) provenance() provenance.Corpus {
	p := m.Corpus
	p.Documents, p.Bytes, p.Cleaning = m.Rows, m.Bytes, map[string]int64{}
	maps.Copy(p.Cleaning, m.Drops)
	if d := m.Duplicates; d != nil {
		p.Cleaning["exact duplicate"], p.Cleaning["near duplicate"] = int64(d.Exact), int64(d.Near)
	}
	maps.DeleteFunc(p.Cleaning, func(_ string, n int64) bool { return n == 0 })
	return p
}

// SplitManifest describes a split of a converted corpus.
type SplitManifest struct {
	Name      string         `json:"name"`
	Rows      int64          `json:"rows"`
	TextBytes int64          `json:"text_bytes"`
	Labelled  int64          `json:"labelled"`
	Shards    []source.Shard `json:"shards"`
}

// LabelCount is the number of documents of a label in each split.
type LabelCount struct {
	Name       string `json:"name"`
	Train      int64  `json:"train"`
	Validation int64  `json:"validation"`
	Test       int64  `json:"test"`
}

// Duplicates counts the documents that were left out because they repeat another one.
type Duplicates struct {
	Documents int     `json:"documents"` // before
	Exact     int     `json:"exact"`
	Near      int     `json:"near"`
	NGram     int     `json:"ngram"`     // words; 0: only exact ones were looked for
	Threshold float64 `json:"threshold"` // of Jaccard similarity
}

// Overlap counts the distinct word n-grams of a held-out split that occur in the training
// text too.
type Overlap struct {
	Split    string  `json:"split"`
	NGram    int     `json:"ngram"`
	Shared   int     `json:"shared"`
	Distinct int     `json:"distinct"`
	Share    float64 `json:"share"` // Shared / Distinct
}

// ConvertOptions of a conversion. The zero value takes the defaults.
type ConvertOptions struct {
	// Shares of the held-out splits, taken from the training split. Zero: a twentieth
	// for validation and a tenth for test from goroot:, else none.
	Shares clean.Shares
	// HoldEnds holds out the end of each file's text, instead of documents by a hash.
	HoldEnds bool
	// Group is the column that is hashed to hold documents out; "": the text.
	Group string
	// Words is a column of lists of words, which stand for the text of files without one.
	Words string
	// Rules for the texts of files: which are kept, and how they are normalised.
	Rules clean.Rules
	// MinLabel is the least number of documents, without duplicates, for which a package
	// family of goroot: is a label; 0: 150.
	MinLabel int
	// Threshold is the similarity of near duplicates in goroot:; 0: 0.7 (see clean.Options).
	Threshold float64
	// Text and Label are the columns of files; "": as in Spec.
	Text, Label string
	// Columns are the other columns that are kept; nil: all that can be read.
	Columns []string
	// Name, Source, Licence and Consent of files, for corpus.json.
	Name, Source, Licence, Consent, Collected string
	// Read has the options of reading files.
	Read source.Options
	// Say gets messages about files that are left out; it may be nil.
	Say func(notice string)
	// CacheDir is the directory that a data set of the hub is downloaded to.
	CacheDir string
}

func (o ConvertOptions) goroot() ConvertOptions {
	if o.Shares == (clean.Shares{}) {
		o.Shares = clean.Shares{Validation: 0.05, Test: 0.10}
	}
	if o.MinLabel == 0 {
		o.MinLabel = 150
	}
	if o.Threshold == 0 {
		o.Threshold = 0.7
	}
	return o
}

const (
	nearNGram    = 3 // words, of near duplicates
	overlapNGram = 5 // words, of the overlap that is reported
)

// gorootDir gives the name of the directory of the converted corpus: the Go version, and a
// hash of everything else that its content depends on.
func gorootDir(cacheDir string, g source.Goroot, opt ConvertOptions) (string, error) {
	opt = opt.goroot()
	h := sha256.New()
	fmt.Fprintln(h, ManifestVersion, source.GorootRules, source.MinGorootDoc, opt.Shares, opt.MinLabel, opt.Threshold, nearNGram)
	fmt.Fprintln(h, g.Version, g.Src)
	if !strings.HasPrefix(g.Version, "go") {
		// A tree under development has no version: its files are hashed.
		err := filepath.WalkDir(g.Src, func(p string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(p, ".go") {
				return err
			}
			info, err := d.Info()
			if err == nil {
				fmt.Fprintln(h, p, info.Size(), info.ModTime().UnixNano())
			}
			return err
		})
		if err != nil {
			return "", fmt.Errorf("data: goroot: %w", err)
		}
	}
	version := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>| `, r) {
			return '_'
		}
		return r
	}, g.Version)
	return filepath.Join(cacheDir, "goroot-"+version+"-"+hex.EncodeToString(h.Sum(nil))[:12]), nil
}

// convertingPrefix begins the names of directories that are being written; the number of the
// process follows it.
const convertingPrefix = ".converting-pid"

// temporary makes a directory beside dir that gets the name of dir once it is complete.
func temporary(dir string) (string, error) {
	parent, name := filepath.Split(filepath.Clean(dir))
	sweep(filepath.Clean(parent))
	tmp, err := os.MkdirTemp(filepath.Clean(parent), fmt.Sprintf("%s%d-%s-*", convertingPrefix, os.Getpid(), name))
	if err == nil {
		err = os.Chmod(tmp, 0o755)
	}
	return tmp, err
}

// sweep removes the directories that killed conversions have left.
func sweep(dir string) {
	entries, _ := os.ReadDir(dir) // what cannot be read now is swept another time
	for _, e := range entries {
		number, ours := strings.CutPrefix(e.Name(), convertingPrefix)
		number, _, _ = strings.Cut(number, "-")
		pid, err := strconv.Atoi(number)
		if !ours || err != nil || !e.IsDir() {
			continue
		}
		p, err := os.FindProcess(pid)
		if err != nil || errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone) {
			os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
}

// Convert writes a corpus as Arrow IPC shards with corpus.json into a new
// directory: "goroot:" with duplicates removed and in three splits, or other
// files, a record batch at a time, as uncompressed shards with all columns. Rows without
// text and rows that opt.Rules drops are left out and counted. Files belong to the splits
// that their names say; opt.Shares takes further splits from the training split, by a
// hash of the text. The description of a converted corpus is kept where opt has none.
//
// progress is called with bytes (of source, or of text) and may be nil.
func Convert(ctx context.Context, from, dir string, opt ConvertOptions, progress func(done, total int64)) (*Manifest, error) {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("data: convert: %s is there already and not empty", dir)
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("data: convert: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Clean(dir)), 0o755); err != nil {
		return nil, fmt.Errorf("data: convert: %w", err)
	}
	if opt.HoldEnds {
		if err := endsOf(from, opt.Shares); err != nil {
			return nil, err
		}
	}
	if from == GorootScheme {
		g, err := source.FindGoroot(ctx)
		if err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
		if opt.Rules.IsZero() {
			err = convertGoroot(ctx, g, dir, opt, progress)
		} else {
			err = cleanGoroot(ctx, g, dir, opt, progress)
		}
		if err != nil {
			return nil, err
		}
		return readManifest(dir)
	}
	l, err := list(ctx, from, opt.CacheDir, opt.Read, opt.Say, progress)
	if err != nil {
		return nil, err
	}
	opt.Name, opt.Source, opt.Licence = cmp.Or(opt.Name, l.name), l.origin(opt.Source), cmp.Or(opt.Licence, l.licence)
	earlier, err := readManifest(from)
	if errors.Is(err, os.ErrNotExist) {
		earlier = nil
	} else if err != nil {
		return nil, err
	}
	if opt.Name == "" && earlier == nil {
		opt.Name = filepath.Base(filepath.Clean(from))
	}
	if err := convertFiles(ctx, l.files, dir, opt, earlier, progress); err != nil {
		return nil, err
	}
	return readManifest(dir)
}

var corpusColumns = []string{"text", "label", "path", "name"}

// shardSet writes the splits of a corpus into a temporary directory, which it
// publishes when it is complete.
type shardSet struct {
	tmp, dir string
	manifest Manifest
	splits   [3]*source.Shards
	labels   labelCounts
}

func newShardSet(dir string) (*shardSet, error) {
	tmp, err := temporary(dir)
	if err != nil {
		return nil, fmt.Errorf("data: convert: %w", err)
	}
	s := &shardSet{tmp: tmp, dir: dir, labels: labelCounts{}}
	s.manifest = Manifest{FormatVersion: ManifestVersion, Columns: corpusColumns, Labels: []LabelCount{}, Drops: source.Drops{}}
	for i, name := range []string{"train", "validation", "test"} {
		s.splits[i] = source.NewShards(tmp, name, 0, corpusColumns...)
		s.manifest.Splits = append(s.manifest.Splits, SplitManifest{Name: name})
	}
	return s, nil
}

func (s *shardSet) add(side clean.Split, r source.Document) {
	s.splits[side].Append(source.Value{Text: r.Text}, source.Value{Text: r.Label, Null: !r.HasLabel},
		source.Value{Text: r.Path, Null: r.Path == ""}, source.Value{Text: r.Name, Null: r.Name == ""})
	s.count(side, len(r.Text), r.Label, r.HasLabel)
}

// count counts a row in the manifest.
func (s *shardSet) count(side clean.Split, textBytes int, label string, hasLabel bool) {
	m := &s.manifest.Splits[side]
	m.Rows++
	m.TextBytes += int64(textBytes)
	if !hasLabel {
		return
	}
	m.Labelled++
	s.labels.add(label, side)
}

// publish closes the shards, writes corpus.json and gives the directory its
// name. If another process was first, its result, which is the same, is kept.
func (s *shardSet) publish() error {
	sums := sha256.New()
	m := &s.manifest
	var kept []SplitManifest
	for i := range s.splits {
		if m.Splits[i].Rows == 0 && i > 0 {
			continue // nothing was held out
		}
		shards, err := s.splits[i].Close()
		s.splits[i] = nil
		if err != nil {
			return err
		}
		m.Splits[i].Shards = shards
		for _, sh := range shards {
			fmt.Fprintf(sums, "%s  %s\n", sh.SHA256, sh.File)
			m.Rows += sh.Rows
			m.Bytes += sh.Bytes
		}
		kept = append(kept, m.Splits[i])
	}
	m.Splits = kept
	m.SHA256 = hex.EncodeToString(sums.Sum(nil))
	m.Labels = s.labels.list()
	if none, _ := marksNone(m.Labels); none {
		m.Unlabelled = minusOne
		m.Labels = slices.DeleteFunc(m.Labels, func(l LabelCount) bool {
			if l.Name != minusOne {
				return false
			}
			for i := range m.Splits {
				m.Splits[i].Labelled -= *l.of(clean.Split(slices.Index(splitNames[:], m.Splits[i].Name)))
			}
			return true
		})
	}
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("data: convert: %w", err)
	}
	if err := file.WriteBytes(filepath.Join(s.tmp, manifestName), append(b, '\n')); err != nil {
		return fmt.Errorf("data: convert: %w", err)
	}
	if err := file.Publish(s.tmp, s.dir); err != nil {
		if _, e := readManifest(s.dir); e == nil {
			return nil
		}
		return fmt.Errorf("data: convert: %w", err)
	}
	return nil
}

// abandon removes the temporary directory, unless publish has renamed it.
func (s *shardSet) abandon() {
	for _, w := range s.splits {
		if w != nil {
			w.Close() // its files go the next moment
		}
	}
	os.RemoveAll(s.tmp)
}

func convertGoroot(ctx context.Context, g source.Goroot, dir string, opt ConvertOptions, progress func(done, total int64)) error {
	opt = opt.goroot()
	docs, drops, err := source.ReadGoroot(ctx, g, progress)
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	texts := make([]string, len(docs))
	for i, d := range docs {
		texts[i] = d.Text
	}
	dup, err := clean.Find(ctx, texts, clean.Options{NGram: nearNGram, Threshold: opt.Threshold}, nil)
	if err != nil {
		return err
	}
	// Only the first document of a cluster is kept: duplicates teach little, and make
	// every language model look better than it is.
	family := map[string]int{}
	for i, d := range docs {
		if dup.Cluster[i] == i && d.HasLabel {
			family[d.Label]++
		}
	}
	s, err := newShardSet(dir)
	if err != nil {
		return err
	}
	defer s.abandon()
	var side [3][]string
	for i, d := range docs {
		if dup.Cluster[i] != i {
			continue
		}
		to := opt.Shares.Assign(clean.Key(d.Text))
		d.HasLabel = d.HasLabel && family[d.Label] >= opt.MinLabel
		s.add(to, d)
		side[to] = append(side[to], d.Text)
	}
	m := &s.manifest
	m.Name = "goroot"
	m.Source = "doc comments of the source tree of " + g.Version + ", https://go.dev"
	m.Licence = "BSD-3-Clause"
	m.Consent = "published by The Go Authors under the licence named"
	m.Drops = drops
	m.Duplicates = &Duplicates{Documents: len(docs), Exact: dup.Exact, Near: dup.Near, NGram: nearNGram, Threshold: opt.Threshold}
	for i, name := range []string{clean.Validation: "validation", clean.Test: "test"} {
		if name == "" {
			continue
		}
		o := Overlap{Split: name, NGram: overlapNGram}
		o.Shared, o.Distinct = clean.Overlap(side[clean.Train], side[i], overlapNGram)
		if o.Distinct > 0 {
			o.Share = float64(o.Shared) / float64(o.Distinct)
		}
		m.Overlap = append(m.Overlap, o)
	}
	return s.publish()
}

// cleanGoroot is convertGoroot followed by the rules.
func cleanGoroot(ctx context.Context, g source.Goroot, dir string, opt ConvertOptions, progress func(done, total int64)) error {
	tmp, err := temporary(dir)
	if err != nil {
		return fmt.Errorf("data: convert: %w", err)
	}
	defer os.RemoveAll(tmp)
	all := filepath.Join(tmp, "goroot")
	if err := convertGoroot(ctx, g, all, opt, progress); err != nil {
		return err
	}
	m, err := readManifest(all)
	if err != nil {
		return err
	}
	opt.Shares, opt.Text, opt.Label = clean.Shares{}, "", ""
	return convertFiles(ctx, m.files(all), dir, opt, m, nil)
}

// files lists the shards, held-out splits last.
func (m *Manifest) files(dir string) (list []sided) {
	for _, s := range m.Splits {
		for _, sh := range s.Shards {
			list = append(list, sided{path: filepath.Join(dir, sh.File), side: clean.Split(slices.Index(splitNames[:], s.Name))})
		}
	}
	return list
}

// countDrops lists in parentheses what has been left out; "" if nothing was.
func countDrops(m *Manifest) string {
	var list []string
	for _, reason := range slices.Sorted(maps.Keys(m.Drops)) {
		list = append(list, fmt.Sprintf("%d %s", m.Drops[reason], reason))
	}
	if len(list) == 0 {
		return ""
	}
	return " (" + strings.Join(list, ", ") + ")"
}

// prepareCleaned opens a corpus after the rules and shares of a spec. It is made once, in a
// directory of cacheDir that is named by the hash of everything that its content depends on.
func prepareCleaned(ctx context.Context, spec Spec, cacheDir string, progress func(done, total int64)) (*Corpus, error) {
	if cacheDir == "" {
		return nil, errors.New("data: cleaning: no cache directory (hint: set HONE_CACHE)")
	}
	rest := spec
	rest.Rules = clean.Rules{}
	if spec.HoldEnds { // of the files as they come
		spec.Shares = clean.Shares{}
	} else {
		rest.Shares = clean.Shares{}
	}
	raw, err := prepareWhole(ctx, rest, cacheDir, progress)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	h := sha256.New()
	fmt.Fprintf(h, "%d %s %q %q %q %+v %+v\n", cleanVersion, raw.Provenance.SHA256, spec.Text, spec.Label, spec.columns(), spec.Rules, spec.Shares)
	if spec.Group != "" {
		fmt.Fprintf(h, "group %q\n", spec.Group)
	}
	for _, s := range raw.Splits() {
		for _, f := range s.files {
			fmt.Fprintf(h, "%s %q %q\n", s.Name, cacheName(cacheDir, f.Path()), f.classes)
		}
	}
	dir := filepath.Join(cacheDir, "clean-"+hex.EncodeToString(h.Sum(nil))[:24])
	m, err := readManifest(dir)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(cacheDir, 0o755); err != nil {
			return nil, fmt.Errorf("data: cache: %w", err)
		}
		if err := cleanCorpus(ctx, raw, dir, spec, progress); err != nil {
			return nil, err
		}
		m, err = readManifest(dir)
	}
	if err != nil {
		return nil, err
	}
	rest = rest.renamed()
	rest.Say = nil // it has been told
	rest.Group = ""
	c, err := openConverted(ctx, rest, dir, m, nil)
	if err != nil {
		return nil, fmt.Errorf("%w (hint: remove %s, and it will be made anew)", err, dir)
	}
	for _, s := range c.Splits() {
		s.origin = spec.From
	}
	var from [3]int
	for side, s := range []*Split{raw.Train, raw.Validation, raw.Test} {
		if s != nil {
			from[side] = s.sources
		}
	}
	c.cameFrom(from)
	// The provenance is that of the original files, with the description of this recipe: the
	// recipe that made the directory may have had another.
	p := raw.Provenance
	p.Documents, p.Bytes, p.Cleaning = c.Provenance.Documents, c.Provenance.Bytes, c.Provenance.Cleaning
	c.Provenance = p
	return c, nil
}

// cleanVersion is the version of the way in which rules are applied.
const cleanVersion = 4

// cleanCorpus writes a corpus after the rules and shares of a spec.
func cleanCorpus(ctx context.Context, raw *Corpus, dir string, spec Spec, progress func(done, total int64)) error {
	p := raw.Provenance
	opt := ConvertOptions{Shares: spec.Shares, Rules: spec.Rules, Name: p.Name, Source: p.Source, Licence: p.Licence, Consent: p.Consent, Collected: p.Collected}
	var files []sided
	for _, s := range raw.Splits() {
		for i := range s.files {
			f := &s.files[i]
			files = append(files, sided{f.Path(), clean.Split(slices.Index(splitNames[:], s.Name)), f.classes})
			// The columns have these names after conversion.
			if f.text >= 0 {
				opt.Text = f.columns[f.text]
			}
			if f.label >= 0 && spec.Label != "" {
				opt.Label = f.columns[f.label]
			}
			if f.group >= 0 {
				opt.Group = f.columns[f.group]
			}
			if f.words >= 0 {
				opt.Words = f.columns[f.words]
			}
		}
	}
	opt.Columns = spec.columns()
	opt.Read.MaxBatch = spec.Read.MaxBatch
	if spec.Read.Skips != nil {
		opt.Read.Skips = &source.Skips{}
	}
	return convertFiles(ctx, files, dir, opt, raw.Manifest, progress)
}
