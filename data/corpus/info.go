package corpus

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/bits"
	"path/filepath"
	"slices"

	"hone/data/clean"
	"hone/data/source"
	"hone/data/tokenizer"
)

// Info describes the content of files.
type Info struct {
	Files   int               `json:"files"`
	Rows    int64             `json:"rows"`
	Bytes   int64             `json:"bytes"`   // of the files
	Formats map[string]int    `json:"formats"` // files by format: "parquet", "jsonl+gzip"
	SHA256  string            `json:"sha256"`  // of the file; of several, of what sha256sum prints for them, without directories
	Splits  []SplitInfo       `json:"splits"`  // that there are
	Columns []string          `json:"columns"` // of all files, in the order of the first that has them
	Types   map[string]string `json:"types"`   // by column
	Text    *TextInfo         `json:"text,omitempty"`
	Labels  []LabelTotal      `json:"labels,omitempty"` // by number, the largest first
	Skipped *Skipped          `json:"skipped,omitempty"`
	// Unlabelled is the number of rows without a label in files that have labels.
	Unlabelled int64 `json:"unlabelled,omitempty"`
	// Corpora are the manifests of converted corpora among the paths.
	Corpora []*Manifest `json:"corpora,omitempty"`
}

// SplitInfo describes the content of the files of a split.
type SplitInfo struct {
	Name      string   `json:"name"`
	Files     []string `json:"files"` // without directories
	Rows      int64    `json:"rows"`
	TextBytes int64    `json:"text_bytes"`
	Labelled  int64    `json:"labelled,omitempty"`
	Tokens    int64    `json:"tokens,omitempty"` // of InspectOptions.Tokenizer
	// Shared counts the texts that a held-out split shares with the training split.
	Shared *SharedTexts `json:"shared,omitempty"`
}

// TextInfo describes the text column.
type TextInfo struct {
	Column     string        `json:"column"`
	Bytes      int64         `json:"bytes"`
	Characters int64         `json:"characters"`
	Null       int64         `json:"null"`
	Lengths    []LengthBin   `json:"lengths"` // empty bins left out
	Scripts    []ScriptTotal `json:"scripts"` // the largest first
}

// LengthBin counts the texts of Least to Most bytes.
type LengthBin struct {
	Least int64 `json:"least"`
	Most  int64 `json:"most"`
	Count int64 `json:"count"`
}

// ScriptTotal is the number of characters of a script of Unicode, such as Latin
// or Hangul. Digits, spaces and punctuation belong to no script.
type ScriptTotal struct {
	Name       string `json:"name"`
	Characters int64  `json:"characters"`
}

// LabelTotal is the number of rows with a label.
type LabelTotal struct {
	Name string `json:"name"`
	Rows int64  `json:"rows"`
}

// InspectOptions say how files are read, and which columns are the text and the label;
// "": the columns text and label. A given column must exist; the default ones may be
// missing.
type InspectOptions struct {
	Text, Label string
	CacheDir    string // for goroot: and data sets of the hub, see Prepare
	Read        source.Options
	Tokenizer   tokenizer.Tokenizer // whose tokens are counted; nil: none are
	Say         func(notice string) // is told which files are left out; may be nil
}

// Inspect reads files of any known format, directories, glob patterns and
// "goroot:" (which it converts into the cache, see Prepare) and describes their
// content. progress counts bytes and may be nil.
func Inspect(ctx context.Context, paths []string, opt InspectOptions, progress func(done, total int64)) (*Info, error) {
	info := &Info{Types: map[string]string{}, Columns: []string{}, Formats: map[string]int{}}
	var tables []sidedTable
	for _, p := range paths {
		if p == GorootScheme {
			c, err := Prepare(ctx, Spec{From: p}, opt.CacheDir, nil)
			if err != nil {
				return nil, err
			}
			p = c.Dir
			c.Close()
		}
		l, err := list(ctx, p, opt.CacheDir, opt.Read, opt.Say, progress)
		if err != nil {
			return nil, err
		}
		if m, err := readManifest(p); err == nil {
			info.Corpora = append(info.Corpora, m)
		}
		found, _, err := describe(ctx, l.files, opt.Read)
		if err != nil {
			return nil, err
		}
		for _, t := range found {
			tables = append(tables, t)
			info.Files++
			info.Bytes += t.Size
			format := t.Format
			if t.Packed != "" {
				format += "+" + t.Packed
			}
			info.Formats[format]++
			for _, c := range t.Columns {
				if _, ok := info.Types[c.Name]; !ok {
					info.Columns = append(info.Columns, c.Name)
					info.Types[c.Name] = c.Type
				}
			}
		}
	}
	var sums fileSums
	for _, t := range tables {
		sum, _, err := source.Hash(ctx, t.Path)
		if err != nil {
			return nil, err
		}
		sums.add(sum, t.Path)
	}
	info.SHA256 = sums.sum()
	// Held-out texts come first, so that they are found again in the training texts.
	slices.SortStableFunc(tables, func(a, b sidedTable) int { return int(b.side) - int(a.side) })
	count := newCounter(opt)
	done := int64(0)
	for _, t := range tables {
		n, err := count.table(ctx, t, func(part int64) {
			if progress != nil {
				progress(min(done+part, info.Bytes), info.Bytes)
			}
		})
		if err != nil {
			return nil, err
		}
		split := &count.splits[t.side]
		split.Files = append(split.Files, filepath.Base(t.Path))
		split.Rows += n
		info.Rows += n
		done += t.Size
	}
	count.report(info)
	info.Skipped = skipped(opt.Read.Skips)
	return info, nil
}

