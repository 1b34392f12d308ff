package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"hone/checkpoint/file"
)

// A Listing holds the files that a pattern matches, and the files that are left out.
type Listing struct {
	Root    string // the directory that was named, or that of the files
	Files   []Entry
	LeftOut []LeftOut
}

// An Entry is a file that a pattern matches.
type Entry struct {
	Path string
	// Below is the part of its path, with slashes, that the pattern does not fix: the path
	// below a named directory, or from the first element with a wildcard on; for a named
	// file, its name. Splits are recognised by this part only.
	Below string
}

// LeftOut is a file that is not taken as data, with the reason.
type LeftOut struct {
	Path, Why string
}

const (
	whyAbout   = "describes the data"
	whyDerived = "derived by datasets"
	whyUnknown = "of no known kind"
	whyOurs    = "written beside a converted corpus"
)

// Expand lists the files that a pattern names: a file itself; of a directory that Hugging
// Face datasets has saved, the shards, in their order; of another directory, all files below
// it whose names announce a known format, sorted; or what a glob pattern matches, sorted,
// directories expanded; or files of parallel lines, as train.{en,de} (see Parallel). Hidden files are passed over. Left out are files of other kinds, and
// those that by their exact names or by what they hold describe data and are none (README.md,
// LICENSE, dataset_info.json…), but where the file itself is named.
func Expand(pattern string) (*Listing, error) {
	l := new(Listing)
	if _, _, _, ok := braces(pattern); ok {
		return l, l.expandBraces(pattern)
	}
	info, err := os.Stat(pattern)
	switch {
	case err == nil && !info.IsDir():
		l.Root, l.Files = filepath.Dir(pattern), []Entry{{pattern, filepath.Base(pattern)}}
		return l, nil
	case err == nil:
		l.Root = pattern
		return l, l.directory(pattern)
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
	l.Root = filepath.Dir(pattern[:strings.IndexAny(pattern, "*?[")] + "x")
	for _, m := range matches {
		info, err := os.Stat(m)
		if err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
		if info.IsDir() {
			if err := l.directory(m); err != nil {
				return nil, err
			}
			continue
		}
		if why := noData(m); why != "" && filepath.Ext(m) != filepath.Ext(pattern) {
			l.LeftOut = append(l.LeftOut, LeftOut{m, why})
			continue
		}
		if err := l.add(m); err != nil {
			return nil, err
		}
	}
	if len(l.Files) == 0 {
		return nil, fmt.Errorf("data: %s: what matches %s", pattern, l.LeftOut[0].Why)
	}
	return l, nil
}

// Paths lists the paths of the files.
func (l *Listing) Paths() []string {
	list := make([]string, len(l.Files))
	for i, f := range l.Files {
		list[i] = f.Path
	}
	return list
}

func (l *Listing) add(files ...string) error {
	for _, f := range files {
		below, err := filepath.Rel(l.Root, f)
		if err != nil {
			return fmt.Errorf("data: %w", err)
		}
		l.Files = append(l.Files, Entry{f, filepath.ToSlash(below)})
	}
	return nil
}

// directory lists what is below a directory.
func (l *Listing) directory(dir string) error {
	files, err := datasetFiles(dir)
	if err == nil {
		return l.add(files...)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if path != dir && strings.HasPrefix(name, ".") {
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
		why := noData(path)
		if format, _ := byName(name); format == "" && why == "" {
			why = whyUnknown
		}
		switch {
		case why == "":
			files = append(files, path)
		case why != whyOurs: // which is read
			l.LeftOut = append(l.LeftOut, LeftOut{path, why})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("data: %s: %w", dir, err)
	}
	if len(files) == 0 {
		seen := ""
		for i, f := range l.LeftOut {
			if i == 3 {
				seen += fmt.Sprintf(" and %d more", len(l.LeftOut)-i)
				break
			}
			seen += []string{"; it has ", ", "}[min(i, 1)] + filepath.Base(f.Path)
		}
		return fmt.Errorf("data: %s: the directory has no file of a known kind (%s)%s", dir, kinds, seen)
	}
	slices.Sort(files)
	return l.add(files...)
}

var (
	aboutText = regexp.MustCompile(`^(readme|license|licence|copying|notice|citation|changelog)(\.md|\.txt|\.text)?$`)
	// Files that datasets does not take as data, and its working files.
	aboutJSON = []string{"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "config.json"}
	derived   = regexp.MustCompile(`^cache-[0-9a-f]{16}(_[0-9]{5}_of_[0-9]{5})?\.arrow$`)
)

// FormatByName is the format that the name of a file announces; "" where it announces none, or
// says that the file is about data and holds none.
func FormatByName(name string) string {
	format, _ := byName(name)
	name = strings.ToLower(filepath.Base(name))
	if aboutText.MatchString(name) || slices.Contains(aboutJSON, name) || derived.MatchString(name) {
		return ""
	}
	return format
}

// noData gives the reason why a file is not taken as data, or "". For names that data may have
// too, the content decides: a state.json may be about states.
func noData(path string) string {
	name := strings.ToLower(filepath.Base(path))
	keys := map[string][]string{"state.json": {"_data_files", "_fingerprint"}, "corpus.json": {"format_version", "splits"}}[name]
	switch {
	case aboutText.MatchString(name), slices.Contains(aboutJSON, name):
		return whyAbout
	case derived.MatchString(name):
		return whyDerived
	case keys != nil:
		var v map[string]json.RawMessage
		if readState(path, &v) != nil {
			return ""
		}
		for _, k := range keys {
			if v[k] == nil {
				return ""
			}
		}
		if name == "corpus.json" {
			return whyOurs
		}
		return whyAbout
	}
	return ""
}

// maxState is the greatest size of a file that describes a corpus.
const maxState = 16 << 20

// ReadState reads a file that describes a corpus, of at most 16 MiB.
func ReadState(path string) ([]byte, error) {
	f, err := file.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, bare(err))
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxState+1))
	if err == nil && len(b) > maxState {
		err = fmt.Errorf("%s: more than %d MiB", path, maxState>>20)
	}
	return b, err
}

func readState(path string, v any) error {
	b, err := ReadState(path)
	if err != nil {
		return err
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
				return nil, fmt.Errorf("data: %s: dataset_dict.json: split %q is not the name of a directory in it", dir, split)
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
		Files   []struct{ Filename string } `json:"_data_files"`
		Indices []struct{ Filename string } `json:"_indices_data_files"`
	}
	if err := readState(filepath.Join(dir, "state.json"), &state); err != nil {
		var syntax *json.SyntaxError
		var other *json.UnmarshalTypeError
		if errors.Is(err, fs.ErrNotExist) || errors.As(err, &syntax) || errors.As(err, &other) {
			return nil, fs.ErrNotExist // or data, as lines of JSON about states
		}
		return nil, fmt.Errorf("data: %w", err)
	}
	if state.Files == nil { // a state.json of something else
		return nil, fs.ErrNotExist
	}
	if len(state.Indices) > 0 {
		return nil, fmt.Errorf("data: %s: the rows of this set are those that %s lists (datasets 1 writes that after select or shuffle), which is not read (hint: open it with datasets, call flatten_indices, and save it again)", dir, state.Indices[0].Filename)
	}
	var files []string
	for _, f := range state.Files {
		if !plainName(f.Filename) {
			return nil, fmt.Errorf("data: %s: state.json: %q is not the name of a file in it", dir, f.Filename)
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
