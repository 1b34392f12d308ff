package run

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hone/checkpoint"
	"hone/eval/report"
	"hone/recipes"
)

// runManifest is manifest.json of a run directory, a sealed file: which hone wrote the run on
// which device, the files that it made, and the recipe and inputs that it was made from.
type runManifest struct {
	FormatVersion int    `json:"format_version"`
	Hone          string `json:"hone"`
	Device        string `json:"device"` // kind and kernel set
	Machine       string `json:"machine"`
	// Made are the files and stage directories of the run directory that hone has made
	// or is about to make, by name. Nothing else is ever overwritten or removed.
	Made   []string `json:"made"`
	Recipe string   `json:"recipe,omitempty"` // resolved; recipe.toml is for people to read
	Inputs []Input  `json:"inputs,omitempty"`
}

// runFormat is the version of the run directory's layout.
//
//	1  the first
//	2  the manifest lists the files that hone has made, the recipe and its inputs
const runFormat = 2

const (
	runManifestFile = "manifest.json"
	runRecipeFile   = "recipe.toml"
)

// A runDir is a run's directory, locked for this process.
type runDir struct {
	path     string
	manifest runManifest
	unlock   func() error
}

// openRunDir locks the directory of a run, and compares the recipe with that of an earlier run
// there: a changed key is a *ChangedError, but a greater number of steps is not.
func openRunDir(r *recipes.Recipe, o Options, device, machine string) (*runDir, error) {
	if err := os.MkdirAll(o.Dir, 0o777); err != nil {
		return nil, fmt.Errorf("run: %w", err)
	}
	unlock, err := checkpoint.LockRun(o.Dir)
	if err != nil {
		return nil, err
	}
	d := &runDir{path: o.Dir, unlock: unlock}
	if err := d.prepare(r, o, device, machine); err != nil {
		return nil, errors.Join(err, unlock())
	}
	return d, nil
}

func (d *runDir) prepare(r *recipes.Recipe, o Options, device, machine string) error {
	old, err := d.readManifest()
	switch {
	case errors.Is(err, checkpoint.ErrDamaged):
		d.adopt(r)
		if len(d.manifest.Made) == len(runFiles) { // no stage is here
			return d.foreign(strings.TrimPrefix(err.Error(), filepath.Join(d.path, runManifestFile)+": "))
		}
		if !o.Accept {
			return fmt.Errorf("run: %w\nhint: --accept-changes goes on from the checkpoints of the stages, without comparing the recipe; --dir NAME starts another run", err)
		}
		o.Say("accepted: " + err.Error())
		old = &runManifest{FormatVersion: runFormat, Made: d.manifest.Made}
	case err != nil:
		return err
	case old == nil:
		old = &runManifest{FormatVersion: runFormat}
	}
	d.manifest = *old
	if d.manifest.FormatVersion < 2 {
		d.adopt(r)
	}
	if o.Fresh {
		if err := d.clear(o.Say); err != nil {
			return fmt.Errorf("run: --fresh: %w", err)
		}
		old.Device, old.Hone, old.Recipe, old.Inputs = "", "", "", nil
	}
	if err := d.claim(r); err != nil {
		return err
	}
	if d.begun() {
		if old.Recipe, err = d.recipe(old.Recipe, o.Say); err != nil {
			return err
		}
	} else {
		old.Recipe, old.Inputs = "", nil
	}
	if old.Recipe != "" {
		changed, err := r.Changed(old.Recipe, len(old.Inputs) > 0)
		if err != nil {
			return d.recipeDamaged(err)
		}
		if len(changed) > 0 {
			return &ChangedError{Dir: d.path, Keys: changed}
		}
	}
	// The old recipe stays noted until its inputs are known not to have changed, see remember.
	now := runManifest{runFormat, recipes.Version(), device, machine, d.manifest.Made, old.Recipe, old.Inputs}
	say := o.Say
	switch {
	case old.Device != "" && old.Device != now.Device:
		say(fmt.Sprintf("warning: this run began on %s and goes on with %s: these round sums differently, so that the result has the bits of neither", old.Device, now.Device))
	case old.Hone != "" && old.Hone != now.Hone:
		say(fmt.Sprintf("note: this run began with hone %s and goes on with %s", old.Hone, now.Hone))
	}
	d.manifest = now
	// Written first, so that whatever is made from now on is known to be hone's.
	return d.writeManifest()
}

