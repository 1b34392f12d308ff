package run

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"hone/checkpoint"
	"hone/recipes"
	"hone/trainer/pretrained"
)

// A Provenance is the chain of stages that a checkpoint comes from, the oldest first.
type Provenance struct {
	Checkpoint string              `json:"checkpoint"`
	Stage      string              `json:"stage"`
	Step       int                 `json:"step"`
	Hone       string              `json:"hone"`
	Chain      []checkpoint.Origin `json:"chain"`
}

// ReadProvenance reads the chain of a checkpoint: the directory of the checkpoint, or of a stage,
// which stands for its final model. An error is recipes.ErrInput.
func ReadProvenance(dir string) (*Provenance, error) {
	c, err := checkpoint.Open(pretrained.Dir(dir))
	if err != nil {
		return nil, recipes.Input(err)
	}
	m := c.Manifest
	return &Provenance{Checkpoint: dir, Stage: m.Stage, Step: m.Step, Hone: m.Hone, Chain: m.Provenance}, nil
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
			_, body := fork(true)
			for _, f := range importFields(o.Imported) {
				fmt.Fprintf(&b, "%s   %-8s %s\n", body, f[0], f[1])
			}
			for _, name := range slices.Sorted(maps.Keys(o.Imported.Files)) {
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
			fields, width := c.Fields(), 0
			for _, f := range fields {
				width = max(width, len(f[0]))
			}
			for _, f := range fields {
				fmt.Fprintf(&b, "%s   %-*s  %s\n", body, width, f[0], f[1])
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

// otherData notes that a stage was continued with other data than it had before.
func (p *Provenance) otherData(i int) string {
	if p.Chain[i-1].Stage != p.Chain[i].Stage {
		return ""
	}
	return ", which had other data"
}

// unknownBefore notes that what an imported model was trained on is not known.
func unknownBefore(i int) string {
	if i > 0 {
		return ""
	}
	return "; what it was trained on is not known"
}

// importFields is what is known of an imported model, name and value.
func importFields(m *checkpoint.Import) [][2]string {
	var fields [][2]string
	if m.Repo != "" {
		fields = append(fields, [2]string{"from", m.Endpoint + "/" + m.Repo}, [2]string{"commit", m.Commit})
	}
	licence := m.Licence
	if licence == "" {
		licence = "not stated"
	}
	return append(fields, [2]string{"licence", licence})
}

// Card writes the chain as a data card in Markdown.
func (p *Provenance) Card(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Data card: %s\n\nWhat the model of stage %s (step %d, hone %s) was trained on, the first stage first.\n",
		escapeMarkdown(p.Stage), escapeMarkdown(p.Stage), p.Step, escapeMarkdown(p.Hone))
	for i, o := range p.Chain {
		fmt.Fprintf(&b, "\n## Stage %s\n", escapeMarkdown(o.Stage))
		if i > 0 {
			fmt.Fprintf(&b, "\nStarts from step %d of %s%s.\n", p.Chain[i-1].Step, escapeMarkdown(p.Chain[i-1].Stage), p.otherData(i))
		}
		for _, c := range o.Corpora {
			fmt.Fprintf(&b, "\n### Corpus %s\n\n| | |\n|---|---|\n", escapeMarkdown(c.Name))
			for _, f := range c.Fields() {
				fmt.Fprintf(&b, "| %s | %s |\n", f[0], escapeMarkdown(f[1]))
			}
		}
		if o.Imported != nil {
			fmt.Fprintf(&b, "\nImported: %s%s.\n\n", escapeMarkdown(o.Imported.Name), unknownBefore(i))
			for _, f := range importFields(o.Imported) {
				fmt.Fprintf(&b, "- %s: %s\n", f[0], escapeMarkdown(f[1]))
			}
			b.WriteString("\n| file | sha256 |\n|---|---|\n")
			for _, name := range slices.Sorted(maps.Keys(o.Imported.Files)) {
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

// escapeMarkdown keeps the text of a recipe from becoming markup, or a new cell of a table.
func escapeMarkdown(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "<", "&lt;", "&", "&amp;", "`", "\\`", "*", "\\*", "[", "\\[", "_", "\\_").Replace(s)
}