// counter counts the texts and labels for Inspect.
type counter struct {
	opt      InspectOptions
	text     *TextInfo
	lengths  [65]int64
	labels   labelCounts
	labelled int64 // rows of files with a label column
	scripts  scriptCounts
	splits   [3]SplitInfo
	shared   *finder
	ids      []int32
}

func newCounter(opt InspectOptions) *counter {
	if t, ok := opt.Tokenizer.(interface{ Ordinary() tokenizer.Tokenizer }); ok {
		opt.Tokenizer = t.Ordinary()
	}
	c := &counter{opt: opt, labels: labelCounts{}, shared: newFinder()}
	for side, name := range splitNames {
		c.splits[side].Name = name
	}
	return c
}

// table reads a table and returns the number of its rows.
func (c *counter) table(ctx context.Context, t sidedTable, progress func(done int64)) (rows int64, err error) {
	pick := func(name, usual string) string {
		for _, col := range t.Columns {
			if name == "" && col.Name == usual && col.Scalar() {
				return usual
			}
		}
		return name
	}
	var columns []string
	text, label := pick(c.opt.Text, "text"), pick(c.opt.Label, "label")
	if text != "" {
		columns = append(columns, text)
		if c.text == nil {
			c.text = &TextInfo{Column: text}
		}
	}
	if label != "" {
		columns = append(columns, label)
	}
	if len(columns) == 0 {
		if t.Rows >= 0 {
			return t.Rows, nil
		}
		for _, col := range t.Columns[:1] { // any will do, to count rows
			columns = append(columns, col.Name)
		}
	}
	for _, name := range []string{text, label} {
		if name == "" {
			continue
		}
		c, err := t.Column(name)
		if err == nil {
			if err = c.NotText(); err != nil {
				err = fmt.Errorf("data: %s: %w", t.Path, err)
			}
		}
		if err != nil {
			return 0, err
		}
	}
	s, err := t.Scan(ctx, columns...)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	for {
		if err := ctx.Err(); err != nil {
			return rows, err
		}
		b, err := s.Next()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		rows += int64(b.Rows)
		for r := range b.Rows {
			if text != "" {
				if s, ok := b.Text(0, r); ok {
					c.add(s, t.side)
				} else {
					c.text.Null++
				}
			}
			// The column with the usual name has too many values to be labels.
			if label != "" && len(c.labels) <= maxLabels {
				c.labelled++
				if s, ok := labelAt(b, len(columns)-1, r); ok {
					c.labels.add(s, t.side)
				}
			}
		}
		if len(c.labels) > maxLabels && c.opt.Label != "" {
			return rows, tooManyLabels(t.Path)
		}
		progress(s.Done())
	}
}

// add counts a text.
func (c *counter) add(text string, side clean.Split) {
	c.text.Bytes += int64(len(text))
	c.lengths[bits.Len(uint(len(text)))]++
	c.scripts.add(text)
	c.splits[side].TextBytes += int64(len(text))
	if c.opt.Tokenizer != nil {
		c.ids = c.opt.Tokenizer.Encode(c.ids[:0], text)
		c.splits[side].Tokens += int64(len(c.ids))
	}
	if side == clean.Train {
		c.shared.train(text, len(splitNames))
	} else {
		c.shared.hold(int(side), text)
	}
}

func (c *counter) report(info *Info) {
	info.Text = c.text
	for n, count := range c.lengths {
		if count > 0 {
			bin := LengthBin{Count: count}
			if n > 0 {
				bin.Least, bin.Most = 1<<(n-1), 1<<n-1
			}
			info.Text.Lengths = append(info.Text.Lengths, bin)
		}
	}
	if info.Text != nil {
		info.Text.Characters, info.Text.Scripts = c.scripts.totals()
	}
	if len(c.labels) > maxLabels {
		c.labels, c.labelled = nil, 0
	}
	labels := c.labels.list()
	if none, _ := marksNone(labels); none {
		labels = slices.DeleteFunc(labels, func(l LabelCount) bool { return l.Name == minusOne })
	}
	info.Unlabelled = c.labelled
	for i := range labels {
		l := &labels[i]
		total := LabelTotal{l.Name, l.Train + l.Validation + l.Test}
		for side := range c.splits {
			c.splits[side].Labelled += *l.of(clean.Split(side))
		}
		info.Unlabelled -= total.Rows
		info.Labels = append(info.Labels, total)
	}
	if len(info.Labels) == 0 {
		info.Unlabelled = 0
	}
	slices.SortStableFunc(info.Labels, func(a, b LabelTotal) int { return cmp.Compare(b.Rows, a.Rows) })
	for side := range c.splits {
		s := &c.splits[side]
		if len(s.Files) == 0 {
			continue
		}
		if clean.Split(side) != clean.Train && len(c.splits[clean.Train].Files) > 0 && c.text != nil {
			n := c.shared.count(side)
			s.Shared = &n
		}
		info.Splits = append(info.Splits, *s)
	}
}
