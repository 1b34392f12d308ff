package data

import (
	"context"
	"math/bits"
	"slices"
	"strings"

	"hone/data/source"
)

// Info says what files hold.
type Info struct {
	Files   int               `json:"files"`
	Rows    int64             `json:"rows"`
	Bytes   int64             `json:"bytes"`   // of the files
	Columns []string          `json:"columns"` // of all files, in the order of the first that has them
	Types   map[string]string `json:"types"`   // by column
	Text    *TextInfo         `json:"text,omitempty"`
	Labels  []LabelTotal      `json:"labels,omitempty"` // by number, the largest first
	// Corpora are the manifests of converted corpora among the paths.
	Corpora []*Manifest `json:"corpora,omitempty"`
}

// TextInfo describes the text column.
type TextInfo struct {
	Column  string      `json:"column"`
	Bytes   int64       `json:"bytes"`
	Null    int64       `json:"null"`
	Lengths []LengthBin `json:"lengths"` // empty bins left out
}

// LengthBin counts the texts of Least to Most bytes.
type LengthBin struct {
	Least int64 `json:"least"`
	Most  int64 `json:"most"`
	Count int64 `json:"count"`
}

// LabelTotal is the number of rows with a label.
type LabelTotal struct {
	Name string `json:"name"`
	Rows int64  `json:"rows"`
}

// Inspect reads files, directories, glob patterns and "goroot:" (which it
// converts into cacheDir, see Prepare) and says what they hold. text and label
// name columns, "": "text" and "label"; a column that is named and missing is an
// error, the default ones may be missing. progress counts rows and may be nil.
func Inspect(ctx context.Context, paths []string, text, label, cacheDir string, progress func(done, total int64)) (*Info, error) {
	info := &Info{Types: map[string]string{}, Columns: []string{}}
	var files []*source.File
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	for _, p := range paths {
		if p == GorootScheme {
			c, err := Prepare(ctx, Spec{From: p}, cacheDir, nil)
			if err != nil {
				return nil, err
			}
			p = c.Dir
			c.Close()
		}
		names, err := source.Expand(p)
		if err != nil {
			return nil, err
		}
		if m, err := readManifest(p); err == nil {
			info.Corpora = append(info.Corpora, m)
		}
		for _, n := range names {
			f, err := source.Open(n)
			if err != nil {
				return nil, err
			}
			files = append(files, f)
			info.Files++
			info.Rows += f.Rows()
			info.Bytes += f.Size()
			for _, c := range f.Columns() {
				if _, ok := info.Types[c.Name]; !ok {
					info.Columns = append(info.Columns, c.Name)
					info.Types[c.Name] = c.Type
				}
			}
		}
	}

	pick := func(f *source.File, name, usual string) string {
		if name == "" && f.Readable(usual) {
			return usual
		}
		return name
	}
	var lengths [65]int64
	labels := map[string]int64{}
	done := int64(0)
	for _, f := range files {
		columns := []string{}
		t, l := pick(f, text, "text"), pick(f, label, "label")
		if t != "" {
			columns = append(columns, t)
			if info.Text == nil {
				info.Text = &TextInfo{Column: t}
			}
		}
		if l != "" {
			columns = append(columns, l)
		}
		if len(columns) == 0 {
			done += f.Rows()
			continue
		}
		if err := f.Select(columns...); err != nil {
			return nil, err
		}
		for k := range f.Batches() {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			b, err := f.Batch(k)
			if err != nil {
				return nil, err
			}
			for r := range b.Rows {
				if t != "" {
					if s, ok := b.Text(0, r); ok {
						info.Text.Bytes += int64(len(s))
						lengths[bits.Len(uint(len(s)))]++
					} else {
						info.Text.Null++
					}
				}
				// Too many under the usual name: these are no labels.
				if l != "" && len(labels) <= maxLabels {
					if s, ok := b.Text(len(columns)-1, r); ok {
						count(labels, s)
					}
				}
			}
			if len(labels) > maxLabels && label != "" {
				return nil, tooManyLabels(f.Path())
			}
			if done += int64(b.Rows); progress != nil {
				progress(done, info.Rows)
			}
		}
	}
	for n, count := range lengths {
		if count > 0 {
			bin := LengthBin{Count: count}
			if n > 0 {
				bin.Least, bin.Most = 1<<(n-1), 1<<n-1
			}
			info.Text.Lengths = append(info.Text.Lengths, bin)
		}
	}
	if len(labels) > maxLabels {
		labels = nil
	}
	for name, n := range labels {
		info.Labels = append(info.Labels, LabelTotal{name, n})
	}
	slices.SortFunc(info.Labels, func(a, b LabelTotal) int {
		if a.Rows != b.Rows {
			return int(b.Rows - a.Rows)
		}
		return strings.Compare(a.Name, b.Name)
	})
	return info, nil
}
