package run

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"hone/checkpoint"
	"hone/checkpoint/file"
)

// An Input is something that a run reads beside its recipe, as the run's manifest notes it: a
// split of a corpus, the tokenizer, the checkpoint that stages start from. The hash is of the
// content alone: an input that was only moved has not changed.
type Input struct {
	Name   string `json:"name"`
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Rows   int64  `json:"rows,omitempty"`
}

const tokenizerInput = "tokenizer"

// inputs are those of the run so far: without a tokenizer that is still to be trained.
func (w *runner) inputs() []Input {
	var list []Input
	for _, name := range slices.Sorted(maps.Keys(w.corpora)) {
		for _, s := range w.corpora[name].Splits() {
			list = append(list, Input{
				Name: fmt.Sprintf("corpus %s, split %s", name, s.Name), Path: w.r.Corpus[name].Source, SHA256: s.SHA256, Rows: s.Rows(),
			})
		}
	}
	if w.start != nil {
		files := w.start.Manifest.Files
		sum := sha256.Sum256([]byte(files[checkpoint.ModelFile].SHA256 + files[checkpoint.ConfigFile].SHA256))
		list = append(list, Input{Name: "checkpoint", Path: w.r.Base.Dir, SHA256: hex.EncodeToString(sum[:])})
	}
	if w.tok != nil {
		list = append(list, Input{Name: tokenizerInput, Path: w.tokPath, SHA256: w.tokSum})
	}
	return list
}

// changedInputs says which inputs have changed since an earlier run, were removed or added.
func changedInputs(was, now []Input) []string {
	var list []string
	for _, a := range was {
		b := inputNamed(now, a.Name)
		switch {
		case b == nil && a.Name == tokenizerInput: // will be trained
		case b == nil:
			list = append(list, fmt.Sprintf("%s: is gone; was %s", a.Name, a.content()))
		case a.SHA256 != b.SHA256 && a.Path != b.Path:
			list = append(list, fmt.Sprintf("%s (%s): %s; was %s (%s)", a.Name, b.Path, b.content(), a.content(), a.Path))
		case a.SHA256 != b.SHA256:
			list = append(list, fmt.Sprintf("%s (%s): %s; was %s", a.Name, b.Path, b.content(), a.content()))
		}
	}
	for _, b := range now {
		if inputNamed(was, b.Name) == nil && b.Name != tokenizerInput {
			list = append(list, fmt.Sprintf("%s (%s): %s; is new", b.Name, b.Path, b.content()))
		}
	}
	return list
}

func inputNamed(list []Input, name string) *Input {
	for i := range list {
		if list[i].Name == name {
			return &list[i]
		}
	}
	return nil
}

func (i *Input) content() string {
	rows := ""
	if i.Rows > 0 {
		rows = fmt.Sprintf("%d documents, ", i.Rows)
	}
	return rows + "sha256 " + i.SHA256
}

// remember compares the inputs with those noted earlier, and notes them and the resolved recipe.
// A change is a *ChangedError, unless it is accepted.
func (d *runDir) remember(recipe string, now []Input, accept bool, say func(string)) error {
	was := d.manifest.Inputs
	if d.begun() {
		changed := changedInputs(was, now)
		switch {
		case len(was) == 0:
			say("note: this run was begun by an older hone, which noted no hashes of its inputs: they may have changed since")
		case len(changed) > 0 && !accept:
			return &ChangedError{Dir: d.path, Inputs: changed}
		}
		if len(was) > 0 {
			for _, line := range changed {
				say("accepted: " + line)
			}
		}
	}
	if old := inputNamed(was, tokenizerInput); old != nil && inputNamed(now, tokenizerInput) == nil {
		now = append(now, *old) // once trained again it must be the same
	}
	d.manifest.Recipe, d.manifest.Inputs = recipe, now
	if err := d.writeManifest(); err != nil {
		return err
	}
	return file.WriteBytes(filepath.Join(d.path, runRecipeFile), []byte(recipe))
}
