package corpus

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"hone/data/clean"
	"hone/data/source"
)

var splitNames = [3]string{clean.Train: "train", clean.Validation: "validation", clean.Test: "test"}

// splitWords are the words of names that stand for splits.
var splitWords = map[string]clean.Split{
	"train": clean.Train, "training": clean.Train,
	"validation": clean.Validation, "valid": clean.Validation, "val": clean.Validation, "dev": clean.Validation,
	"eval": clean.Validation, "evaluation": clean.Validation,
	"test": clean.Test, "testing": clean.Test,
}

// A sided file is a file with its split.
type sided struct {
	path    string
	side    clean.Split
	classes map[string][]string // what integers stand for, by column, where the file does not say
}

// expand lists the files that a pattern matches, each with its split. say, which may be nil,
// gets a message about files that are left out.
func expand(from string, say func(notice string)) ([]sided, error) {
	l, err := source.Expand(from)
	if err != nil {
		return nil, err
	}
	classes := source.Classes(l.Root)
	var files []sided
	for _, f := range l.Files {
		side, err := sideOf(f)
		if err != nil {
			return nil, err
		}
		files = append(files, sided{f.Path, side, classes})
	}
	if say != nil && len(l.LeftOut) > 0 {
		say(leftOut(from, l.LeftOut))
	}
	return files, nil
}

// leftOut gives a message about the files that are not part of a corpus.
func leftOut(from string, list []source.LeftOut) string {
	const most = 3
	var reasons []string
	files := map[string][]string{}
	for _, f := range list {
		if files[f.Why] == nil {
			reasons = append(reasons, f.Why)
		}
		files[f.Why] = append(files[f.Why], path.Base(f.Path))
	}
	slices.Sort(reasons)
	for i, why := range reasons {
		names := files[why]
		text := strings.Join(names[:min(most, len(names))], ", ")
		if n := len(names) - most; n > 0 {
			text += fmt.Sprintf(" and %d more", n)
		}
		reasons[i] = text + " (" + why + ")"
	}
	return fmt.Sprintf("%s: %s left out: %s", from, plural(len(list), "file"), strings.Join(reasons, ", "))
}

// sideOf gives the split of a file by its name: by a whole word of the directories below the
// named one, or if these have none, of the file's own name. Without such a word the file is for
// training.
func sideOf(f source.Entry) (clean.Split, error) {
	for _, name := range []string{path.Dir(f.Below), path.Base(f.Below)} {
		side, said, err := sideSaid(name)
		if err != nil {
			return 0, fmt.Errorf("data: %s: %w (hint: rename it; one word of train, validation, test decides)", f.Path, err)
		}
		if said {
			return side, nil
		}
	}
	return clean.Train, nil
}

// sideSaid gives the split that a word of a name stands for, if there is one.
func sideSaid(name string) (side clean.Split, said bool, err error) {
	var by string
	for _, word := range strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return strings.ContainsRune("/-._ 0123456789", r) }) {
		s, ok := splitWords[word]
		if ok && said && s != side {
			return 0, false, fmt.Errorf("its name stands for two splits, %s and %s", by, word)
		}
		if ok {
			side, by, said = s, word, true
		}
	}
	return side, said, nil
}

// describe describes files, in their order.
func describe(ctx context.Context, files []sided, read source.Options) (tables []sidedTable, total int64, err error) {
	var formats []string
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		t, err := source.Describe(ctx, f.path, read)
		if err != nil {
			return nil, 0, err
		}
		for column, names := range f.classes {
			t.SetClasses(column, names)
		}
		tables = append(tables, sidedTable{t, f.side})
		total += t.Size
		formats = append(formats, t.Format)
	}
	if err := read.Fits(formats); err != nil {
		return nil, 0, fmt.Errorf("data: %s: %w", files[0].path, err)
	}
	return tables, total, nil
}

type sidedTable struct {
	*source.Table
	side clean.Split
}