func (d *runDir) writeManifest() error {
	if err := checkpoint.WriteSealed(filepath.Join(d.path, runManifestFile), d.manifest); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	return nil
}

// recipe is the recipe that the run was begun with: the one noted in its manifest or, of an
// older hone, recipe.toml.
func (d *runDir) recipe(noted string, say func(string)) (string, error) {
	path := filepath.Join(d.path, runRecipeFile)
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("run: %w", err)
	}
	if noted == "" {
		return string(text), nil
	}
	if string(text) != noted {
		say(fmt.Sprintf("note: %s was edited or damaged since hone wrote it: it is written again from %s, which is the one that counts", path, runManifestFile))
	}
	return noted, nil
}

func (d *runDir) recipeDamaged(err error) error {
	return fmt.Errorf("run: %s: damaged: %w\nhint: remove it to go on without comparing the recipe; --fresh starts over", filepath.Join(d.path, runRecipeFile), err)
}

// foreign refuses a directory whose manifest.json is not hone's.
func (d *runDir) foreign(why string) error {
	return recipes.Input(fmt.Errorf("run: %s is not the manifest of a run: %s\nhint: choose another run directory with --dir, or move %s away", filepath.Join(d.path, runManifestFile), why, d.path))
}

// readManifest reads manifest.json; nil: there is none, and hone has made nothing here.
func (d *runDir) readManifest() (*runManifest, error) {
	path := filepath.Join(d.path, runManifestFile)
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("run: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, d.foreign("it is not a regular file")
	}
	m := new(runManifest)
	if err := checkpoint.ReadSealed(path, m); err != nil {
		return nil, err
	}
	if m.FormatVersion > runFormat {
		return nil, recipes.Input(fmt.Errorf("run: %s was written by a newer hone (%s, layout %d; this one is %s and knows %d): update hone, or choose another run directory with --dir",
			d.path, m.Hone, m.FormatVersion, recipes.Version(), runFormat))
	}
	if m.FormatVersion < 1 {
		return nil, d.foreign("it has no format_version")
	}
	for _, name := range m.Made {
		if !slices.Contains(runFiles, name) && !recipes.PlainName(name) {
			return nil, d.foreign(fmt.Sprintf("%q in its list of files cannot be the name of a stage", name))
		}
	}
	return m, nil
}

// runFiles are the files that a run may write beside its manifest.
var runFiles = []string{runRecipeFile, checkpoint.TokenizerFile, report.MetricsFile, report.SamplesFile, report.HTMLFile, report.RunFile}

// makes are the names that a run of r writes.
func makes(r *recipes.Recipe) (files, stages []string) {
	for _, name := range runFiles {
		if name != checkpoint.TokenizerFile || r.Tokenizer.File == "" {
			files = append(files, name)
		}
	}
	for _, s := range r.Stages {
		stages = append(stages, s.Name)
	}
	return files, stages
}

