package hub

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// Fetch makes sure that the files that are wanted are in the cache, and returns the directory
// that they are in, each at its path. What is there already is not asked for. progress is told
// the bytes of the files that are there, of those wanted; it may be nil.
func (s *Snapshot) Fetch(ctx context.Context, want func(File) bool, progress func(done, total int64)) (dir string, err error) {
	var files, missing []File
	var done, total int64
	for _, f := range s.Files {
		if !want(f) {
			continue
		}
		files = append(files, f)
		total += f.Size
		if whole(s.path(f), f.Size) {
			done += f.Size
			continue
		}
		missing = append(missing, f)
	}
	if progress == nil {
		progress = func(int64, int64) {}
	}
	progress(done, total)
	if err := clash(files); err != nil {
		return "", fmt.Errorf("%s: %w", s.Ref, err)
	}
	if s.c.offline && len(missing) > 0 {
		const most = 3
		var names []string
		for _, f := range missing[:min(most, len(missing))] {
			names = append(names, f.Path)
		}
		if n := len(missing) - most; n > 0 {
			names = append(names, fmt.Sprintf("%d more", n))
		}
		return "", fmt.Errorf("%s: not in the cache, and HF_HUB_OFFLINE is set: %s", s.Ref, strings.Join(names, ", "))
	}
	for _, f := range missing {
		if err := s.download(ctx, f, func(n int64) { progress(done+n, total) }); err != nil {
			if ctx.Err() != nil {
				return "", ctx.Err()
			}
			return "", fmt.Errorf("%s: %s: %w", s.Ref, f.Path, err)
		}
		done += f.Size
		progress(done, total)
	}
	return s.Dir(), nil
}

// Dir is the directory in the cache that fetched files are in, each at its path.
func (s *Snapshot) Dir() string { return filepath.Join(s.dir, filesDir) }

// path is where a file of the snapshot is in the cache.
func (s *Snapshot) path(f File) string {
	return filepath.Join(s.Dir(), filepath.FromSlash(f.Path))
}
