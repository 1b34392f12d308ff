package corpus

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"hone/checkpoint/provenance"
	"hone/data/source"
)

// shelfVersion is part of the names of converted files in the cache: raise it with every
// change of what a conversion writes.
const shelfVersion = 5

// cacheName gives the name of a file in hashes. For a file in the cache it includes the
// directory, which depends on its sources and how they were read.
func cacheName(cacheDir, path string) string {
	if rel, err := filepath.Rel(cacheDir, path); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return filepath.Base(path)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// openShelved opens files without random access as shards in the cache, after converting
// them if that has not been done.
func openShelved(ctx context.Context, spec Spec, files []sided, cacheDir string, progress func(done, total int64)) (*Corpus, error) {
	if cacheDir == "" {
		return nil, fmt.Errorf("data: %s: no cache directory to convert it into (hint: set HONE_CACHE)", spec.From)
	}
	p := provenance.Corpus{Name: spec.Name, Source: spec.Source, Licence: spec.Licence, Consent: spec.Consent, Collected: spec.Collected}
	for _, f := range files {
		size, err := source.Size(f.path)
		if err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
		p.Bytes += size
	}
	// Files are read twice: to hash and to convert them.
	half := func(from int64) func(done, total int64) {
		return func(done, _ int64) {
			if progress != nil {
				progress(from+done, 2*p.Bytes)
			}
		}
	}
	var sums fileSums
	key := sha256.New()
	o := spec.Read
	fmt.Fprintf(key, "%d %q %q %q %q %v\n", shelfVersion, spec.Text, spec.Label, spec.columns(), o.Keys(), o.Skips != nil)
	if spec.HoldEnds {
		fmt.Fprintf(key, "ends %+v\n", spec.Shares)
	}
	done := int64(0)
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		sum, size, err := source.Hash(ctx, f.path)
		if err != nil {
			return nil, err
		}
		sums.add(sum, f.path)
		fmt.Fprintf(key, "%s %s %q %q\n", sum, splitNames[f.side], filepath.Base(f.path), f.classes)
		done += size
		half(0)(done, 0)
	}
	p.SHA256 = sums.sum()
	if err := sums.check(spec); err != nil {
		return nil, err
	}
	dir := filepath.Join(cacheDir, "files-"+hex.EncodeToString(key.Sum(nil))[:16])
	m, err := readManifest(dir)
	if errors.Is(err, os.ErrNotExist) {
		if err := hasFields(ctx, files, spec); err != nil {
			return nil, err
		}
		if spec.Say != nil {
			spec.Say(fmt.Sprintf("%s: converting %s (%.1f MB) into %s, once. That takes about as much disk space; several times as much if the files are compressed.", spec.From, plural(len(files), "file"), float64(p.Bytes)/1e6, dir))
		}
		if err := os.MkdirAll(cacheDir, 0o755); err != nil {
			return nil, fmt.Errorf("data: cache: %w", err)
		}
		if o.TempDir == "" {
			o.TempDir = cacheDir
		}
		opt := ConvertOptions{Text: spec.Text, Label: spec.Label, Words: spec.Words, Columns: spec.columns(), Name: spec.Name, Read: o, Shares: spec.Shares, HoldEnds: spec.HoldEnds}
		if err := convertFiles(ctx, files, dir, opt, nil, half(p.Bytes)); err != nil {
			return nil, err
		}
		m, err = readManifest(dir)
	}
	if err != nil {
		return nil, err
	}
	inner := spec.renamed()
	c, err := openConverted(ctx, inner, dir, m, nil)
	if err != nil {
		return nil, fmt.Errorf("%w (hint: remove %s, and it will be made anew)", err, dir)
	}
	var from [3]int
	for _, f := range files {
		from[f.side]++
	}
	c.cameFrom(from)
	for side, s := range []*Split{c.Train, c.Validation, c.Test} {
		if s == nil {
			continue
		}
		s.origin = spec.From
		var of []string
		for _, f := range files {
			if int(f.side) == side {
				of = append(of, f.path)
			}
		}
		if len(of) == 1 {
			s.origin = of[0]
		}
		if m.whole() && !spec.HoldEnds {
			s.place = placeIn(of, spec.Read)
		}
	}
	p.Documents, p.Cleaning = c.Provenance.Documents, c.Provenance.Cleaning
	c.Provenance, c.Dir = p, ""
	return c, nil
}

// whole reports whether no record was left out.
func (m *Manifest) whole() bool {
	left := int64(0)
	for _, n := range m.Drops {
		left += n
	}
	return left == 0 && m.Skipped == nil
}

// placeIn says where a row of files is that follow one another.
func placeIn(files []string, read source.Options) func(i int64) string {
	return func(i int64) string {
		for _, path := range files {
			t, err := source.Describe(context.Background(), path, read)
			if err != nil {
				return ""
			}
			where, rows, err := t.Place(context.Background(), i)
			if err != nil {
				return ""
			}
			if where != "" {
				return path + ": " + where
			}
			i -= rows
		}
		return ""
	}
}

// hasFields fails if a file lacks a column of spec.Fields or Group: what is converted leaves it out.
func hasFields(ctx context.Context, files []sided, spec Spec) error {
	fields := spec.Fields
	if spec.Group != "" {
		fields = append(slices.Clone(fields), spec.Group)
	}
	if len(fields) == 0 {
		return nil
	}
	tables, _, err := describe(ctx, files, spec.Read)
	if err != nil {
		return err
	}
	for _, t := range tables {
		for _, name := range fields {
			if _, err := t.Column(name); err != nil {
				return err
			}
		}
	}
	return nil
}
