package recipes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"hone/checkpoint"
)

// Version is the program's: the module's version, or the revision it was built from.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}

// runManifest is manifest.json of a run directory: who wrote it.
type runManifest struct {
	FormatVersion int    `json:"format_version"`
	Hone          string `json:"hone"`
	Device        string `json:"device"` // kind and kernel set
	Machine       string `json:"machine"`
}

// runFormat is the version of the run directory's layout.
const runFormat = 1

// A runDir is a run's directory, locked for this process.
type runDir struct {
	path   string
	unlock func() error
}

// openRunDir locks the run's directory, and compares what an earlier run left there
// with the recipe: a changed key refuses, more steps are welcome.
func openRunDir(path string, r *Recipe, device, machine string, fresh bool, say func(string)) (*runDir, error) {
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, fmt.Errorf("run: %w", err)
	}
	unlock, err := checkpoint.LockRun(path)
	if err != nil {
		return nil, err
	}
	d := &runDir{path, unlock}
	if err := d.prepare(r, device, machine, fresh, say); err != nil {
		return nil, errors.Join(err, unlock())
	}
	return d, nil
}

func (d *runDir) prepare(r *Recipe, device, machine string, fresh bool, say func(string)) error {
	text, err := r.Resolved()
	if err != nil {
		return err
	}
	if fresh {
		if err := d.clear(r); err != nil {
			return fmt.Errorf("run: --fresh: %w", err)
		}
	}
	old, err := os.ReadFile(filepath.Join(d.path, "recipe.toml"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("run: %w", err)
	default:
		changed, err := changedKeys(string(old), text)
		if err != nil {
			return fmt.Errorf("run: %s: %w", filepath.Join(d.path, "recipe.toml"), err)
		}
		if len(changed) > 0 && d.begun() {
			return &ChangedError{Dir: d.path, Keys: changed}
		}
	}
	if err := d.checkManifest(device, machine, say); err != nil {
		return err
	}
	return checkpoint.WriteFile(filepath.Join(d.path, "recipe.toml"), []byte(text))
}

// begun reports whether an earlier run got as far as work that depends on its recipe:
// one that its corpus stopped can be mended and run again.
func (d *runDir) begun() bool {
	if _, err := os.Stat(filepath.Join(d.path, checkpoint.TokenizerFile)); err == nil {
		return true
	}
	entries, err := os.ReadDir(d.path)
	return err != nil || slices.ContainsFunc(entries, fs.DirEntry.IsDir)
}

// clear removes what a run writes, and nothing else that may lie there.
func (d *runDir) clear(r *Recipe) error {
	names := []string{"recipe.toml", "manifest.json", "metrics.jsonl", "samples.jsonl", "report.html", "report.json", checkpoint.TokenizerFile}
	for _, s := range r.Stages {
		names = append(names, s.Name)
	}
	if old, err := os.ReadFile(filepath.Join(d.path, "recipe.toml")); err == nil {
		var earlier struct {
			Stage []struct{ Name string }
		}
		if _, err := toml.Decode(string(old), &earlier); err == nil {
			for _, s := range earlier.Stage {
				if s.Name != "" && filepath.Base(s.Name) == s.Name {
					names = append(names, s.Name)
				}
			}
		}
	}
	for _, n := range names {
		if err := os.RemoveAll(filepath.Join(d.path, n)); err != nil {
			return err
		}
	}
	return nil
}

func (d *runDir) checkManifest(device, machine string, say func(string)) error {
	path := filepath.Join(d.path, "manifest.json")
	now := runManifest{runFormat, Version(), device, machine}
	b, err := os.ReadFile(path)
	if err == nil {
		var old runManifest
		if err := json.Unmarshal(b, &old); err != nil {
			return fmt.Errorf("run: %s: %w", path, err)
		}
		switch {
		case old.FormatVersion > runFormat:
			return fmt.Errorf("run: %s was written by a newer hone (%s, layout %d; this one is %s and knows %d): update hone, or start over with --fresh",
				d.path, old.Hone, old.FormatVersion, now.Hone, runFormat)
		case old.Device != now.Device:
			say(fmt.Sprintf("warning: this run began on %s and goes on with %s: sums are rounded differently, so the result is not that of either alone, bit for bit", old.Device, now.Device))
		case old.Hone != now.Hone:
			say(fmt.Sprintf("note: this run began with hone %s and goes on with %s", old.Hone, now.Hone))
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("run: %w", err)
	}
	text, err := json.MarshalIndent(now, "", "  ")
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	return checkpoint.WriteFile(path, append(text, '\n'))
}

// A ChangedError refuses to go on with a run whose recipe has changed.
type ChangedError struct {
	Dir  string
	Keys []string
}

func (e *ChangedError) Error() string {
	return fmt.Sprintf("run: %s holds a run of another recipe; changed: %s\nhint: --fresh starts over, --dir NAME keeps both; more steps alone would go on",
		e.Dir, strings.Join(e.Keys, ", "))
}

// Resolved is the recipe with every default filled in, as TOML.
func (r *Recipe) Resolved() (string, error) {
	var b bytes.Buffer
	enc := toml.NewEncoder(&b)
	enc.Indent = ""
	if err := enc.Encode(r); err != nil {
		return "", fmt.Errorf("recipe %s: %w", r.Name, err)
	}
	return b.String(), nil
}

// changedKeys compares two resolved recipes. Keys that do not change the result
// (threads, description, token_cache, log_every) and a larger number of steps are no change.
func changedKeys(old, now string) ([]string, error) {
	a, b := map[string]any{}, map[string]any{}
	if _, err := toml.Decode(old, &a); err != nil {
		return nil, err
	}
	if _, err := toml.Decode(now, &b); err != nil {
		return nil, err
	}
	fa, fb := map[string]any{}, map[string]any{}
	flatten("", a, fa)
	flatten("", b, fb)
	var changed []string
	for k, v := range fb {
		last := k[strings.LastIndexByte(k, '.')+1:]
		if last == "threads" || last == "description" || last == "token_cache" || last == "log_every" {
			continue
		}
		was, ok := fa[k]
		if ok && last == "steps" {
			x, _ := was.(int64)
			y, _ := v.(int64)
			if y >= x {
				continue
			}
		}
		if !ok || fmt.Sprint(was) != fmt.Sprint(v) {
			changed = append(changed, fmt.Sprintf("%s (%v, was %v)", k, shown(v, true), shown(was, ok)))
		}
	}
	for k, v := range fa {
		if _, ok := fb[k]; !ok {
			changed = append(changed, fmt.Sprintf("%s (gone, was %v)", k, v))
		}
	}
	slices.Sort(changed)
	return changed, nil
}

func shown(v any, ok bool) string {
	if !ok {
		return "not there"
	}
	if s, isText := v.(string); isText {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprint(v)
}

func flatten(prefix string, tree map[string]any, into map[string]any) {
	for k, v := range tree {
		switch v := v.(type) {
		case map[string]any:
			flatten(join(prefix, k), v, into)
		case []map[string]any:
			for i, e := range v {
				name := fmt.Sprint(i)
				if s, ok := e["name"].(string); ok {
					name = s
				}
				flatten(join(join(prefix, k), name), e, into)
			}
		default:
			into[join(prefix, k)] = v
		}
	}
}

// Machine describes where a run runs: processor, cores, system.
func Machine() string {
	return fmt.Sprintf("%s, %d cores, %s/%s, %s", cpuModel(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}

func cpuModel() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.SplitSeq(string(b), "\n") {
			if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
				return strings.TrimSpace(v)
			}
		}
	}
	return "unknown processor"
}
