package recipes

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"hone/checkpoint"
	"hone/data"
	"hone/eval/report"
)

// provenanceLacks refuses corpora that do not say where they come from, where the recipe
// asks for it: all of them at once, each with the keys that it lacks.
func (r *Recipe) provenanceLacks(corpora map[string]*data.Corpus) error {
	if !r.RequireProvenance {
		return nil
	}
	faults := &Faults{File: r.origin.file}
	d := decoder{faults: faults, lines: r.origin.lines}
	for _, name := range sortedKeys(corpora) {
		p := corpora[name].Provenance
		for _, f := range []struct{ key, value string }{
			{"origin", p.Source}, {"licence", p.Licence}, {"consent", p.Consent}, {"collected", p.Collected},
		} {
			if f.value == "" {
				d.fault("corpus."+name+"."+f.key, "missing, and the recipe has require_provenance = true")
			}
		}
	}
	if len(faults.List) == 0 {
		return nil
	}
	sort.SliceStable(faults.List, func(a, b int) bool { return faults.List[a].Line < faults.List[b].Line })
	return faults
}

// provenance is of all that a stage reads.
func (w *runner) provenance(s *Stage, mixture []data.Part) []checkpoint.Corpus {
	var list []checkpoint.Corpus
	for i, name := range s.sources() {
		p := w.corpora[name].Provenance
		c := checkpoint.Corpus{
			Name: p.Name, Source: p.Source, Licence: p.Licence, Consent: p.Consent, Collected: p.Collected,
			SHA256: p.SHA256, Train: w.corpora[name].Train.SHA256, Documents: p.Rows, Cleaning: leftOut(w.corpora[name].Manifest),
		}
		if len(mixture) > 0 {
			c.Share = mixture[i].Weight
		}
		list = append(list, c)
	}
	return list
}

// learned is the provenance of a run's report: its corpora as they are, and what steps of
// its stages had before they were changed, each with these steps; of tokenizers, where
// there was more than one.
func (w *runner) learned() []report.Corpus {
	var list, tokenizers []report.Corpus
	for _, name := range sortedKeys(w.corpora) {
		p := w.corpora[name].Provenance
		list = append(list, report.Corpus{
			Name: p.Name, Source: p.Source, Licence: p.Licence, Consent: p.Consent, SHA256: p.SHA256, Rows: p.Rows, Bytes: p.Bytes,
		})
	}
	note := func(list *[]report.Corpus, c report.Corpus, steps report.Steps) {
		at := slices.IndexFunc(*list, func(o report.Corpus) bool { return o.Name == c.Name && o.SHA256 == c.SHA256 })
		if at < 0 {
			at = len(*list)
			*list = append(*list, c)
		}
		(*list)[at].Steps = append((*list)[at].Steps, steps)
	}
	for _, s := range w.r.Stages {
		m := w.final[s.Name]
		before := 0
		for _, o := range m.Provenance {
			if o.Stage != s.Name {
				continue
			}
			steps := report.Steps{Stage: s.Name, First: before + 1, Last: cmp.Or(o.Step, m.Step)}
			before = steps.Last
			for _, c := range o.Corpora {
				note(&list, report.Corpus{Name: c.Name, Source: c.Source, Licence: c.Licence, Consent: c.Consent, SHA256: c.SHA256, Rows: c.Documents}, steps)
			}
			if o.Tokenizer != "" {
				note(&tokenizers, report.Corpus{Name: tokenizerInput, Source: w.r.Tokenizer.File, SHA256: o.Tokenizer}, steps)
			}
		}
	}
	if len(tokenizers) > 1 {
		list = append(list, tokenizers...)
	}
	return list
}

// leftOut counts what the cleaning of a corpus has left out, by reason.
func leftOut(m *data.Manifest) map[string]int64 {
	if m == nil {
		return nil
	}
	counts := map[string]int64{}
	maps.Copy(counts, m.Drops)
	if d := m.Duplicates; d != nil {
		counts["exact duplicate"], counts["near duplicate"] = int64(d.Exact), int64(d.Near)
	}
	maps.DeleteFunc(counts, func(_ string, n int64) bool { return n == 0 })
	return counts
}

