package corpus

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"hone/checkpoint/file"
	"hone/data/clean"
	"hone/data/hub"
	"hone/data/source"
)

// A listing is what the name of a corpus stands for: files, each of a split, and what is known
// of where they are from.
type listing struct {
	files                 []sided
	name, source, licence string // "": as a recipe has it
}

// origin is where the files are from, beside what a recipe says of it.
func (l *listing) origin(said string) string {
	if said == "" || l.source == "" {
		return cmp.Or(said, l.source)
	}
	return said + " (" + l.source + ")"
}

// list lists the files that a corpus is of, which are read as read says. Those of a data set on
// the hub are fetched into the cache. say, which may be nil, is told what is left out.
func list(ctx context.Context, from, cacheDir string, read source.Options, say func(notice string), progress func(done, total int64)) (*listing, error) {
	if !strings.HasPrefix(from, hub.Scheme) {
		files, err := expand(from, say)
		return &listing{files: files}, err
	}
	if say == nil {
		say = func(string) {}
	}
	l, err := fetch(ctx, from, cacheDir, read, say, progress)
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("data: %w", err)
	}
	return l, err
}

// A named file of a data set on the hub is of the split of that name.
type named struct {
	hub.File
	split string
}

func fetch(ctx context.Context, from, cacheDir string, read source.Options, say func(notice string), progress func(done, total int64)) (*listing, error) {
	ref, err := hub.Parse(from)
	if err == nil && !ref.Dataset {
		err = fmt.Errorf("%s is a model (hint: a data set is hf:datasets/%s)", from, ref.Repo)
	}
	if err != nil {
		return nil, err
	}
	if cacheDir == "" {
		return nil, fmt.Errorf("%s: no cache directory to fetch it into (hint: set HONE_CACHE)", from)
	}
	c, err := hub.New(cacheDir)
	if err != nil {
		return nil, err
	}
	c.Say = say
	s, err := c.Open(ctx, ref)
	if err != nil {
		return nil, err
	}
	about := func(f hub.File) bool {
		return f.Path == hub.CardFile || f.Path == "dataset_info.json" || f.Path == "dataset_infos.json"
	}
	dir, err := s.Fetch(ctx, about, nil)
	if err != nil {
		return nil, err
	}
	card := new(hub.Card)
	if slices.ContainsFunc(s.Files, func(f hub.File) bool { return f.Path == hub.CardFile }) {
		text, err := file.Read(filepath.Join(dir, hub.CardFile))
		if err == nil {
			card, err = hub.ReadCard(text)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
	}
	var config *hub.Config
	if n := len(card.Configs); n > 0 {
		if config, err = card.Config(ref.Part); err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
		if n > 1 && ref.Part == "" {
			say(fmt.Sprintf("%s: it has %d configurations; the default one is read, %s", ref, n, config.Name))
		}
	}
	files, err := dataFiles(s, config, read, say)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	wanted := map[string]bool{}
	for _, f := range files {
		wanted[f.path] = true
	}
	if _, err := s.Fetch(ctx, func(f hub.File) bool { return wanted[f.Path] }, progress); err != nil {
		return nil, err
	}
	classes := source.Classes(dir)
	if len(card.Configs) > 1 { // of which each may have its own
		classes = config.Classes
	}
	for i := range files {
		files[i].path, files[i].classes = filepath.Join(dir, filepath.FromSlash(files[i].path)), classes
	}
	name := path.Base(ref.Repo)
	if ref.Part != "" {
		name += "-" + strings.ReplaceAll(ref.Part, "/", "-")
	}
	return &listing{files, name, s.Address(), card.Licence}, nil
}

// dataFiles are the files of a data set that its name stands for, by their paths in the
// repository: of a configuration that the card has, or of nil all, or those below a directory.
func dataFiles(s *hub.Snapshot, config *hub.Config, read source.Options, say func(notice string)) ([]sided, error) {
	if config == nil {
		return undeclared(s, s.Ref.Part, say)
	}
	if keys := strings.Join(config.Keys, ", "); keys != "" {
		if len(read.Keys()) == 0 {
			return nil, fmt.Errorf("configuration %s: keys of its card that are not followed: %s (hint: say how its files are read by keys of the corpus, such as delimiter, column_names or rows)", config.Name, keys)
		}
		say(fmt.Sprintf("%s: keys of its card that are not followed, since keys of the corpus say how its files are read: %s", s.Ref, keys))
	}
	if config.Files == nil {
		return undeclared(s, config.Dir, say)
	}
	var files []named
	var others []string
	for _, f := range config.Files {
		list, err := f.Match(config.Dir, s.Files)
		if err != nil {
			return nil, fmt.Errorf("configuration %s: %w", config.Name, err)
		}
		for _, m := range list {
			if source.FormatByName(m.Path) == "" && !slices.Contains(f.Patterns, m.Path) {
				others = append(others, m.Path)
				continue
			}
			files = append(files, named{m, f.Split})
		}
	}
	if len(others) > 0 {
		say(fmt.Sprintf("%s: files of no known kind left out: %s", s.Ref, strings.Join(others, ", ")))
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("configuration %s: it has no data files of a known kind", config.Name)
	}
	return bySplit(s, files, say)
}

// sharded is how the hub names the files that it writes: the split is what stands first.
var sharded = regexp.MustCompile(`^data/([^/]+)-[0-9]{5}-of-[0-9]{5}[^/]*\.[^/]+$`)

// undeclared are the data files below a directory of a repository, "" for all, whose card says
// nothing of them: those of the kind that it has most of, each of the split that its name says.
func undeclared(s *hub.Snapshot, dir string, say func(notice string)) ([]sided, error) {
	dir = strings.Trim(path.Clean("/"+dir), "/")
	kinds := map[string][]hub.File{}
	tops := map[string]bool{}
	var script string
	for _, f := range s.Files {
		below, ok := strings.CutPrefix(f.Path, dir+"/")
		if dir == "" {
			below, ok = f.Path, true
		} else if f.Path == dir {
			below, ok = path.Base(dir), true
		}
		if path.Ext(f.Path) == ".py" && path.Dir(f.Path) == "." {
			script = f.Path
		}
		kind := source.FormatByName(below)
		if !ok || kind == "" || slices.ContainsFunc(strings.Split(below, "/"), func(e string) bool { return e[0] == '.' || strings.HasPrefix(e, "__") }) {
			continue
		}
		kinds[kind] = append(kinds[kind], f)
		top, _, _ := strings.Cut(below, "/")
		tops[top] = true
	}
	var most []string
	for kind, files := range kinds {
		if len(most) == 0 || len(files) > len(kinds[most[0]]) {
			most = []string{kind}
		} else if len(files) == len(kinds[most[0]]) {
			most = append(most, kind)
		}
	}
	slices.Sort(most)
	switch {
	case len(most) == 0 && script != "":
		return nil, fmt.Errorf("it has a program that makes the data, %s, which is not run (hint: @refs/convert/parquet is the data, where the hub has converted it)", script)
	case len(most) == 0 && dir != "":
		return nil, fmt.Errorf("it names no configurations, and has no data files at %s", dir)
	case len(most) == 0:
		return nil, fmt.Errorf("it has no data files of a known kind")
	case len(most) > 1:
		return nil, fmt.Errorf("it has as many files of %s, and its %s does not say which are the data", strings.Join(most, " as of "), hub.CardFile)
	case dir == "" && s.Ref.Revision == converted && len(tops) > 1:
		names := slices.Sorted(maps.Keys(tops))
		return nil, fmt.Errorf("it has %d configurations: %s (hint: name one behind the data set, as in /%s)", len(names), strings.Join(names, ", "), names[0])
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		if kind != most[0] {
			say(fmt.Sprintf("%s: %s of %s left out: the data set is of %s", s.Ref, plural(len(kinds[kind]), "file"), kind, most[0]))
		}
	}
	var shards []named
	var files []sided
	for _, f := range kinds[most[0]] {
		below := cmp.Or(strings.TrimPrefix(strings.TrimPrefix(f.Path, dir), "/"), path.Base(dir))
		if m := sharded.FindStringSubmatch(below); m != nil {
			shards = append(shards, named{f, m[1]})
		}
		side, err := sideOf(source.Entry{Path: f.Path, Below: below})
		if err != nil {
			return nil, err
		}
		files = append(files, sided{path: f.Path, side: side})
	}
	if len(shards) > 0 { // which datasets takes for all of it
		if n := len(files) - len(shards); n > 0 {
			say(fmt.Sprintf("%s: %s left out: the data is in data/SPLIT-00000-of-00001", s.Ref, plural(n, "file")))
		}
		return bySplit(s, shards, say)
	}
	return files, nil
}

// converted is the branch on which the hub keeps a data set as Parquet, a directory for each
// configuration.
const converted = "refs/convert/parquet"

// bySplit puts files with splits of any names into those that there are. A split whose name
// says none of them is left out, and several that say the same are read as one.
func bySplit(s *hub.Snapshot, files []named, say func(notice string)) ([]sided, error) {
	var list []sided
	var unknown []string
	splits := map[clean.Split][]string{}
	for _, f := range files {
		side, said, err := sideSaid(f.split)
		if err != nil {
			return nil, fmt.Errorf("split %s: %w", f.split, err)
		}
		if !said {
			if !slices.Contains(unknown, f.split) {
				unknown = append(unknown, f.split)
			}
			continue
		}
		if !slices.Contains(splits[side], f.split) {
			splits[side] = append(splits[side], f.split)
		}
		list = append(list, sided{path: f.Path, side: side})
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("it has no split train, validation or test, but %s", strings.Join(unknown, ", "))
	}
	if len(unknown) > 0 {
		say(fmt.Sprintf("%s: splits left out, since their names do not say train, validation or test: %s", s.Ref, strings.Join(unknown, ", ")))
	}
	for side, names := range splitNames {
		if said := splits[clean.Split(side)]; len(said) > 1 {
			say(fmt.Sprintf("%s: its splits %s are read as one, %s", s.Ref, strings.Join(said, " and "), names))
		}
	}
	slices.SortStableFunc(list, func(a, b sided) int { return cmp.Compare(a.path, b.path) })
	return list, nil
}
