package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// notData are files that describe a corpus and are no part of it, whatever their
// ending.
var notData = []string{"readme", "license", "licence", "copying", "notice", "citation", "changelog",
	"dataset_info", "dataset_infos", "dataset_dict", "state", "corpus"}

// Expand returns the files that a pattern names: a file itself; of a directory
// that Hugging Face datasets has saved, the shards, in their order; of another
// directory, all files below it whose names announce a known format, sorted; or
// what a glob pattern matches, sorted, directories expanded. Hidden files are
// left out, the files cache-*, in which datasets keeps what it derived, and
// those that by their names describe a corpus (README, LICENSE…).
func Expand(pattern string) ([]string, error) {
	info, err := os.Stat(pattern)
	switch {
	case err == nil && !info.IsDir():
		return []string{pattern}, nil
	case err == nil:
		return expandDir(pattern)
	case !strings.ContainsAny(pattern, "*?["):
		return nil, fmt.Errorf("data: %w", err)
	}
	matches, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", pattern, err)
	}
	if len(matches) == 0 {
		return nil, fmt.Errorf("data: %s: no file matches", pattern)
	}
	slices.Sort(matches)
	var files []string
	for _, m := range matches {
		info, err := os.Stat(m)
		if err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
		if !info.IsDir() {
			files = append(files, m)
			continue
		}
		below, err := expandDir(m)
		if err != nil {
			return nil, err
		}
		files = append(files, below...)
	}
	return files, nil
}

func expandDir(dir string) ([]string, error) {
	files, err := datasetFiles(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return files, err
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if path != dir && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "cache-")) {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			if path == dir {
				return nil
			}
			below, err := datasetFiles(path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			files = append(files, below...)
			if err == nil {
				err = filepath.SkipDir
			}
			return err
		}
		stem, _, _ := strings.Cut(strings.ToLower(name), ".")
		if format, _ := byName(name); format != "" && !slices.Contains(notData, stem) {
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", dir, err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("data: %s: the directory has no file of a known kind (%s)", dir, kinds)
	}
	slices.Sort(files)
	return files, nil
}

// maxState bounds the files in which datasets describes a directory.
const maxState = 64 << 20

func readState(path string, v any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := readHead(f, maxState+1)
	if err != nil {
		return err
	}
	if len(b) > maxState {
		return fmt.Errorf("%s: more than %d MiB", path, maxState>>20)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// datasetFiles returns the shards of a directory that datasets' save_to_disk
// wrote, of a DatasetDict those of all its splits; fs.ErrNotExist where it is
// none.
func datasetFiles(dir string) ([]string, error) {
	var dict struct{ Splits []string }
	err := readState(filepath.Join(dir, "dataset_dict.json"), &dict)
	if err == nil {
		var files []string
		for _, split := range dict.Splits {
			if !plainName(split) {
				return nil, fmt.Errorf("data: %s: dataset_dict.json: split %q is no name of a directory in it", dir, split)
			}
			below, err := datasetFiles(filepath.Join(dir, split))
			if err != nil {
				return nil, fmt.Errorf("data: %s: split %s: %w", dir, split, err)
			}
			files = append(files, below...)
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("data: %s: dataset_dict.json names no splits", dir)
		}
		return files, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("data: %w", err)
	}
	var state struct {
		Files []struct{ Filename string } `json:"_data_files"`
	}
	if err := readState(filepath.Join(dir, "state.json"), &state); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return nil, fmt.Errorf("data: %w", err)
	}
	if state.Files == nil { // a state.json of something else
		return nil, fs.ErrNotExist
	}
	var files []string
	for _, f := range state.Files {
		if !plainName(f.Filename) {
			return nil, fmt.Errorf("data: %s: state.json: %q is no name of a file in it", dir, f.Filename)
		}
		path := filepath.Join(dir, f.Filename)
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("data: %s: a shard that state.json names is missing: %w", dir, bare(err))
		}
		files = append(files, path)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("data: %s: state.json names no files", dir)
	}
	return files, nil
}

func plainName(s string) bool {
	return s != "" && s != "." && s != ".." && s == filepath.Base(s) && !strings.ContainsAny(s, `/\`)
}