// A Provenance is the chain of stages behind a checkpoint, the oldest first.
type Provenance struct {
	Checkpoint string              `json:"checkpoint"`
	Stage      string              `json:"stage"`
	Step       int                 `json:"step"`
	Hone       string              `json:"hone"`
	Chain      []checkpoint.Origin `json:"chain"`
}

// ReadProvenance reads the chain of a checkpoint: its directory, or a stage's, whose
// final model is meant then.
func ReadProvenance(dir string) (*Provenance, error) {
	c, err := checkpoint.Open(checkpointDir(dir))
	if err != nil {
		return nil, input(err)
	}
	m := c.Manifest
	return &Provenance{Checkpoint: dir, Stage: m.Stage, Step: m.Step, Hone: m.Hone, Chain: m.Provenance}, nil
}

// checkpointDir is the directory of a checkpoint that is named by itself, or by its stage.
func checkpointDir(dir string) string {
	if _, err := os.Stat(filepath.Join(dir, checkpoint.ManifestFile)); err != nil {
		if _, err := os.Stat(checkpoint.FinalDir(dir)); err == nil {
			return checkpoint.FinalDir(dir)
		}
	}
	return dir
}

// Checkpoint finds the checkpoint that a directory stands for: itself, a stage's final one,
// or while the stage is trained its newest, which note then says.
func Checkpoint(dir string) (found, note string, err error) {
	if stages := Stages(dir); len(stages) > 0 {
		return "", "", input(fmt.Errorf("%s is a run: name one of its stages, %s", dir, strings.Join(stages, ", ")))
	}
	if IsCheckpoint(dir) {
		return checkpointDir(dir), "", nil
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return "", "", input(fmt.Errorf("%s: no such directory", dir))
	}
	var newest *checkpoint.Checkpoint
	var at time.Time
	trials, err := filepath.Glob(filepath.Join(dir, "lr-*"))
	if err != nil {
		trials = nil // a name that is a pattern: the stage itself may do
	}
	for _, d := range append(trials, dir) {
		c, err := checkpoint.Latest(d, nil)
		if err != nil || c == nil {
			continue
		}
		if info, err := os.Stat(c.Dir); err == nil && !info.ModTime().Before(at) {
			newest, at = c, info.ModTime()
		}
	}
	if newest != nil {
		return newest.Dir, fmt.Sprintf("%s is not finished: this is its newest checkpoint, of step %d", dir, newest.Manifest.Step), nil
	}
	if _, err := os.Stat(filepath.Join(dir, stageFile)); err == nil {
		return "", "", input(fmt.Errorf("%s has no checkpoint yet", dir))
	}
	return dir, "", nil // whose opening says what it lacks
}

// Stages are the directories of those stages of a run that train a model; nil: dir is no run's.
func Stages(dir string) (stages []string) {
	var recipe struct{ Stage []struct{ Name, Kind string } }
	if _, err := toml.DecodeFile(filepath.Join(dir, runRecipeFile), &recipe); err != nil {
		return nil
	}
	for _, s := range recipe.Stage {
		if s.Kind != "evaluate" {
			stages = append(stages, filepath.Join(dir, s.Name))
		}
	}
	return stages
}