// adopt makes the list of files for a run of an older hone, which kept none: the files of every
// run, and the directories that look like stages of this recipe or of the run's own.
func (d *runDir) adopt(r *recipes.Recipe) {
	_, stages := makes(r)
	if text, err := os.ReadFile(filepath.Join(d.path, runRecipeFile)); err == nil {
		earlier, _ := recipes.Outlines(string(text)) // what cannot be read lists nothing
		for _, s := range earlier {
			if recipes.PlainName(s.Name) {
				stages = append(stages, s.Name)
			}
		}
	}
	d.manifest.Made = slices.Clone(runFiles)
	for _, name := range stages {
		dir := filepath.Join(d.path, name)
		if info, err := os.Lstat(dir); err != nil || !info.IsDir() || slices.Contains(d.manifest.Made, name) {
			continue
		}
		for _, file := range stageFiles {
			if info, err := os.Lstat(filepath.Join(dir, file)); err == nil && info.Mode().IsRegular() {
				d.manifest.Made = append(d.manifest.Made, name)
				break
			}
		}
	}
}

// claim lists the files that a run of r makes, and refuses to go on where hone has not made a
// file of that name.
func (d *runDir) claim(r *recipes.Recipe) error {
	files, stages := makes(r)
	var taken []string
	for i, name := range slices.Concat(files, stages) {
		info, err := os.Lstat(filepath.Join(d.path, name))
		ours := slices.Contains(d.manifest.Made, name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return fmt.Errorf("run: %w", err)
		case !ours,
			i < len(files) && !info.Mode().IsRegular(),
			i >= len(files) && !info.IsDir(): // a link that stands in its place
			taken = append(taken, name)
			continue
		}
		if !ours {
			d.manifest.Made = append(d.manifest.Made, name)
		}
	}
	if len(taken) > 0 {
		return recipes.Input(fmt.Errorf("run: %s holds files that hone did not make and would overwrite: %s\nhint: choose another run directory with --dir, or move these away",
			d.path, strings.Join(taken, ", ")))
	}
	return nil
}

// begun reports whether an earlier run has made anything that depends on its recipe. A run that
// failed on its corpus has not: the recipe can be changed and run again.
func (d *runDir) begun() bool {
	return slices.ContainsFunc(d.manifest.Made, func(name string) bool {
		_, err := os.Lstat(filepath.Join(d.path, name))
		return err == nil && (name == checkpoint.TokenizerFile || !slices.Contains(runFiles, name))
	})
}

// clear removes the files that the manifest lists. All others stay, in the directories of stages
// too; symbolic links are neither followed nor removed.
func (d *runDir) clear(say func(string)) error {
	for _, name := range d.manifest.Made {
		path := filepath.Join(d.path, name)
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return err
		case slices.Contains(runFiles, name) && info.Mode().IsRegular():
			err = os.Remove(path)
		case !slices.Contains(runFiles, name) && info.IsDir():
			err = clearStage(path, say)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// clearStage removes the files of a stage, and its directory if nothing else is in it.
func clearStage(dir string, say func(string)) error {
	for _, name := range stageFiles {
		path := filepath.Join(dir, name)
		if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	stays := map[string]bool{} // trials that are not empty
	remove := func(dir string) error {
		left, err := checkpoint.RemoveStage(dir)
		for _, path := range left {
			if stays[dir] = true; !stays[path] {
				say(fmt.Sprintf("kept %s: hone did not make it", path))
			}
		}
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), trialPrefix) {
			if err := remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return remove(dir)
}

// A ChangedError refuses to go on with a run whose recipe or inputs have changed. It is
// recipes.ErrInput.
type ChangedError struct {
	Dir    string
	Keys   []string
	Inputs []string
}

// Is says that a change is the user's to mend, or to accept.
func (e *ChangedError) Is(target error) bool { return target == recipes.ErrInput }

func (e *ChangedError) Error() string {
	if len(e.Inputs) > 0 {
		return fmt.Sprintf("run: %s was begun with other data:\n  %s\nhint: --accept-changes goes on, and the provenance keeps both; --fresh starts over; --dir NAME starts another run",
			e.Dir, strings.Join(e.Inputs, "\n  "))
	}
	return fmt.Sprintf("run: %s holds a run of another recipe; changed: %s\nhint: --fresh starts over, --dir NAME keeps both; with more steps and no other change the run would go on",
		e.Dir, strings.Join(e.Keys, ", "))
}
