package data

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"hone/data/clean"
	"hone/data/source"
)

// Skipped counts records that could not be read.
type Skipped struct {
	Count int64    `json:"count"`
	First []string `json:"first"` // what was wrong with the first of them
}

func skipped(s *source.Skips) *Skipped {
	if s == nil || s.Count() == 0 {
		return nil
	}
	return &Skipped{s.Count(), s.First()}
}

var splitNames = [3]string{clean.Train: "train", clean.Validation: "validation", clean.Test: "test"}

// newTypedShardSet is newShardSet for columns of any type.
func newTypedShardSet(dir string, columns []source.Column) (*shardSet, error) {
	s, err := newShardSet(dir)
	if err != nil {
		return nil, err
	}
	s.manifest.Columns = nil
	for _, c := range columns {
		s.manifest.Columns = append(s.manifest.Columns, c.Name)
	}
	for i, name := range splitNames {
		s.splits[i] = source.NewTypedShards(s.tmp, name, 0, columns)
	}
	return s, nil
}

// transcribe converts files of any known format, with all columns that can be
// read; those of the text and the label are named text and label.
func transcribe(ctx context.Context, from, dir string, opt ConvertOptions, progress func(done, total int64)) error {
	paths, err := source.Expand(from)
	if err != nil {
		return err
	}
	if opt.Name == "" {
		opt.Name = filepath.Base(filepath.Clean(from))
	}
	return convertPaths(ctx, paths, dir, opt, progress)
}

// convertPaths converts files of any known format.
func convertPaths(ctx context.Context, paths []string, dir string, opt ConvertOptions, progress func(done, total int64)) error {
	var total, done int64
	tables := make([]*source.Table, len(paths))
	for i, p := range paths {
		if err := ctx.Err(); err != nil {
			return err
		}
		t, err := source.Describe(ctx, p, opt.Read)
		if err != nil {
			return err
		}
		tables[i] = t
		total += t.Size
	}
	columns, text, label, err := arrange(tables, opt)
	if err != nil {
		return err
	}
	named := map[string]int{} // by their old names
	for i, c := range columns {
		named[c.Name] = i
	}
	s, err := newTypedShardSet(dir, rename(columns, text, label))
	if err != nil {
		return err
	}
	defer s.abandon()
	m := &s.manifest
	m.Name, m.Source, m.Licence, m.Consent, m.Collected = opt.Name, opt.Source, opt.Licence, opt.Consent, opt.Collected
	labels := label >= 0
	for _, t := range tables {
		side := clean.Split(slices.Index(splitNames[:], splitOf(t.Path)))
		sc, err := t.Scan()
		if err != nil {
			return err
		}
		from := slices.Repeat([]int{-1}, len(columns))
		for i, c := range sc.Columns() {
			from[named[c.Name]] = i
		}
		for {
			if err = ctx.Err(); err != nil {
				break
			}
			var b *source.Batch
			if b, err = sc.Next(); err != nil {
				break
			}
			for row := range b.Rows {
				content, ok := "", text < 0
				if text >= 0 && from[text] >= 0 {
					content, ok = b.Text(from[text], row)
				}
				if !ok {
					m.Drops["null text"]++
					continue
				}
				to := side
				if to == clean.Train && opt.Shares != (clean.Shares{}) {
					to = opt.Shares.Assign(clean.Key(content))
				}
				s.splits[to].AppendRow(b, row, from)
				name, has := "", false
				if labels && from[label] >= 0 {
					name, has = b.Text(from[label], row)
				}
				s.count(to, len(content), name, has)
			}
			if len(s.labels) > maxLabels {
				if opt.Label != "" {
					err = tooManyLabels(t.Path)
					break
				}
				labels, s.labels = false, nil // under the usual name: these are no labels
			}
			if progress != nil {
				progress(min(done+sc.Done(), total), total)
			}
		}
		if e := sc.Close(); err == io.EOF {
			err = e
		}
		if err != nil {
			return err
		}
		done += t.Size
	}
	m.Skipped = skipped(opt.Read.Skips)
	if m.Splits[0].Rows+m.Splits[1].Rows+m.Splits[2].Rows == 0 {
		what := "text"
		if text < 0 {
			what = "rows"
		}
		return fmt.Errorf("data: %s: the corpus is empty: its files have no %s", filepath.Dir(paths[0]), what)
	}
	return s.publish()
}

// arrange finds the columns of all tables, and which of them are the text and
// the label (-1: none).
func arrange(tables []*source.Table, opt ConvertOptions) (columns []source.Column, text, label int, err error) {
	columns = source.Unite(tables)
	find := func(name string) int {
		return slices.IndexFunc(columns, func(c source.Column) bool { return c.Name == name })
	}
	named := func(name string) (int, error) {
		i := find(name)
		if i >= 0 {
			return i, nil
		}
		_, err := tables[0].Scan(name) // which says what there is
		if err == nil {
			err = fmt.Errorf("data: %s: no column %q", tables[0].Path, name)
		}
		return -1, err
	}
	text, label = find("text"), find("label")
	if text >= 0 && !columns[text].Scalar() && opt.Text == "" {
		text = -1
	}
	if label >= 0 && !columns[label].Scalar() {
		label = -1
	}
	if opt.Text != "" || text < 0 && !slices.ContainsFunc(columns, func(c source.Column) bool { return c.Messages() || c.IDs() }) {
		want := opt.Text
		if want == "" {
			want = "text"
		}
		if text, err = named(want); err != nil {
			return nil, 0, 0, err
		}
	}
	if opt.Label != "" {
		if label, err = named(opt.Label); err != nil {
			return nil, 0, 0, err
		}
	}
	return columns, text, label, nil
}

// rename gives the columns of the text and the label their usual names; another
// column of such a name becomes original_NAME.
func rename(columns []source.Column, text, label int) []source.Column {
	columns = slices.Clone(columns)
	for i, c := range columns {
		switch {
		case i == text:
			columns[i] = c.Renamed("text")
		case i == label:
			columns[i] = c.Renamed("label")
		case c.Name == "text" && text >= 0, c.Name == "label" && label >= 0:
			columns[i] = c.Renamed("original_" + c.Name)
		}
	}
	return columns
}