// Tree writes the chain as a tree, the checkpoint at its root.
func (p *Provenance) Tree(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, step %d, hone %s\n", p.Stage, p.Step, p.Hone)
	indent := ""
	for i := len(p.Chain) - 1; i >= 0; i-- {
		o := p.Chain[i]
		fork := func(last bool) (head, body string) {
			if last && i == 0 {
				return indent + "└─ ", indent + "   "
			}
			return indent + "├─ ", indent + "│  "
		}
		head, _ := fork(len(o.Corpora) == 0 && o.Tokenizer == "")
		if o.Imported != nil {
			fmt.Fprintf(&b, "%simported: %s%s\n", head, o.Imported.Name, unknownBefore(i))
			for _, name := range sortedKeys(o.Imported.Files) {
				_, body := fork(true)
				fmt.Fprintf(&b, "%s   %s  %s\n", body, name, o.Imported.Files[name])
			}
		} else {
			fmt.Fprintf(&b, "%srecipe %s\n", head, o.RecipeSHA256)
		}
		if o.Tokenizer != "" {
			head, _ := fork(len(o.Corpora) == 0)
			fmt.Fprintf(&b, "%stokenizer %s\n", head, o.Tokenizer)
		}
		for k, c := range o.Corpora {
			head, body := fork(k == len(o.Corpora)-1)
			fmt.Fprintf(&b, "%scorpus %s\n", head, c.Name)
			for _, f := range corpusFields(c) {
				fmt.Fprintf(&b, "%s   %-9s  %s\n", body, f[0], f[1])
			}
		}
		if i > 0 {
			fmt.Fprintf(&b, "%s└─ from %s, step %d%s\n", indent, p.Chain[i-1].Stage, p.Chain[i-1].Step, p.otherData(i))
			indent += "   "
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// otherData says of a stage that went on with other data that this is what it had before.
func (p *Provenance) otherData(i int) string {
	if p.Chain[i-1].Stage != p.Chain[i].Stage {
		return ""
	}
	return ", which had other data"
}

// unknownBefore says of an import that begins a chain that the chain does not begin there.
func unknownBefore(i int) string {
	if i > 0 {
		return ""
	}
	return "; what it learned from is not known here"
}

// corpusFields is what is known of a corpus, name and value.
func corpusFields(c checkpoint.Corpus) [][2]string {
	fields := [][2]string{{"source", c.Source}, {"licence", c.Licence}, {"consent", c.Consent}, {"collected", c.Collected}, {"sha256", c.SHA256}}
	for i := range fields {
		if fields[i][1] == "" {
			fields[i][1] = "not stated"
		}
	}
	if c.Documents > 0 {
		fields = append(fields, [2]string{"documents", fmt.Sprint(c.Documents)})
	}
	if c.Share > 0 {
		fields = append(fields, [2]string{"share", fmt.Sprintf("%.3g %% of the mixture", 100*c.Share)})
	}
	var out []string
	for _, reason := range sortedKeys(c.Cleaning) {
		out = append(out, fmt.Sprintf("%d %s", c.Cleaning[reason], reason))
	}
	if len(out) > 0 {
		fields = append(fields, [2]string{"left out", strings.Join(out, ", ")})
	}
	return fields
}

// Card writes the chain as a data card in Markdown.
func (p *Provenance) Card(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Data card: %s\n\nWhat the model of stage %s (step %d, hone %s) has learned from, the first stage first.\n",
		escapeMarkdown(p.Stage), escapeMarkdown(p.Stage), p.Step, escapeMarkdown(p.Hone))
	for i, o := range p.Chain {
		fmt.Fprintf(&b, "\n## Stage %s\n", escapeMarkdown(o.Stage))
		if i > 0 {
			fmt.Fprintf(&b, "\nStarts from step %d of %s%s.\n", p.Chain[i-1].Step, escapeMarkdown(p.Chain[i-1].Stage), p.otherData(i))
		}
		for _, c := range o.Corpora {
			fmt.Fprintf(&b, "\n### Corpus %s\n\n| | |\n|---|---|\n", escapeMarkdown(c.Name))
			for _, f := range corpusFields(c) {
				fmt.Fprintf(&b, "| %s | %s |\n", f[0], escapeMarkdown(f[1]))
			}
		}
		if o.Imported != nil {
			fmt.Fprintf(&b, "\nImported: %s%s.\n\n| file | sha256 |\n|---|---|\n", escapeMarkdown(o.Imported.Name), unknownBefore(i))
			for _, name := range sortedKeys(o.Imported.Files) {
				fmt.Fprintf(&b, "| %s | %s |\n", escapeMarkdown(name), o.Imported.Files[name])
			}
			continue
		}
		fmt.Fprintf(&b, "\nRecipe, sha256 %s", o.RecipeSHA256)
		if o.Recipe == "" {
			b.WriteString("; its text was not kept.\n")
			continue
		}
		fence := "```" // longer than any in the text
		for strings.Contains(o.Recipe, fence) {
			fence += "`"
		}
		fmt.Fprintf(&b, ":\n\n%stoml\n%s\n%s\n", fence, strings.TrimRight(o.Recipe, "\n"), fence)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// escapeMarkdown keeps what a recipe's author wrote from becoming markup, or a new cell.
func escapeMarkdown(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "<", "&lt;", "&", "&amp;", "`", "\\`", "*", "\\*", "[", "\\[", "_", "\\_").Replace(s)
}
